"""The page in a real Chromium: photos come in by every way, the answers are the REST API's, nothing leaks."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, serve
from drawing import draw, photograph
from driving import ask_for_french, drop, paste, pick, several, visit
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from making import encode
from PIL import ExifTags, Image
from playwright.sync_api import expect
from seeing import LEAF, OTHER_LEAF, SCENE, check_answer, check_sentence, watched

from model import bundle, cnn, export

UNREADABLE = "This is not a picture we can read; please send one of JPEG, PNG, WebP, GIF, BMP, AVIF, HEIC."


@pytest.mark.parametrize("send", [drop, pick])
def test_a_file_is_answered_as_the_rest_api_answers_it(page, server, send):
    send(page, LEAF)
    check_answer(page, server.predict(LEAF).json())
    expect(page.locator("#heat .layer")).to_be_visible()


def test_on_a_space_the_page_needs_neither_node_nor_another_host(browser, space, server):
    with watched(browser, space.url, extra_http_headers={"X-Forwarded-For": "198.51.100.77"}) as opened:
        drop(opened, LEAF)
        check_answer(opened, server.predict(LEAF).json())


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


def test_of_a_long_picture_the_shorter_side_keeps_what_the_model_needs(page):
    pick(page, photograph(8000, 800))
    shown = page.locator("#photo .image-frame img")
    expect(shown).to_have_js_property("naturalWidth", 3200)
    expect(shown).to_have_js_property("naturalHeight", 320)


def test_an_iphone_s_photo_is_answered_though_the_browser_can_t_read_it(page, server):
    photo = encode(draw("Potato___Late_blight", 904), "HEIF")
    drop(page, photo, name="IMG_0001.HEIC", mime="")
    check_answer(page, server.predict(photo).json())
    expect(page.locator("#heat .photo")).not_to_have_js_property("naturalWidth", 0)  # the server's small one


def test_a_pasted_picture_is_answered(page, server):
    photo = encode(draw("Potato___Early_blight", 903))
    paste(page, photo)
    check_answer(page, server.predict(photo).json())


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
        camera.value.set_files(several(("leaf.jpg", LEAF)))
        check_answer(phone, server.predict(LEAF).json())


def test_where_a_photo_could_not_be_answered_another_one_can_be_chosen(page, server):
    drop(page, b"Dear diary, no photo today.")
    check_sentence(page, UNREADABLE)
    for photo in (LEAF, OTHER_LEAF):
        with page.expect_file_chooser() as dialog:
            page.get_by_role("button", name="Check another photo").press("Enter")
        dialog.value.set_files(several(("leaf.jpg", photo)))
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
    ask_for_french(page)
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
    drop(page, LEAF)
    expect(figures).to_have_count(1)
    drop(page, OTHER_LEAF)
    expect(figures).to_have_count(2)
    page.once("dialog", lambda asked: asked.accept())
    page.locator("#history .clear").click()
    drop(page, OTHER_LEAF)  # once more, but the history does not know it any longer
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
    ask_for_french(page)
    expect(page.locator("#verdict h2")).to_have_text("Mildiou")
    expect(page.locator("#verdict .earlier")).to_contain_text(re.compile(r"^Vérification du .*\d"))
    drop(page, OTHER_LEAF)
    expect(page.locator("#verdict h2")).to_have_text("Saine")
    expect(page.locator("#verdict .earlier")).to_have_count(0)


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


@pytest.fixture(scope="module")
def asking(tiny, tmp_path_factory) -> Iterator[tuple[Server, Path]]:
    """A server that keeps feedback, and where."""
    folder = tmp_path_factory.mktemp("feedback")
    with serve(MODEL_REPO=tiny, FEEDBACK_REPO=folder) as running:
        yield running, folder


def telling_photo() -> bytes:
    """A photo that is not square and names its place, small enough to travel as it is."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    return encode(draw("Potato___Late_blight", 911, size=256).resize((900, 600)), "JPEG", exif=exif)


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


def test_the_page_says_that_another_model_answers(browser, tmp_path):
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": tmp_path}
    with serve(MODEL_REPO="someone/leaf", **nowhere) as running, browser.new_context(locale="fr") as context:
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


def test_a_model_of_other_classes_without_heat_works_as_well(browser, unusual):
    with serve(MODEL_REPO=unusual) as server, browser.new_context() as context:
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
