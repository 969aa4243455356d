"""The page's part for several leaves, in a real Chromium."""

import base64
import csv
import io
import re

import httpx2
from drawing import draw
from driving import ask_for_french, choose_french, drop, drop_together, hold, jpeg, paste, several
from playwright.sync_api import Page, expect
from seeing import LEAF, OTHER_LEAF, SCENE, check_answer


def linked(page: Page, title: str) -> str:
    """Return what a download link of the page holds."""
    url = page.get_by_role("link", name=title).get_attribute("href")
    return base64.b64decode(url.split(",")[1]).decode("utf-8-sig")


def test_several_photos_are_answered_each_and_together(page, server):
    page.get_by_label("Several leaves").click()
    expect(page.locator("#photo")).to_be_hidden()
    leaves = [(f"{i}.jpg", jpeg(draw("Potato___Late_blight", 910 + i))) for i in range(3)]
    photos = [*leaves, ("<b>${document.title='run'}.jpg", b"Dear diary"), ("scene.jpg", SCENE)]
    page.set_input_files("#photos input[type=file]", files=several(*photos))
    figures = page.locator("#joint figure")
    expect(figures).to_have_count(5)
    files = [("files", photo) for photo in photos]
    rest = httpx2.post(f"{server.url}/predict/batch", files=files, timeout=60).json()
    expect(page.locator("#joint h2")).to_have_text(rest["summary"]["together"]["class"])
    for figure, result in zip(figures.all(), rest["results"], strict=True):
        expect(figure).to_contain_text(result.get("class") or result["error"])
        expect(figure).to_contain_text(result["file"])
    rows = list(csv.DictReader(io.StringIO(linked(page, "Table (CSV)"))))
    assert [row["photo"] for row in rows] == [name for name, _ in photos]
    assert [row["class"] for row in rows] == [result.get("class", "") for result in rest["results"]]
    report = linked(page, "Report to print")
    assert report.count("<figure>") == 5
    assert re.search(r"Made with Blightcheck on \d{4}-\d\d-\d\d \(UTC\)\.", report)
    assert "&lt;b&gt;${document.title=&#x27;run&#x27;}.jpg" in report
    assert page.title() == "Blightcheck"
    assert not re.search(r"(src|href|url)\W{1,3}http", report)  # it names its sources, and loads nothing
    page.get_by_label("One leaf").click()
    drop(page, LEAF)
    check_answer(page, server.predict(LEAF).json())


def test_what_is_chosen_in_a_row_is_all_answered(page):
    page.get_by_label("Several leaves").click()
    page.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF), ("b.jpg", SCENE)))
    paste(page, OTHER_LEAF)  # the input is taken away while photos are sent
    paste(page, LEAF)
    names = page.locator("#joint figure small")
    expect(names).to_have_text(["a.jpg", "b.jpg", "image.png", "image.png"])


def test_photos_are_added_one_by_one_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_label("Several leaves").click()
    add = page.get_by_role("button", name="Add photos")
    expect(add).to_be_hidden()
    page.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF)))
    expect(page.locator("#joint figure small")).to_have_text(["a.jpg"])
    with page.expect_file_chooser() as choosing:
        add.click()
    choosing.value.set_files(several(("b.jpg", OTHER_LEAF)))
    expect(page.locator("#joint figure small")).to_have_text(["a.jpg", "b.jpg"])


def test_several_are_answered_in_the_language_chosen_meanwhile(page):
    page.get_by_label("Several leaves").click()
    photos = several(*[(f"{i}.jpg", LEAF) for i in range(30)])
    page.set_input_files("#photos input[type=file]", files=photos)
    ask_for_french(page)
    expect(page.get_by_role("link", name="Tableau (CSV)")).to_be_visible()
    expect(page.locator("#joint h2")).to_have_text("Mildiou")


def test_an_answer_for_several_that_was_asked_in_the_language_of_before_is_said_anew(page):
    answer = hold(page, "**/run/predict*")
    page.get_by_label("Several leaves").click()
    page.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF)))
    answer()
    words = hold(page, "**/run/predict*")  # which are asked for once the photos are answered
    answer().continue_()
    words()
    choose_french(page)
    words().continue_()
    expect(page.get_by_role("link", name="Tableau (CSV)")).to_be_visible()
    expect(page.locator("#joint h2")).to_have_text("Mildiou")


def test_of_several_no_answer_stands_beside_photos_that_could_not_be_sent(refused):
    refused.get_by_label("Several leaves").click()
    refused.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF)))
    expect(refused.locator("#joint figure")).to_have_count(1)
    refused.route("**/run/predict*", lambda request: request.fulfill(status=400, json={"detail": "Gone."}))
    refused.set_input_files("#photos input[type=file]", files=several(("b.jpg", OTHER_LEAF)))
    expect(refused.locator("#joint .card.error p")).to_have_text(
        "The photos did not arrive, or the server, which keeps them for two hours at most, has them no "
        "longer; please remove and choose them again."
    )
    expect(refused.locator("#joint figure, #joint .another")).to_have_count(0)


def test_files_none_of_which_could_be_read_stay_listed_in_another_language(page):
    page.get_by_label("Several leaves").click()
    page.set_input_files("#photos input[type=file]", files=several(("a.jpg", b"no photo")))
    expect(page.locator("#joint .card.error p").first).to_have_text("Files that could be read: none of 1.")
    choose_french(page)
    expect(page.locator("#joint .card.error p").first).to_have_text("Fichiers lisibles : aucun sur 1.")
    expect(page.locator("#joint figure small")).to_have_text(["a.jpg"])


def test_of_several_a_lost_call_is_made_again(refused):
    refused.get_by_label("Several leaves").click()
    refused.route("**/run/predict*", lambda request: request.abort(), times=1)
    refused.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF), ("b.jpg", OTHER_LEAF)))
    expect(refused.locator("#joint figure small")).to_have_text(["a.jpg", "b.jpg"])
    expect(refused.locator("#offline")).to_be_empty()


def test_of_several_one_that_is_too_large_is_told_and_the_others_are_answered(page):
    page.get_by_label("Several leaves").click()
    huge = ("huge.jpg", LEAF + bytes(20_000_001))
    page.set_input_files("#photos input[type=file]", files=several(huge, ("b.jpg", LEAF)))
    expect(page.get_by_role("alert")).to_have_text(
        "The photo has more than 20 MB; please send a smaller one."
    )
    expect(page.locator("#joint figure small")).to_have_text(["b.jpg"])


def test_several_dropped_on_one_leaf_are_answered_as_several(page):
    drop_together(page, [LEAF, OTHER_LEAF])
    expect(page.locator("#joint figure")).to_have_count(2)
    expect(page.locator("#joint .card p").nth(1)).to_contain_text("leaves show: Late blight")
    expect(page.locator("#several")).to_contain_text("Check with your own eyes")


def test_photos_beyond_those_that_are_answered_at_once_are_not_sent(page):
    page.get_by_label("Several leaves").click()
    photos = several(*[(f"{i}.jpg", LEAF) for i in range(34)])
    page.set_input_files("#photos input[type=file]", files=photos)
    left = "At most 32 photos at once; left out: the last {}. Please clear the list, then choose those."
    expect(page.locator("#joint figure")).to_have_count(32)
    expect(page.get_by_role("alert")).to_have_text(left.format(2))
    expect(page.locator("#joint .diagnosis h2")).to_have_text("Late blight")
    page.set_input_files("#photos input[type=file]", files=photos[:1])
    expect(page.get_by_role("alert")).to_have_text(left.format(1))
    expect(page.locator("#photos .file-preview tr")).to_have_count(32)
