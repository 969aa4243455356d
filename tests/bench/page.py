"""How soon the page is there, and an answer after a photo is chosen, beside a bare gradio page; in Chromium.

python tests/bench/page.py [--rounds 7] [--model FOLDER]

Times are measured in the browser, each on a newly opened page with an empty cache: from asking for the page
until it takes photos, and from choosing a file until its answer is visible. Medians; bytes as they travelled,
at this first visit and at the next one.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx2
from conftest import free_port, serve
from drawing import photograph
from driving import find_chromium, open_browser
from playwright.sync_api import Browser, BrowserContext, Page

from model import bundle

PHOTOS = {"256 pixels": (256, 256), "12 megapixels": (4000, 3000)}
# A page with a photo and a label, as short as gradio makes it; the work behind it is nothing.
BARE = """
import sys
import gradio as gr
demo = gr.Interface(lambda photo: {"late": 0.9, "early": 0.1}, gr.Image(type="pil"), gr.Label(), live=True)
demo.launch(server_port=int(sys.argv[1]), quiet=True)
"""
PAGES = {  # where a file is chosen, what shows that this works, and what shows an answer
    "ours": ("#photo input[type=file]", "#verdict .waiting", "#verdict .card:not(.waiting)"),
    "bare gradio": ("input[type=file]", "input[type=file]", ".confidence-set"),
}
# Resolves with the milliseconds between the choice of a file and the first frame that shows an answer.
STOPWATCH = """(answer) => {
  window.measured = new Promise((done) => {
    let start;
    window.addEventListener("change", (event) => { start ??= event.timeStamp; }, { capture: true });
    const look = () => {
      const shown = document.querySelector(answer)?.checkVisibility();
      if (start && shown) done(performance.now() - start); else requestAnimationFrame(look);
    };
    look();
  });
}"""


@contextlib.contextmanager
def bare() -> Iterator[str]:
    """Start the bare page; yield its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", BARE, str(port)], env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(url).status_code == 200:
                    break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def opened(context: BrowserContext, url: str, ready: str) -> tuple[Page, float, float]:
    """Open the page; return it, the milliseconds this took, and the kilobytes that travelled."""
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    travelled = []
    network.on("Network.loadingFinished", lambda event: travelled.append(event["encodedDataLength"] / 1000))
    page.goto(url, wait_until="commit")
    page.wait_for_selector(ready, state="attached")
    took = page.evaluate("performance.now()")
    page.wait_for_timeout(500)  # whatever the page still loads belongs to it
    return page, took, sum(travelled)


def visit(browser: Browser, url: str, page_kind: str, size: str, photo: bytes) -> dict[str, float]:
    """Open the page for the first time, choose a photo, and open it again; return what was measured."""
    field, ready, answer = PAGES[page_kind]
    with browser.new_context() as context:
        page, took, kilobytes = opened(context, url, ready)
        page.evaluate(STOPWATCH, answer)
        page.set_input_files(field, {"name": "leaf.jpg", "mimeType": "image/jpeg", "buffer": photo})
        answered = page.evaluate("window.measured")
        _, _, again = opened(context, url, ready)
    return {
        "page open, ms": took,
        "page, kilobytes": kilobytes,
        "page again, kilobytes": again,
        f"{size} answered, ms": answered,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        sys.exit("page.py: Chromium is not on this machine")
    photos = {name: photograph(*size) for name, size in PHOTOS.items()}
    measured: dict[str, dict[str, list[float]]] = {}
    with serve(MODEL_REPO=options.model) as server, bare() as bare_url, open_browser(chromium) as browser:
        urls = {"ours": server.url, "bare gradio": bare_url}
        for turn in range(options.rounds + 1):  # the first one warms up
            for kind, url in urls.items():
                for name, photo in photos.items():
                    for figure, value in visit(browser, url, kind, name, photo).items():
                        if turn:
                            measured.setdefault(kind, {}).setdefault(figure, []).append(value)
    for figure in measured["ours"]:
        cells = [f"{kind} {statistics.median(measured[kind][figure]):7.0f}" for kind in urls]
        print(f"{figure:28} " + "   ".join(cells))


if __name__ == "__main__":
    main()
