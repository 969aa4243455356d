"""Pictures of the page, with drawn leaves in it.

python tests/browser/screenshot.py FOLDER

writes page-desktop.png, page-phone.png, page-dark.png, page-unsure.png, page-spanish.png, page-several.png
and page-several-phone.png into FOLDER. Shows the default model, or the one that MODEL_REPO names.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from conftest import serve
from drawing import draw, draw_portrait
from driving import drop, find_chromium, jpeg, open_browser, several, visit
from PIL import Image
from playwright.sync_api import Browser, expect

DESKTOP = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light", "locale": "en"}
PHONE = DESKTOP | {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LEAF, SCENE = draw_portrait(seed=3), draw("scenes", seed=500, size=400)
LEAVES = [*(draw_portrait(seed) for seed in range(3)), SCENE]
PICTURES = {  # file name -> the visitor's browser, and what is shown to the page
    "page-desktop.png": (DESKTOP, [LEAF]),
    "page-phone.png": (PHONE, [LEAF]),
    "page-dark.png": (DESKTOP | {"color_scheme": "dark"}, [LEAF]),
    "page-unsure.png": (DESKTOP, [SCENE]),
    "page-spanish.png": (PHONE | {"locale": "es-PE"}, [LEAF]),
    "page-several.png": (DESKTOP, LEAVES),
    "page-several-phone.png": (PHONE, LEAVES),
}


def take(browser: Browser, url: str, file: Path, visitor: dict, drawn: list[Image.Image]) -> None:
    """Show drawn pictures to the page and write what all of it looks like into a PNG file."""
    with browser.new_context(**visitor, reduced_motion="reduce") as context:
        page = context.new_page()
        visit(page, url)
        page.wait_for_function("(code) => document.documentElement.lang === code", arg=visitor["locale"][:2])
        if len(drawn) == 1:
            drop(page, jpeg(drawn[0]))
            expect(page.locator("#guidance h3").first).to_be_visible()
        else:
            page.get_by_label("Several leaves").click()
            photos = [(f"IMG_{2731 + i}.jpg", jpeg(picture)) for i, picture in enumerate(drawn)]
            page.set_input_files("#photos input[type=file]", files=several(*photos))
            expect(page.locator("#joint figure")).to_have_count(len(drawn))
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        page.screenshot(path=file, animations="disabled", full_page=True)


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
        for name, (visitor, drawn) in PICTURES.items():
            take(browser, server.url, folder / name, visitor, drawn)


if __name__ == "__main__":
    main()
