"""axe-core finds no serious fault in the page: in light and dark, empty and with answers, on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from driving import drop, several, visit
from playwright.sync_api import Page, expect
from seeing import LEAF


def check(page: Page) -> None:
    page.wait_for_function("document.getAnimations().length === 0")  # no colour halfway through fading in
    violations = Axe().run(page).response["violations"]
    grave = [v for v in violations if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in grave] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_and_use_the_page(browser, server, scheme):
    window = {"width": 390, "height": 844}
    with browser.new_context(viewport=window, color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        visit(page, server.url)
        check(page)
        drop(page, LEAF)
        expect(page.locator("#heat .layer")).to_be_visible()
        page.locator("#history summary").click()
        check(page)
        page.get_by_label("Several leaves").click()
        photos = several(("leaf.jpg", LEAF), ("leaf.jpg", b"no photo"))
        page.set_input_files("#photos input[type=file]", files=photos)
        expect(page.locator("#joint figure")).to_have_count(2)
        check(page)


def test_the_keyboard_alone_suffices(browser, server):
    with browser.new_context() as context:
        page = context.new_page()
        visit(page, server.url)
        page.get_by_label("Language").focus()
        expect(page.get_by_role("option", name="English")).to_be_visible()
        page.keyboard.type("Kis")  # which is no search
        expect(page.get_by_role("option", name="Kiswahili")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("option", name="English")).to_be_hidden()
        page.get_by_label("One leaf").focus()
        for _ in range(2):  # gradio names the choices anew after each change
            page.keyboard.press("ArrowRight")
            expect(page.locator("#photos")).to_be_visible()
            expect(page.locator("#photo")).to_be_hidden()
            page.keyboard.press("ArrowLeft")
            expect(page.locator("#photo")).to_be_visible()
        drop(page, LEAF)
        expect(page.locator("#heat .layer")).to_be_visible()
        page.keyboard.press("Tab")
        another = page.get_by_role("button", name="Check another photo")
        while not another.evaluate("(button) => button === document.activeElement"):
            page.keyboard.press("Tab")
        expect(another).not_to_have_css("outline-style", "none")


def test_on_paper_there_is_only_what_was_found(browser, server):
    with browser.new_context() as context:
        page = context.new_page()
        visit(page, server.url)
        drop(page, LEAF)
        expect(page.locator("#heat .layer")).to_be_visible()
        page.emulate_media(media="print")
        for hidden in ("#language", "#part", "#verdict .another", "#history", "footer"):
            expect(page.locator(hidden)).to_be_hidden()
        expect(page.locator("#verdict h2")).to_be_visible()
