"""Driving the page in a real Chromium: what a visitor does with hands."""

import base64
import contextlib
import io
import shutil
from collections.abc import Iterator

from PIL import Image
from playwright.sync_api import Browser, JSHandle, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # as root, in a container
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",  # a camera that shows a test picture
    "--use-fake-ui-for-media-stream",
)

# Runs in the page: a DataTransfer with one file in it, as a browser makes one of a dragged or copied file.
CARRY = """({data, name, type, padding}) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes, new Uint8Array(padding)], name, {type}));
    return carried;
}"""
PASTE = """(clipboardData) => document.body.dispatchEvent(
    new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}))"""


def find_chromium() -> str | None:
    """Return where Chromium is on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def open_browser(chromium: str) -> Iterator[Browser]:
    """Start Chromium."""
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


def jpeg(picture: Image.Image) -> bytes:
    """Return a picture as the bytes of a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=92)
    return file.getvalue()


def visit(page: Page, url: str) -> None:
    """Open the page and wait until it listens."""
    page.goto(url)
    expect(page.locator("#verdict .waiting")).to_be_visible()


def drop(page: Page, data: bytes, name: str = "leaf.jpg", mime: str = "image/jpeg", padding: int = 0) -> None:
    """Drag a file, with that many zeros behind its data, over the photo input and let it go."""
    carried = _carry(page, data, name, mime, padding)
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#photo .upload-container", event, {"dataTransfer": carried})


def paste(page: Page, data: bytes) -> None:
    """Paste a picture, as Ctrl+V does."""
    page.evaluate(PASTE, _carry(page, data, "image.png", "image/png", padding=0))


def pick(page: Page, data: bytes) -> None:
    """Choose a file in the file dialog."""
    file = {"name": "leaf.jpg", "mimeType": "image/jpeg", "buffer": data}
    page.set_input_files("#photo input[type=file]", files=[file])


def _carry(page: Page, data: bytes, name: str, mime: str, padding: int) -> JSHandle:
    file = {"data": base64.b64encode(data).decode(), "name": name, "type": mime, "padding": padding}
    return page.evaluate_handle(CARRY, file)
