// The slider between the photo and the heat over it.

function show() {
  const photo = element.querySelector(".photo");
  if (!photo) return;
  element.style.setProperty("--heat", element.querySelector("input").value / 100);
  // The visitor's own photo is sharper than the small one from the server, if this browser can show it.
  const own = document.querySelector("#photo .image-frame img");
  if (own?.naturalWidth) photo.src = own.src;
}

element.addEventListener("input", show);
watch(["value", "texts"], () => requestAnimationFrame(show));
