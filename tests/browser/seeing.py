"""What a visitor sees of the page in a real Chromium: the page, opened, and its answers, checked."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from drawing import draw
from driving import intercept, jpeg, visit
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

LEAF = jpeg(draw("Potato___Late_blight", 900))
OTHER_LEAF = jpeg(draw("Potato___healthy", 901))
SCENE = jpeg(draw("scenes", 902))
LOST = "The photo did not arrive, or the server is too busy; please send it again in a minute."
# gradio's own client says so whenever it closes a stream.
HARMLESS = "Method not implemented."


@contextlib.contextmanager
def watched(browser: Browser, url: str, **visitor: object) -> Iterator[Page]:
    """Open the page; fail if anything is complained of, or asked of another host."""
    complaints, hosts = [], set()

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and message.text != HARMLESS:
            complaints.append(message.text)

    context = browser.new_context(viewport={"width": 1280, "height": 800}, permissions=["camera"], **visitor)
    context.set_default_timeout(20_000)
    opened = context.new_page()
    opened.on("console", listen)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    try:
        visit(opened, url)
        yield opened
    finally:
        context.close()
    assert complaints == []
    assert hosts - {""} == {urlsplit(url).netloc}  # data: and blob: URLs have no host


@pytest.fixture
def page(browser, server) -> Iterator[Page]:
    """The page, freshly opened and watched."""
    with watched(browser, server.url) as opened:
        yield opened


@pytest.fixture
def refused(browser, server) -> Iterator[Page]:
    """The page, whose requests a test lets fail: of that the browser may complain."""
    with contextlib.closing(browser.new_page()) as opened:
        intercept(opened)
        visit(opened, server.url)
        yield opened


def check_answer(page: Page, rest: dict) -> None:
    """Check that the page shows what the REST API answered."""
    expect(page.locator(f"#verdict .{rest['verdict']} h2")).to_have_text(rest["class"])
    shown = {} if rest["verdict"] == "not_a_potato_leaf" else rest["probabilities"]
    expect(page.locator("#probabilities li")).to_have_count(len(shown))
    for label, probability in shown.items():
        row = page.locator("#probabilities li").filter(has_text=label)
        expect(row.locator("b")).to_have_text(f"{min(99, round(probability * 100)) or '<1'}%")
        expect(row).to_be_visible()


def check_sentence(page: Page, sentence: str) -> None:
    """Check that the card says so, and nothing else pops up."""
    expect(page.locator("#verdict .error p")).to_have_text(sentence)
    expect(page.locator("#probabilities")).to_be_hidden()
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
