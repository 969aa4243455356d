"""The page in a real Chromium: photos come in by every way, the answers are the REST API's, nothing leaks."""

import base64
import contextlib
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pillow_heif
import pytest
from conftest import Server
from drawing import draw, photograph
from driving import drop, drop_together, hold, intercept, jpeg, paste, pick, visit
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import ExifTags, Image
from playwright.sync_api import ConsoleMessage, Page, expect

from model import bundle, cnn, export

LEAF = jpeg(draw("Potato___Late_blight", 900))
OTHER_LEAF = jpeg(draw("Potato___healthy", 901))
SCENE = jpeg(draw("scenes", 902))
UNREADABLE = "This is not a picture we can read; please send one of JPEG, PNG, WebP, GIF, BMP, AVIF, HEIC."
LOST = "The photo did not arrive, or the server is too busy; please send it again in a minute."
# gradio's own client says so whenever it closes a stream.
HARMLESS = "Method not implemented."


@pytest.fixture
def page(browser, server) -> Iterator[Page]:
    """The page, freshly opened. Fails the test if anything was complained of, or asked of another host."""
    complaints, hosts = [], set()

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and message.text != HARMLESS:
            complaints.append(message.text)

    context = browser.new_context(viewport={"width": 1280, "height": 800}, permissions=["camera"])
    context.set_default_timeout(20_000)
    opened = context.new_page()
    opened.on("console", listen)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    visit(opened, server.url)
    yield opened
    context.close()
    assert complaints == []
    assert hosts - {""} == {urlsplit(server.url).netloc}  # data: and blob: URLs have no host


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


@pytest.mark.parametrize("send", [drop, pick])
def test_a_file_is_answered_as_the_rest_api_answers_it(page, server, send):
    send(page, LEAF)
    check_answer(page, server.predict(LEAF).json())
    expect(page.locator("#heat .layer")).to_be_visible()


def test_the_slider_goes_from_the_photo_to_the_heat(page, server):
    drop(page, LEAF)
    layer, slider = page.locator("#heat .layer"), page.get_by_role("slider", name=re.compile("Photo.*Heat"))
    expect(layer).to_have_css("opacity", "1")
    expect(page.locator("#heat .photo")).to_have_attribute("src", re.compile("/file="))  # the visitor's own
    slider.fill("0")
    expect(layer).to_have_css("opacity", "0")
    slider.press("ArrowRight")
    expect(layer).to_have_css("opacity", "0.01")
    drop(page, OTHER_LEAF)
    check_answer(page, server.predict(OTHER_LEAF).json())
    expect(layer).to_have_css("opacity", "1")


def test_a_phone_s_photo_is_shrunk_before_it_travels_and_answered_upright(page, server):
    photo = photograph(4000, 3000, orientation=6)
    assert len(photo) > 2_000_000
    with page.expect_request(lambda request: "/upload" in request.url) as sent:
        pick(page, photo)
    rest = server.predict(photo).json()
    expect(page.locator(f"#verdict .{rest['verdict']} h2")).to_have_text(rest["class"])
    assert int(sent.value.all_headers()["content-length"]) < 400_000
    shown = page.locator("#photo .image-frame img")
    expect(shown).to_have_js_property("naturalWidth", 768)
    expect(shown).to_have_js_property("naturalHeight", 1024)


def test_an_iphone_s_photo_is_answered_though_the_browser_can_t_read_it(page, server):
    file = io.BytesIO()
    pillow_heif.from_pillow(draw("Potato___Late_blight", 904)).save(file)
    drop(page, file.getvalue(), name="IMG_0001.HEIC", mime="")
    check_answer(page, server.predict(file.getvalue()).json())
    expect(page.locator("#heat .photo")).not_to_have_js_property("naturalWidth", 0)  # the server's small one


def test_a_pasted_picture_is_answered(page, server):
    file = io.BytesIO()
    draw("Potato___Early_blight", 903).save(file, "PNG")
    paste(page, file.getvalue())
    check_answer(page, server.predict(file.getvalue()).json())


def test_the_camera_s_picture_is_answered(page):
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#photo video').videoWidth > 0")
    page.get_by_label("capture photo").click()
    expect(page.locator("#probabilities li, #verdict .not_a_potato_leaf").first).to_be_visible()


def test_on_a_phone_a_button_opens_the_phone_s_own_camera(browser, server):
    with contextlib.closing(browser.new_page(has_touch=True, is_mobile=True)) as phone:
        visit(phone, server.url)
        expect(phone.get_by_label("Capture from camera")).to_be_hidden()
        with phone.expect_file_chooser() as camera:
            phone.get_by_role("button", name="Take a photo", exact=True).tap()
        assert camera.value.element.get_attribute("capture") == "environment"
        camera.value.set_files({"name": "leaf.jpg", "mimeType": "image/jpeg", "buffer": LEAF})
        check_answer(phone, server.predict(LEAF).json())


def test_where_a_photo_could_not_be_answered_another_one_can_be_chosen(page, server):
    drop(page, b"Dear diary, no photo today.")
    check_sentence(page, UNREADABLE)
    for photo in (LEAF, OTHER_LEAF):
        with page.expect_file_chooser() as dialog:
            page.get_by_role("button", name="Check another photo").press("Enter")
        dialog.value.set_files({"name": "leaf.jpg", "mimeType": "image/jpeg", "buffer": photo})
        check_answer(page, server.predict(photo).json())


def test_a_file_that_the_browser_may_not_read_is_told_and_the_others_are_answered(refused, server):
    drop(refused, LEAF)
    check_answer(refused, server.predict(LEAF).json())
    # As of a folder, or a file that has changed since it was chosen.
    refused.evaluate(
        """() => { File.prototype.arrayBuffer =
            async () => { throw new DOMException("", "NotReadableError"); }; }"""
    )
    drop(refused, b"a folder")
    expect(refused.locator("#offline")).to_have_text("The file can't be read; please choose it again.")
    check_answer(refused, server.predict(LEAF).json())
    large = photograph(1200, 1200)  # which is drawn anew, smaller
    refused.get_by_label("Several leaves").click()
    files = several(("folder.jpg", b"a folder"), ("leaf.jpg", large))
    refused.set_input_files("#photos input[type=file]", files=files)
    expect(refused.locator("#joint figure small")).to_have_text(["leaf.jpg"])
    expect(refused.locator("#offline")).to_have_text("The file can't be read; please choose it again.")


def test_a_camera_that_may_not_be_used_is_told(refused):
    refused.evaluate(
        """() => { navigator.mediaDevices.getUserMedia =
            async () => { throw new DOMException("", "NotAllowedError"); }; }"""
    )
    refused.get_by_label("Capture from camera").click()
    refused.get_by_text("Click to Access Webcam").click()
    expect(refused.get_by_role("alert")).to_contain_text("The camera can't be used: allow it in the browser")


def test_on_a_small_phone_the_answer_comes_into_view(page):
    page.set_viewport_size({"width": 360, "height": 640})
    drop(page, LEAF)
    expect(page.locator("#verdict .diagnosis h2")).to_be_in_viewport()
    page.get_by_label("Several leaves").click()
    page.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF), ("b.jpg", LEAF)))
    expect(page.locator("#joint .diagnosis h2")).to_be_in_viewport()


def test_keys_go_on_where_they_were_when_something_is_cleared(page):
    drop(page, LEAF)
    expect(page.locator("#history summary")).to_be_visible()
    page.get_by_label("Remove Image").press("Enter")
    expect(page.get_by_label("Drop an image file here")).to_be_focused()
    page.locator("#history summary").click()
    page.once("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Clear").press("Enter")
    expect(page.get_by_label("One leaf")).to_be_focused()


def test_a_scene_is_answered_with_advice(page, server):
    rest = server.predict(SCENE).json()
    assert rest["verdict"] in ("not_a_potato_leaf", "unsure")
    drop(page, SCENE)
    check_answer(page, rest)
    expect(page.locator("#guidance")).to_contain_text("How to take a better photo")


def test_a_second_photo_replaces_the_first_and_clearing_starts_anew(page, server):
    drop(page, LEAF)
    check_answer(page, server.predict(LEAF).json())
    drop(page, OTHER_LEAF)
    check_answer(page, server.predict(OTHER_LEAF).json())
    page.get_by_label("Remove Image").click()
    expect(page.locator("#verdict .waiting")).to_be_visible()
    expect(page.locator("#probabilities")).to_be_hidden()
    pick(page, LEAF)
    check_answer(page, server.predict(LEAF).json())


def test_an_unreadable_file_is_explained_and_the_next_photo_works(page, server):
    drop(page, b"Dear diary, no photo today.")
    check_sentence(page, UNREADABLE)
    drop(page, LEAF[: len(LEAF) // 2])
    check_sentence(page, "The picture is damaged and can't be read; please send the original file.")
    drop(page, LEAF)
    check_answer(page, server.predict(LEAF).json())


def test_one_that_is_too_large_is_told_in_every_language_and_the_answer_before_stays(page, server):
    drop(page, LEAF)
    check_answer(page, server.predict(LEAF).json())
    drop(page, LEAF, padding=20_000_000)
    alert = page.get_by_role("alert")
    expect(alert).to_have_text("The photo has more than 20 MB; please send a smaller one.")
    check_answer(page, server.predict(LEAF).json())
    page.get_by_label("Language").click()
    page.get_by_role("option", name="Español").click()
    expect(alert).to_have_text("La foto pesa más de 20 MB; envíe una más pequeña.")
    expect(page.locator("#verdict h2")).to_have_text("Tizón tardío")
    drop(page, OTHER_LEAF)
    expect(page.locator("#verdict h2")).to_have_text("Sana")
    expect(alert).to_be_hidden()


def test_no_answer_stands_beside_a_photo_that_could_not_be_sent(refused, server):
    drop(refused, LEAF)
    check_answer(refused, server.predict(LEAF).json())
    refused.route("**/run/predict*", lambda request: request.fulfill(status=500, json={"detail": "No."}))
    drop(refused, OTHER_LEAF)
    check_sentence(refused, LOST)
    overlay = refused.locator("#verdict [data-testid=status-tracker] .error")
    expect(overlay).to_have_count(1)
    expect(overlay).to_be_hidden()  # gradio's word would stand over ours
    refused.unroute("**/run/predict*")
    drop(refused, OTHER_LEAF)
    check_answer(refused, server.predict(OTHER_LEAF).json())


def test_a_file_s_name_and_type_do_not_matter(page):
    drop(page, b"text", name="<img src=x onerror=document.title='run'>.txt", mime="text/plain")
    check_sentence(page, UNREADABLE)
    assert page.title() == "Blightcheck"
    assert "onerror" not in page.locator("#verdict").inner_text()


def test_earlier_checks_are_kept_in_this_browser_until_cleared(page, server):
    expect(page.locator("#history details")).to_have_count(0)
    figures = page.locator("#history figure")
    for count, photo in enumerate((LEAF, OTHER_LEAF), 1):
        drop(page, photo)
        check_answer(page, server.predict(photo).json())
        expect(figures).to_have_count(count)
        if count == 1:
            page.locator("#history summary").click()
        expect(figures.first).to_be_visible()  # what was opened stays open
    page.get_by_label("Language").click()
    page.get_by_role("option", name="Français").click()
    expect(page.locator("#history summary")).to_have_text("Vos vérifications précédentes")
    expect(figures).to_have_count(2)
    expect(figures.first).to_contain_text("Saine")
    expect(figures.first).to_be_visible()
    page.reload()
    page.locator("#history summary").click()
    expect(figures.first).to_contain_text("Saine")  # the language stays as well
    expect(figures.last).to_contain_text("Mildiou")
    expect(figures.last.locator("img")).to_have_js_property("naturalWidth", 96)
    page.locator("#history .clear").click()  # asks first, and is told no
    expect(figures).to_have_count(2)
    page.once("dialog", lambda asked: asked.accept())
    page.locator("#history .clear").click()
    expect(page.locator("#history details")).to_have_count(0)
    for _ in range(2):  # the same one is kept again, and only once
        drop(page, LEAF)
        check_answer(page, server.predict(LEAF).json())
        expect(figures).to_have_count(1)
    page.once("dialog", lambda asked: asked.accept())
    page.locator("#history .clear").click()
    page.reload()
    expect(page.locator("#verdict .waiting")).to_be_visible()
    expect(page.locator("#history details")).to_have_count(0)


def test_an_earlier_check_is_opened_again_with_what_to_do_and_without_its_photo(page, server):
    for photo in (LEAF, OTHER_LEAF):
        drop(page, photo)
        check_answer(page, server.predict(photo).json())
    page.get_by_label("Several leaves").click()
    page.locator("#history summary").click()
    with page.expect_request("**/run/predict*") as told:
        page.locator("#history figure button").last.click()
    assert "data:image" not in told.value.post_data
    check_answer(page, server.predict(LEAF).json())
    expect(page.locator("#verdict .earlier")).to_contain_text(re.compile(r"^Earlier check, .*\d"))
    expect(page.locator("#guidance")).to_contain_text("What to do now")
    expect(page.locator("#heat")).to_be_hidden()
    expect(page.locator("#photo .image-frame img")).to_have_count(0)
    expect(page.locator("#history figure")).to_have_count(2)
    page.get_by_label("Language").click()
    page.get_by_role("option", name="Français").click()
    expect(page.locator("#verdict h2")).to_have_text("Mildiou")
    expect(page.locator("#verdict .earlier")).to_contain_text(re.compile(r"^Vérification du .*\d"))
    drop(page, OTHER_LEAF)
    expect(page.locator("#verdict h2")).to_have_text("Saine")
    expect(page.locator("#verdict .earlier")).to_have_count(0)


def several(*photos: tuple[str, bytes]) -> list[dict]:
    return [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in photos]


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
    page.get_by_label("Language").click()
    page.get_by_role("option", name="Français").click()
    expect(page.get_by_role("link", name="Tableau (CSV)")).to_be_visible()
    expect(page.locator("#joint h2")).to_have_text("Mildiou")


def ask_for_french(page: Page) -> None:
    page.get_by_label("Language").click()
    page.get_by_role("option", name="Français").click()


def choose_french(page: Page) -> None:
    ask_for_french(page)
    expect(page.locator("#introduction")).to_contain_text("une feuille")


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


def test_an_answer_comes_in_the_language_chosen_meanwhile(page):
    waiting = hold(page, "**/run/predict*")
    drop(page, LEAF)
    expect(page.locator("#verdict h2")).to_have_text("The model is looking…")
    waiting()
    choose_french(page)
    expect(page.locator("#verdict h2")).to_have_text("The model is looking…")
    waiting().continue_()
    expect(page.locator("#verdict .diagnosis h2")).to_have_text("Mildiou")
    expect(page.locator("#probabilities")).to_contain_text("Alternariose")
    expect(page.locator("#history figure")).to_have_count(1)


def test_in_another_language_an_error_stays_one_and_no_earlier_answer_comes_back(refused):
    refused.route("**/run/predict*", lambda request: request.fulfill(status=500), times=1)
    drop(refused, LEAF)
    check_sentence(refused, LOST)
    refused.get_by_label("Several leaves").click()
    refused.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF)))
    expect(refused.locator("#joint figure")).to_have_count(1)
    refused.route("**/run/predict*", lambda request: request.fulfill(status=500), times=1)
    refused.set_input_files("#photos input[type=file]", files=several(("b.jpg", OTHER_LEAF)))
    expect(refused.locator("#joint .card.error")).to_be_visible()
    choose_french(refused)
    expect(refused.locator("#joint .card.error p")).to_contain_text("photo")
    expect(refused.locator("#joint figure")).to_have_count(0)
    refused.get_by_label("Une feuille").click()
    expect(refused.locator("#verdict .card.error")).to_be_visible()


def test_the_photo_chosen_last_is_answered_even_if_the_one_before_takes_longer(page, server):
    waiting = hold(page, "**/run/predict*")
    paste(page, LEAF)
    waiting()
    paste(page, OTHER_LEAF)
    page.wait_for_timeout(500)
    waiting().continue_()
    check_answer(page, server.predict(OTHER_LEAF).json())
    expect(page.locator("#history figure")).to_have_count(1)


def test_a_photo_whose_upload_hangs_makes_room_for_the_next_one(refused, server):
    hangs = hold(refused, "**/upload?*")
    paste(refused, LEAF)
    hangs()
    paste(refused, OTHER_LEAF)
    check_answer(refused, server.predict(OTHER_LEAF).json())
    expect(refused.locator("#history figure")).to_have_count(1)
    expect(refused.locator("#offline")).to_be_empty()


def test_an_earlier_check_that_is_opened_before_an_answer_has_come_stays(page, server):
    drop(page, OTHER_LEAF)
    check_answer(page, server.predict(OTHER_LEAF).json())
    visit(page, server.url)
    page.locator("#history summary").click()
    waiting = hold(page, "**/run/predict*")
    drop(page, LEAF)
    waiting()
    page.locator("#history figure button").click()
    waiting().continue_()
    expect(page.locator("#verdict .earlier")).to_be_visible()
    check_answer(page, server.predict(OTHER_LEAF).json())
    expect(page.locator("#history figure")).to_have_count(2)


def test_what_is_said_of_a_photo_is_not_lost_when_the_one_before_is_answered(page, server):
    waiting = hold(page, "**/run/predict*")
    drop(page, LEAF)
    waiting()
    drop(page, OTHER_LEAF, padding=20_000_000)
    expect(page.get_by_role("alert")).to_contain_text("more than 20 MB")
    waiting().continue_()
    check_answer(page, server.predict(LEAF).json())
    expect(page.get_by_role("alert")).to_contain_text("more than 20 MB")


def test_a_photo_that_waits_is_called_off_by_clearing(refused, server):
    drop(refused, LEAF)
    check_answer(refused, server.predict(LEAF).json())
    refused.route("**/ping", lambda request: request.abort())
    drop(refused, OTHER_LEAF)
    expect(refused.locator("#offline")).to_contain_text("can't be reached")
    refused.mouse.wheel(0, 10_000)
    expect(refused.locator("#offline")).to_be_in_viewport()
    refused.get_by_role("button", name="Remove Image").click()
    refused.unroute("**/ping")
    expect(refused.locator("#offline")).to_be_empty()
    drop(refused, SCENE)
    check_answer(refused, server.predict(SCENE).json())
    expect(refused.locator("#history figure")).to_have_count(2)


def test_what_is_asked_while_the_connection_is_lost_is_answered_afterwards(refused, server):
    drop(refused, LEAF)
    check_answer(refused, server.predict(LEAF).json())
    refused.context.set_offline(True)
    ask_for_french(refused)
    expect(refused.locator("#offline")).to_contain_text("can't be reached")
    refused.context.set_offline(False)
    expect(refused.locator("#offline")).to_be_empty()
    expect(refused.locator("#introduction")).to_contain_text("une feuille")
    paste(refused, OTHER_LEAF)
    expect(refused.locator("#history figure")).to_have_count(2)


def test_beside_a_call_whose_connection_died_another_one_is_made(refused, server):
    died = hold(refused, "**/run/predict*")
    refused.clock.install()
    drop(refused, LEAF)
    died()
    died_too = hold(refused, "**/run/predict*")
    refused.clock.fast_forward(14_000)
    expect(refused.locator("#offline")).to_be_empty()
    refused.clock.fast_forward(1_000)
    died_too()
    expect(refused.locator("#offline")).to_have_text("The connection is slow; still trying.")
    refused.clock.fast_forward(30_000)
    check_answer(refused, server.predict(LEAF).json())
    expect(refused.locator("#offline")).to_be_empty()


def test_an_upload_that_takes_long_is_told_and_goes_on(refused, server):
    waiting = hold(refused, "**/upload?*")
    refused.clock.install()
    drop(refused, LEAF)
    waiting()
    refused.clock.fast_forward(15_000)
    expect(refused.locator("#offline")).to_have_text("The connection is slow; still trying.")
    waiting().continue_()
    check_answer(refused, server.predict(LEAF).json())
    expect(refused.locator("#offline")).to_be_empty()


def refuse(page: Page, call: str, status: int) -> None:
    """Have the server refuse the next call, as if it were too busy for half a minute."""
    busy = {"status": status, "headers": {"Retry-After": "30"}, "json": {"detail": "Too many."}}
    page.route(f"**/{call}*", lambda request: request.fulfill(**busy), times=1)


def test_a_photo_that_a_busy_server_refuses_is_sent_again_after_the_time_it_named(refused, server):
    refused.clock.install()
    for photo, call, status in (
        (LEAF, "run/predict", 502),
        (OTHER_LEAF, "upload?", 429),
        (LEAF, "upload?", 503),
    ):
        refuse(refused, call, status)
        drop(refused, photo)
        expect(refused.locator("#offline")).to_contain_text("can't be reached")
        refused.clock.fast_forward(20_000)
        with refused.expect_request(f"**/{call}*"):  # and not before
            refused.clock.fast_forward(10_000)
        check_answer(refused, server.predict(photo).json())
        expect(refused.locator("#offline")).to_be_empty()


def test_of_several_none_is_lost_while_the_server_is_busy_whatever_becomes_of_one_leaf(refused):
    drop(refused, LEAF)
    expect(refused.locator("#history figure")).to_have_count(1)
    refused.get_by_label("Several leaves").click()
    refused.clock.install()
    refuse(refused, "upload?", 503)
    refused.set_input_files("#photos input[type=file]", files=several(("a.jpg", LEAF)))
    expect(refused.locator("#offline")).to_contain_text("can't be reached")
    refused.get_by_label("One leaf").click()
    refused.get_by_role("button", name="Remove Image").click()
    refused.get_by_label("Several leaves").click()
    with refused.expect_request("**/upload?*"):  # and not before
        refused.clock.fast_forward(30_000)
    expect(refused.locator("#joint figure small")).to_have_text(["a.jpg"])


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


def test_another_language_says_everything_anew(page, server):
    drop(page, LEAF)
    check_answer(page, server.predict(LEAF).json())
    page.get_by_label("Language").click()
    page.get_by_role("option", name="Español").click()
    expect(page.locator("#verdict h2")).to_have_text("Tizón tardío")
    expect(page.locator("#probabilities")).to_contain_text("Tizón temprano")
    expect(page.locator("#guidance")).to_contain_text("Cómo se propaga")
    expect(page.locator("#introduction")).to_contain_text("una hoja de papa")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    drop(page, LEAF[: len(LEAF) // 2])
    expect(page.locator("#verdict .error p")).to_have_text(
        "La imagen está dañada y no se puede leer; envíe el archivo original."
    )
    drop(page, OTHER_LEAF)
    expect(page.locator("#verdict .diagnosis h2")).to_have_text("Sana")


def test_a_link_or_the_browser_chooses_the_language(browser, server):
    with browser.new_context(locale="fr-FR") as context:
        french = context.new_page()
        french.goto(server.url)
        expect(french.locator("#verdict h2")).to_have_text("La réponse apparaît ici")
        french.goto(server.url + "/?lang=sw")
        expect(french.locator("#verdict h2")).to_have_text("Jibu litaonekana hapa")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_nothing_scrolls_sideways(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    drop(page, LEAF)
    expect(page.locator("#probabilities li").first).to_be_visible()
    assert page.evaluate(overflow) == 0


def test_the_gradio_client_gets_the_same_answer(server, tmp_path):
    photo = tmp_path / "leaf.jpg"
    photo.write_bytes(LEAF)
    client = Client(server.url, verbose=False)
    endpoints = client.view_api(return_format="dict")
    assert list(endpoints["named_endpoints"]) == ["/predict"]
    assert endpoints["unnamed_endpoints"] == {}
    answer = client.predict(photo=handle_file(photo), language="fr", api_name="/predict")
    rest = server.predict(LEAF).json()
    assert {key: answer[key] for key in rest if key != "model"} == {k: rest[k] for k in rest if k != "model"}
    assert answer["what_to_do"]["parts"][0]["title"] == "Vérifiez de vos propres yeux"
    photo.write_bytes(b"text")
    with pytest.raises(AppError, match=r"^Ce n'est pas une image que nous savons lire"):
        client.predict(photo=handle_file(photo), language="fr", api_name="/predict")


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_no_caller_reads_a_file_of_the_server(server, tmp_path, meta):
    photo = tmp_path / "leaf.jpg"
    photo.write_bytes(LEAF)
    asked = {"data": [{"path": str(photo)} | meta, "en"]}
    answer = httpx2.post(f"{server.url}/gradio_api/run/predict", json=asked, timeout=60)
    assert answer.status_code == 400


def test_while_the_server_is_away_a_photo_waits(browser, tiny, start):
    with browser.new_context() as context:
        opened = context.new_page()
        with start(MODEL_REPO=tiny) as first:
            visit(opened, first.url)
        drop(opened, LEAF)
        expect(opened.get_by_role("alert")).to_have_text(
            "The server is busy or can't be reached. This page goes on by itself as soon as it answers."
        )
        with start(MODEL_REPO=tiny, GRADIO_SERVER_PORT=urlsplit(first.url).port) as again:
            check_answer(opened, again.predict(LEAF).json())
            expect(opened.get_by_role("alert")).to_be_empty()
            expect(opened.get_by_test_id("toast-body")).to_have_count(0)
            opened.close()


@pytest.fixture(scope="module")
def asking(tiny, start, tmp_path_factory) -> Iterator[tuple[Server, Path]]:
    """A server that keeps feedback, and where."""
    folder = tmp_path_factory.mktemp("feedback")
    with start(MODEL_REPO=tiny, FEEDBACK_REPO=folder) as running:
        yield running, folder


def telling_photo() -> bytes:
    """A photo that is not square and names its place, small enough to travel as it is."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    file = io.BytesIO()
    draw("Potato___Late_blight", 911, size=256).resize((900, 600)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_feedback_is_kept_with_consent_only(browser, asking):
    server, folder = asking
    with browser.new_context() as context:
        opened = context.new_page()
        visit(opened, server.url)
        expect(opened.locator("#feedback")).to_be_hidden()
        drop(opened, telling_photo())
        opened.locator("#feedback").get_by_text("Healthy").click()
        opened.get_by_role("button", name="Send").click()
        expect(opened.locator("#reply")).to_have_text("Choose what it is and agree to keep it, then send.")
        assert list(folder.iterdir()) == []
        opened.get_by_label("Keep this photo").check()
        opened.get_by_role("button", name="Send").click()
        expect(opened.locator("#reply")).to_have_text("Thank you; it was kept.")
        kept = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.*"))
        assert [file.split("/")[0] for file in kept] == ["Potato___healthy"] * 2
        with Image.open(folder / kept[0]) as picture:
            assert picture.size == (512, 512)
            assert not picture.getexif()
        expect(opened.get_by_label("Keep this photo")).not_to_be_checked()
        drop(opened, OTHER_LEAF)
        check_answer(opened, server.predict(OTHER_LEAF).json())  # only then has the question come anew
        expect(opened.locator("#reply")).to_have_text("")
        (folder / "something_else").touch()  # where a folder should be
        opened.locator("#feedback").get_by_text("Something else").click()
        opened.get_by_label("Keep this photo").check()
        opened.get_by_role("button", name="Send").click()
        expect(opened.get_by_role("status").and_(opened.locator("#reply p"))).to_have_text(
            "It could not be kept; please try again later."
        )
        expect(opened.locator("#history figure")).to_have_count(2)  # each photo once


def test_arrow_keys_in_one_group_leave_the_other_as_it_was(browser, asking):
    with browser.new_context() as context:
        opened = context.new_page()
        visit(opened, asking[0].url)
        opened.get_by_label("One leaf").press("Shift")
        drop(opened, LEAF)
        question = opened.locator("#feedback input[type=radio]")
        expect(question.first).to_be_visible()
        question.first.press("ArrowDown")
        expect(question.nth(1)).to_be_checked()
        expect(opened.get_by_label("One leaf")).to_be_checked()


def test_the_page_says_that_another_model_answers(browser, start, tmp_path):
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": tmp_path}
    with start(MODEL_REPO="someone/leaf", **nowhere) as running, browser.new_context(locale="fr") as context:
        opened = context.new_page()
        opened.goto(running.url)
        notice = opened.locator(".card.notice")
        expect(notice.locator("h2")).to_have_text("À propos du modèle")
        expect(notice.locator("p")).to_contain_text("The default model answers instead.")


def test_nobody_is_asked_if_the_host_keeps_no_feedback(page):
    drop(page, LEAF)
    expect(page.locator("#probabilities li").first).to_be_visible()
    expect(page.locator("#feedback")).to_have_count(0)


LABELS = ["आलू का झुलसा", "疫病", "<b>${1+1}</b>", *(f"Disease {i} of a long list" for i in range(4, 21))]


@pytest.fixture(scope="module")
def unusual(tmp_path_factory) -> Path:
    """A bundle with 20 classes, named in several scripts, and without heat maps."""
    out = tmp_path_factory.mktemp("unusual") / "bundle"
    model = export.answering_model(cnn.build_cnn((64, 64, 3), 21), np.eye(21, 20), 1.0)
    with bundle.writing(out) as draft:
        model.export(draft / bundle.LITERT_MODEL, format="litert", verbose=False)
        classes = [{"folder": f"class{i}", "label": label} for i, label in enumerate(LABELS)]
        thresholds = {"leaf": 0.0, "confidence": 0.0}
        bundle.seal(draft, {"classes": classes, "image_size": 64, "thresholds": thresholds})
    return out


def test_a_model_of_other_classes_without_heat_works_as_well(browser, unusual, start):
    with start(MODEL_REPO=unusual) as server, browser.new_context() as context:
        opened = context.new_page()
        visit(opened, server.url)
        drop(opened, LEAF)
        expect(opened.locator("#verdict .diagnosis h2")).to_have_text(server.predict(LEAF).json()["class"])
        shown = opened.locator("#probabilities li span").all_inner_texts()
        assert sorted(shown) == sorted(LABELS)
        assert server.predict(LEAF, heatmap="true").json()["heatmap"] is None
        expect(opened.locator("#heat img")).to_have_count(0)
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        for width in (390, 1280):
            opened.set_viewport_size({"width": width, "height": 800})
            assert opened.evaluate(overflow) == 0
        opened.get_by_label("Several leaves").click()
        opened.set_input_files(
            "#photos input[type=file]", files=several(("a.jpg", LEAF), ("b.jpg", OTHER_LEAF))
        )
        expect(opened.locator("#joint figure")).to_have_count(2)
