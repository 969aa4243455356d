// This browser's earlier checks, with small pictures, kept in its local storage and nowhere else. The server is told
// the answer of one that is opened again, without its picture, and says what to do.

const KEY = "blightcheck.history";
const MOST = 24;
const THUMBNAIL = 96; // pixels
let last; // the photo kept last: gradio may give an answer twice
let open = false; // as the visitor left it, whatever is drawn anew

function checks() {
  try {
    return JSON.parse(localStorage.getItem(KEY)).filter((check) => check?.time && check.class);
  } catch {
    return []; // nothing yet, no storage in this browser, or not ours
  }
}

function keep(all) {
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // full or forbidden: the page works without a history
  }
  show();
}

// The page's language as it is written where the browser is at home: 3/4 is not the same day everywhere.
const region = () => navigator.languages.find((tag) => `${tag}-`.startsWith(`${props.texts.code}-`)) ?? props.texts.code;

function show() {
  const told = (check) => ({
    ...check,
    // By the key of its class, or by its label, as checks kept long ago have it.
    title: props.texts.classes[check.class.toLowerCase().replace(/[\p{P}\p{Z}]+/gu, "_")] ?? check.title,
    when: new Date(check.time).toLocaleString(region()),
  });
  props.value = { open, checks: checks().map(told) };
}

async function thumbnail(photo) {
  await photo.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = THUMBNAIL;
  const side = Math.min(photo.naturalWidth, photo.naturalHeight);
  const [left, top] = [(photo.naturalWidth - side) / 2, (photo.naturalHeight - side) / 2];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white"; // behind transparent parts, as the server does it
  pen.fillRect(0, 0, THUMBNAIL, THUMBNAIL);
  pen.drawImage(photo, left, top, side, side, 0, 0, THUMBNAIL, THUMBNAIL);
  return canvas.toDataURL("image/jpeg", 0.7);
}

document.addEventListener("blightcheck:answered", async ({ detail }) => {
  const { photo, verdict, title, healthy, kept } = detail;
  if (photo === last) return;
  last = photo;
  // A photo this browser can't show, such as a HEIC photo, is kept without a picture.
  const picture = await thumbnail(detail.picture).catch(() => null);
  const check = { time: Date.now(), verdict, title, class: detail.class, healthy, kept, picture };
  keep([check, ...checks()].slice(0, MOST));
});
element.addEventListener("click", async (event) => {
  const opened = event.target.closest("figure button");
  if (opened) {
    const { kept, when } = props.value.checks.find(({ time }) => time === +opened.value);
    document.dispatchEvent(new Event("blightcheck:cleared")); // a photo that waits is no longer wanted
    document.querySelector("#part label:first-child input").click(); // the answer is of one leaf
    // An answer that is still to come would take its place.
    while (document.querySelector("#verdict .pending.card")) await new Promise((done) => setTimeout(done, 50));
    const recall = document.querySelector("#recall");
    recall.check = { kept, when };
    return recall.click();
  }
  if (!event.target.closest(".clear") || !confirm(props.texts.sure)) return;
  last = null;
  keep([]);
  document.querySelector("#part input:checked").focus(); // or keys would begin at the page's top again
});
element.addEventListener("toggle", (event) => (open = event.target.open), { capture: true });
watch("texts", show);
window.addEventListener("storage", show); // another tab of this page has changed it
setTimeout(show); // once gradio has put its own first value in place
