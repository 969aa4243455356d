// What gradio lacks. Of photos: one dropped or pasted anywhere on the page is taken, a phone's is shrunk before it
// travels, a file of any type goes to the server (which says what it can't read), and waits while that can't be
// reached. Of the rest: a phone's own camera, keys, the language, and where the page looks once it has an answer.

const MAX_LONG_SIDE = 1024; // pixels; the model sees far fewer,
const MIN_SHORT_SIDE = 320; // of which the shorter side has to have enough
const SLOW_AFTER = 15_000; // milliseconds without a reply, after which the page says that it takes long
const RETRY_INTERVAL = 1000; // milliseconds between attempts to reach the server
const PING_TIMEOUT = 5000; // milliseconds without an answer mean that it can't be reached
const RETRY_STATUSES = [429, 502, 503]; // so a proxy answers, too, while the server restarts
const OF_THE_SAME = ["error.camera", "refused.lost"]; // said of a photo that is answered after all
const MAX_RETRY_AFTER = 60_000; // milliseconds, whatever the server asks for
const LOOKS = 100; // 20 milliseconds apart, for what will soon have happened
const megabytes = window.gradio_config.max_file_size / 1e6;
const ours = new WeakSet(); // events that we make ourselves, for gradio
let sending = new AbortController(); // the photo that is on its way as the one leaf

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const fits = (file) => file.size <= megabytes * 1e6;

// Raises an error if the file can't be read, such as a folder, or one that has changed since it was chosen.
async function shrink(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const { width, height } = bitmap;
    const scale = Math.max(MAX_LONG_SIDE / Math.max(width, height), MIN_SHORT_SIDE / Math.min(width, height));
    if (scale >= 1) {
      bitmap.close();
      return await whole(file);
    }
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.fillStyle = "white"; // what the server puts behind transparent parts
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
    if (blob) return new File([blob], file.name, { type: "image/jpeg" });
  } catch {
    // this browser can't decode it; perhaps the server can
  }
  return whole(file);
}

// A copy that is still there when it is sent.
const whole = async (file) => new File([await file.arrayBuffer()], file.name, { type: file.type });

// Photos wait here while the server can't be reached: gradio would lose them, and reload the page.
const banner = document.createElement("p");
banner.id = "offline";
banner.role = "alert";
document.querySelector(".gradio-container").prepend(banner);
let bannerKey = ""; // of the text that it shows,
let bannerValues; // and what is put into that

function tell(key, said = { megabytes }) {
  [bannerKey, bannerValues] = [key, said];
  banner.classList.toggle("busy", key.endsWith(".preparing"));
  const words = key && props.texts[key].replace(/{(\w+)}/g, (_, name) => said[name]);
  if (banner.textContent !== words) banner.textContent = words; // which is read out, each time
}

// Asks before it sends: a network that swallows all is noticed in time, and the photo before, and its answer, stay.
async function reached(wanted) {
  while (wanted()) {
    const asked = fetch("ping", { cache: "no-store", signal: AbortSignal.timeout(PING_TIMEOUT) });
    const answered = await asked.then((reply) => reply.ok, () => false);
    if (answered && bannerKey === "error.offline") tell("");
    if (answered || !wanted()) return;
    tell("error.offline");
    await pause(RETRY_INTERVAL);
  }
}

// gradio would lose a photo that does not arrive, and tell it in its own words.
const ask = window.fetch;
const uploading = { one: Promise.resolve(), several: Promise.resolve() }; // the upload that began last
let part = "one"; // that the upload is of that begins next
window.fetch = (address, options) => {
  const place = String(address.url ?? address);
  if (place.includes("/gradio_api/run/")) return call(address, options);
  if (!place.includes("/gradio_api/upload?")) return ask(address, options);
  uploading[part] = upload(address, options); // which never fails: it gives a reply of failure
  return uploading[part];
};

// Asks again and again while the server can't be reached or is too busy, and the answer is wanted.
async function askPatiently(asking, wanted) {
  for (let waited = false; ; waited = true) {
    let toldSo = false; // others may be slow, too
    const slow = setTimeout(() => {
      toldSo = wanted();
      if (toldSo) tell("error.slow");
    }, SLOW_AFTER);
    const reply = await asking().catch(() => null);
    clearTimeout(slow);
    if (toldSo && bannerKey === "error.slow") tell("");
    const busy = !reply || RETRY_STATUSES.includes(reply.status);
    if (waited && !busy && bannerKey === "error.offline") tell(""); // others may still wait for the server
    if (!busy || !wanted()) return reply ?? Response.error();
    tell("error.offline");
    const asked = 1000 * reply?.headers.get("Retry-After"); // no number if it is a date
    const until = Date.now() + (asked > 0 ? Math.min(asked, MAX_RETRY_AFTER) : RETRY_INTERVAL);
    while (Date.now() < until && wanted()) await pause(200); // another photo does not wait for one no longer wanted
  }
}

// A call that is lost would leave the answer pending for ever. Beside one without a whole reply another one is made, in
// case its connection has died, and then less and less often, in case the server has much to do.
function call(address, options) {
  async function asking() {
    const [attempts, over] = [[], new AbortController()];
    for (let patience = SLOW_AFTER; ; patience *= 2) {
      const asked = ask(address, { ...options, signal: over.signal });
      attempts.push(asked.then(async (reply) => new Response(await reply.blob(), reply)));
      const reply = await Promise.race([Promise.any(attempts), pause(patience)]);
      if (reply) {
        over.abort();
        return reply;
      }
    }
  }
  return askPatiently(asking, () => true);
}

async function upload(address, options) {
  const [several, { signal }] = [part === "several", sending];
  const asking = () => ask(address, several ? options : { ...options, signal });
  const wanted = () => several || !signal.aborted;
  const reply = await askPatiently(asking, wanted);
  if (!reply.ok && wanted()) tell("refused.lost");
  return reply;
}

// No photo that was on its way as the one leaf is wanted any longer.
function callOff() {
  sending.abort();
  sending = new AbortController();
  return sending.signal;
}

document.addEventListener("blightcheck:cleared", () => {
  callOff();
  tell("");
});

async function sendOne(original) {
  const signal = callOff();
  tell("photo.preparing");
  const [file] = await Promise.all([shrink(original).catch(() => null), reached(() => !signal.aborted)]);
  await uploading.one; // which gradio is to end before it takes another one
  if (signal.aborted) return; // another photo came meanwhile
  if (!file) return tell("error.unread"); // the photo before, and its answer, stay
  if (!fits(file)) return tell("error.large");
  tell("");
  // gradio ignores files whose type is not image/..., as HEIC photos often are.
  const type = file.type.startsWith("image/") ? file.type : "image/unknown";
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([file], file.name, { type }));
  const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  ours.add(drop);
  (await whenThere("#photo .upload-container")).dispatchEvent(drop);
}

// gradio's own camera is a small picture in the page; a phone's is better. And an answer asks for another photo.
const picker = document.createElement("input");
picker.type = "file";
picker.accept = "image/*,.heic,.heif";
picker.hidden = true;
document.body.append(picker);

function pick(camera) {
  picker.removeAttribute("capture");
  if (camera) picker.setAttribute("capture", "environment");
  picker.value = "";
  picker.click();
}
document.addEventListener("blightcheck:take", () => pick(true));
document.addEventListener("click", ({ target }) => {
  if (target.closest("#verdict .another")) pick(false);
  if (target.matches("#photos input[type=file]")) target.accept = picker.accept; // only then phones offer photos first
});

// Several photos go in together, each shrunk, one after the other: decoded, each takes 50 megabytes and more.
async function sendSeveral(chosen) {
  const { most } = props.texts;
  const files = chosen.slice(0, Math.max(0, most - listed()));
  const left = chosen.length - files.length;
  const carried = new DataTransfer();
  let wrong = left ? "error.many" : "";
  for (const [done, original] of files.entries()) {
    tell("several.preparing", { done, all: files.length });
    const file = await shrink(original).catch(() => null);
    if (file && fits(file)) carried.items.add(file);
    else wrong = file ? "error.large" : "error.unread";
  }
  await reached(() => true);
  tell(wrong, { megabytes, most, left });
  if (!carried.files.length) return;
  const input = await whenThere("#photos input[type=file]");
  input.files = carried.files;
  const change = new Event("change", { bubbles: true });
  ours.add(change);
  const [rows, before] = [listed(), uploading.several];
  part = "several";
  input.dispatchEvent(change);
  // Until they are listed: what gradio is given before that would take their place.
  await waitUntil(() => uploading.several !== before);
  part = "one";
  if ((await uploading.several)?.ok) await waitUntil(() => listed() > rows);
}

const listed = () => document.querySelectorAll("#photos .file-preview tr").length;

async function waitUntil(happened) {
  for (let looks = 0; !happened() && looks < LOOKS; looks++) await pause(20);
}

// While photos are on their way to the server, gradio shows their progress in place of its input.
async function whenThere(selector) {
  for (;;) {
    const found = document.querySelector(selector);
    if (found) return found;
    await pause(50);
  }
}

let earlier = Promise.resolve(); // what was chosen before, and is still being sent

function intercept(event, files) {
  if (!files.length || ours.has(event)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const all = [...files]; // of a drop they are there only as long as the event
  if (all.length === 1 && document.body.dataset.part !== "several") return sendOne(all[0]);
  document.querySelector("#part label:last-child input").click();
  earlier = earlier.then(() => sendSeveral(all));
}

const capture = { capture: true };
document.addEventListener("dragover", (event) => event.preventDefault(), capture);
document.addEventListener("drop", (event) => intercept(event, event.dataTransfer.files), capture);
document.addEventListener("paste", (event) => intercept(event, event.clipboardData.files), capture);
document.addEventListener(
  "change",
  (event) => event.target.matches("input[type=file]") && intercept(event, event.target.files),
  capture,
);

// gradio says nothing of a camera that it may not use, or that is not there.
const NO_CAMERA = ["NotAllowedError", "NotFoundError", "NotReadableError"];
window.addEventListener("unhandledrejection", ({ reason }) => {
  const asked = document.querySelector("#photo video"); // or something else was not allowed
  if (asked && NO_CAMERA.includes(reason?.name)) tell("error.camera");
});
document.body.classList.toggle("no-camera", !navigator.mediaDevices);

// gradio takes every other key in the list of languages for a search, and hides those that are not called so.
const KEYS_OF_A_LIST = ["ArrowUp", "ArrowDown", "Home", "End", "Enter", "Escape", "Tab"];
// It names each choice otherwise, anew after each change, and arrow keys only go through those of one name.
document.addEventListener(
  "keydown",
  (event) => {
    if (event.target.closest?.("#language") && !KEYS_OF_A_LIST.includes(event.key)) event.stopPropagation();
    const choices = event.target.closest?.("fieldset")?.querySelectorAll("input[type=radio]") ?? [];
    for (const choice of choices) choice.name = choices[0].name; // of no other group: that would lose its choice
  },
  capture,
);

// What the page says in a language that is not in a gradio component.
function translate() {
  document.documentElement.lang = props.texts.code;
  for (const [group, key] of [["part", "part"], ["feedback", "feedback.ask"]])
    document.querySelector(`#${group} fieldset`)?.setAttribute("aria-label", props.texts[key]);
  tell(bannerKey, bannerValues);
}
translate();
watch("texts", translate);

// The language may have been changed while an answer was on its way.
const syncLanguage = () => setTimeout(() => {
  const answers = [...document.querySelectorAll("#verdict .card[lang], #joint .card[lang]")];
  if (answers.some(({ lang }) => lang !== props.texts.code)) document.querySelector("#again").click();
}, 50); // once gradio has put all that it received in place
watch("texts", syncLanguage);
watch("value", syncLanguage);
document.addEventListener("blightcheck:said", syncLanguage);

element.tabIndex = -1; // can have the focus
// The history keeps each answer with the photo it is about; said anew in another language it names none.
watch("value", () => {
  const { photo, verdict, earlier } = props.value;
  if (photo && OF_THE_SAME.includes(bannerKey)) tell("");
  // On a phone the answer is below the photo, out of sight.
  if (photo || verdict === "error" || earlier) element.scrollIntoView({ block: "nearest" });
  // The button that had the focus is gone; keys would begin at the page's top again.
  if (earlier || (photo && document.activeElement === document.body)) element.focus({ preventScroll: true });
  const picture = document.querySelector("#photo .image-frame img");
  if (photo && picture?.src.includes(photo)) {
    document.dispatchEvent(new CustomEvent("blightcheck:answered", { detail: { ...props.value, picture } }));
  }
});
