"""Driving the page in a real Chromium: what a visitor does with hands."""

import base64
import contextlib
import io
import shutil
from collections.abc import Callable, Iterator

from PIL import Image
from playwright.sync_api import Browser, JSHandle, Page, Route, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # as root, in a container
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",  # a camera that shows a test picture
    "--use-fake-ui-for-media-stream",
)

# Runs in the page: a DataTransfer with files in it, as a browser makes one of dragged or copied files.
CARRY = """(files) => {
    const carried = new DataTransfer();
    for (const {data, name, type, padding} of files) {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        carried.items.add(new File([bytes, new Uint8Array(padding)], name, {type}));
    }
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
    """Open the page and wait until it listens, and its first call, which asks for its language, is answered.

    gradio names every call alike: a test that loses the next one means one of its own.
    """
    with page.expect_response("**/run/predict*"):
        page.goto(url)
    expect(page.locator("#verdict .waiting")).to_be_visible()


def intercept(page: Page) -> None:
    """Let routes of this page come and go.

    Chromium loses what is asked for while the last one goes (github.com/microsoft/playwright/issues/41802).
    """
    page.route("**/never", lambda route: route.continue_())


def hold(page: Page, address: str) -> Callable[[], Route]:
    """Hold the next request to an address back; return a function that waits for it and returns it."""
    held = []
    intercept(page)
    page.route(address, lambda route: held.extend([route]), times=1)

    def came() -> Route:
        while not held:
            page.wait_for_timeout(50)
        return held[0]

    return came


def drop(page: Page, data: bytes, name: str = "leaf.jpg", mime: str = "image/jpeg", padding: int = 0) -> None:
    """Drag a file, with that many zeros behind its data, over the photo input and let it go."""
    _drop(page, _carry(page, [data], name, mime, padding))


def drop_together(page: Page, photos: list[bytes]) -> None:
    """Drag several photos over the photo input and let them go."""
    _drop(page, _carry(page, photos, "leaf.jpg", "image/jpeg", padding=0))


def _drop(page: Page, carried: JSHandle) -> None:
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#photo .upload-container", event, {"dataTransfer": carried})


def paste(page: Page, data: bytes) -> None:
    """Paste a picture, as Ctrl+V does."""
    page.evaluate(PASTE, _carry(page, [data], "image.png", "image/png", padding=0))


def pick(page: Page, data: bytes) -> None:
    """Choose a file in the file dialog."""
    page.set_input_files("#photo input[type=file]", files=several(("leaf.jpg", data)))


def _carry(page: Page, photos: list[bytes], name: str, mime: str, padding: int) -> JSHandle:
    files = [
        {"data": base64.b64encode(data).decode(), "name": name, "type": mime, "padding": padding}
        for data in photos
    ]
    return page.evaluate_handle(CARRY, files)


def several(*photos: tuple[str, bytes]) -> list[dict]:
    """Return named photos as a file dialog gives them."""
    return [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in photos]


def ask_for_french(page: Page) -> None:
    """Choose French from the list of languages."""
    page.get_by_label("Language").click()
    page.get_by_role("option", name="Français").click()


def choose_french(page: Page) -> None:
    """Choose French, and wait until the page speaks it."""
    ask_for_french(page)
    expect(page.locator("#introduction")).to_contain_text("une feuille")
