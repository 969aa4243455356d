// The slider between the photo and the heat over it.

function slide() {
  const slider = element.querySelector("input");
  if (slider) element.style.setProperty("--heat", slider.value / 100);
}

// The visitor's own photo is sharper than the small one from the server; but if this browser can't show it, such as a
// HEIC photo, the small one stands for it.
function sharpen() {
  const [photo, own] = [element.querySelector(".photo"), document.querySelector("#photo .image-frame img")];
  if (!photo || !own) return;
  const { src } = own;
  own.decode().then(() => (photo.src = src), () => own.src === src && (own.src = photo.src));
}

element.addEventListener("input", slide);
watch(["value", "texts"], () =>
  requestAnimationFrame(() => {
    slide();
    sharpen();
  }),
);
