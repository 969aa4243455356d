"""Pictures of the page, with drawn leaves in it.

python tests/browser/screenshot.py FOLDER

writes page-desktop.png, page-phone.png, page-dark.png and page-unsure.png into FOLDER. Shows the default
model, or the one that MODEL_REPO names.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from conftest import serve
from drawing import draw, draw_portrait
from driving import drop, find_chromium, jpeg, open_browser, visit
from PIL import Image
from playwright.sync_api import Browser, expect

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
LEAF, SCENE = draw_portrait(seed=3), draw("scenes", seed=500, size=400)
PICTURES = {  # file name -> the window, light or dark, and what is dropped
    "page-desktop.png": (DESKTOP, "light", LEAF),
    "page-phone.png": (PHONE, "light", LEAF),
    "page-dark.png": (DESKTOP, "dark", LEAF),
    "page-unsure.png": (DESKTOP, "light", SCENE),
}


def take(browser: Browser, url: str, file: Path, window: dict, scheme: str, drawn: Image.Image) -> None:
    """Drop a drawn picture onto the page and write what it looks like into a PNG file."""
    with browser.new_context(viewport=window, color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        visit(page, url)
        drop(page, jpeg(drawn))
        expect(page.locator("#probabilities .confidence-set").first).to_be_visible()
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        page.screenshot(path=file, animations="disabled")


def main() -> None:
    """Start the app and take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write the pictures")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    chromium = find_chromium()
    if chromium is None:
        sys.exit("screenshot.py: Chromium is not on this machine")
    with serve() as server, open_browser(chromium) as browser:
        for name, (window, scheme, drawn) in PICTURES.items():
            take(browser, server.url, folder / name, window, scheme, drawn)


if __name__ == "__main__":
    main()
