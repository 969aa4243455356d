"""The page when answers are late or lost, in a real Chromium: nothing is, and the last photo counts."""

from urllib.parse import urlsplit

from conftest import serve
from driving import ask_for_french, choose_french, drop, hold, paste, several, visit
from playwright.sync_api import Page, expect
from seeing import LEAF, LOST, OTHER_LEAF, SCENE, check_answer, check_sentence


def refuse(page: Page, call: str, status: int) -> None:
    """Have the server refuse the next call, as if it were too busy for half a minute."""
    busy = {"status": status, "headers": {"Retry-After": "30"}, "json": {"detail": "Too many."}}
    page.route(f"**/{call}*", lambda request: request.fulfill(**busy), times=1)


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


def test_that_the_next_photo_is_being_prepared_is_said_until_it_is(page, server):
    waiting = hold(page, "**/run/predict*")
    drop(page, LEAF)
    waiting()
    reached = hold(page, "**/ping")
    drop(page, OTHER_LEAF)
    reached()
    waiting().continue_()
    check_answer(page, server.predict(LEAF).json())
    expect(page.locator("#offline")).to_have_class("busy")
    expect(page.locator("#offline")).not_to_be_empty()
    reached().continue_()
    check_answer(page, server.predict(OTHER_LEAF).json())
    expect(page.locator("#offline")).to_be_empty()


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


def test_while_the_server_is_away_a_photo_waits(browser, tiny):
    with browser.new_context() as context:
        opened = context.new_page()
        with serve(MODEL_REPO=tiny) as first:
            visit(opened, first.url)
        drop(opened, LEAF)
        expect(opened.get_by_role("alert")).to_have_text(
            "The server is busy or can't be reached. This page goes on by itself as soon as it answers."
        )
        with serve(MODEL_REPO=tiny, GRADIO_SERVER_PORT=urlsplit(first.url).port) as again:
            check_answer(opened, again.predict(LEAF).json())
            expect(opened.get_by_role("alert")).to_be_empty()
            expect(opened.get_by_test_id("toast-body")).to_have_count(0)
            opened.close()
