// What gradio's photo input lacks: it takes a file dropped or pasted anywhere on the page, hands a file of any
// type to the server (which says what it can't read), and says in the card when a file is too large.

const megabytes = window.gradio_config.max_file_size / 1e6;
const handed = new WeakSet();

function hand(file) {
  if (file.size > megabytes * 1e6) {
    props.value = {
      verdict: "error",
      class: "",
      title: props.texts.error,
      advice: props.texts["error.large"].replace("{megabytes}", megabytes),
    };
    return;
  }
  // gradio ignores files whose type is not image/..., as HEIC photos often are.
  const type = file.type.startsWith("image/") ? file.type : "image/unknown";
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([file], file.name, { type }));
  const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  handed.add(drop);
  document.querySelector("#photo .upload-container").dispatchEvent(drop);
}

function take(event, file) {
  if (!file || handed.has(event)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  hand(file);
}

const capture = { capture: true };
document.addEventListener("dragover", (event) => event.preventDefault(), capture);
document.addEventListener("drop", (event) => take(event, event.dataTransfer.files[0]), capture);
document.addEventListener("paste", (event) => take(event, event.clipboardData.files[0]), capture);
document.addEventListener(
  "change",
  (event) => event.target.matches("#photo input[type=file]") && take(event, event.target.files[0]),
  capture,
);

// What the page says in a language that is not in a gradio component.
function speak() {
  document.documentElement.lang = props.texts.code;
  document.documentElement.style.setProperty("--again", JSON.stringify(props.texts["error.again"]));
}
speak();
watch("texts", speak);
