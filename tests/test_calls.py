"""Calls of gradio's routes as none of its clients makes them: one sentence each, and nothing in the log."""

import contextlib
import gc
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from ipaddress import IPv4Address
from pathlib import Path

import httpx2
import pytest
from conftest import ROOT, wait_for
from connecting import listening
from making import JPEG

import app
from web.server import limits
from web.server.limits import TOO_LONG
from web.server.refusals import NO_CALL, NO_FORM

LOST = "The photo did not arrive, or the server is too busy; please send it again in a minute."
META = {"_type": "gradio.FileData"}
CALLS = ("run/predict", "call/predict", "call/v2/predict", "queue/join")
# The numbers that gradio gives the page's functions, in the order that it lays them out.
DIAGNOSE, PREDICT, SEVERAL = 4, 7, 10
NO_CALLS = (
    *(b"", b"text", b"{", b"null", b"[]", b"5", b"{}", b"\xff", b"[" * 100_000),
    *(
        {"data": data, "session_hash": "x", "fn_index": PREDICT}
        for data in (None, {}, 5, [], [None], [5, 5], [[1], "en"])
    ),
    *(
        {"data": [photo, "en"], "session_hash": "x", "fn_index": PREDICT}
        for photo in (
            {"path": 5},
            {"path": None},
            {"url": "http://x/leaf.jpg", "meta": META},
            [],
            "x",
            float("nan"),
        )
    ),
    *(
        {"data": [None, language], "session_hash": "x", "fn_index": DIAGNOSE}
        for language in (5, {}, [], "xx", None)
    ),
    *(
        {"data": [None] * 9, "session_hash": "x", "fn_index": n}
        for n in (-1, 0, 99, 1e400, 10**30, "2", [], True)
    ),
    {"data": [[{"path": "x"}], "en"], "session_hash": "x", "fn_index": SEVERAL},
    {"data": [None, "\ud800"], "session_hash": "x", "fn_index": PREDICT},  # half a character
    {"data": [None, "en"], "session_hash": 5, "fn_index": SEVERAL},
    {"data": [None, "en"], "session_hash": "x", "fn_index": SEVERAL, "trigger_id": "x"},
)
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
FILE = b'--b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\nx\r\n--b--\r\n'
TEXT = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\n%b\r\n--b--\r\n'


@pytest.fixture(scope="module")
def client(tiny) -> Iterator[httpx2.Client]:
    """A client of the whole app, in this process, whose log the tests can read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_REPO", str(tiny))
        served = app.create_app()
    with listening(served) as url, httpx2.Client(base_url=f"{url}/gradio_api/", timeout=60) as client:
        client.get(url)  # the page is there
        yield client


@pytest.fixture
def photo(client) -> dict:
    sent = client.post("upload", files={"files": ("leaf.jpg", JPEG)})
    return {"path": sent.json()[0], "meta": META}


@pytest.mark.parametrize("route", [*CALLS, "cancel", "reset", "mcp/"])
def test_what_makes_no_sense_is_one_sentence(client, route, capfd):
    for sent in NO_CALLS if route in ("run/predict", "queue/join") else NO_CALLS[:14]:
        body = sent if isinstance(sent, bytes) else json.dumps(sent)
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        answer = client.post(route, content=body, headers=headers)
        assert answer.status_code == 400, body[:100]
        if "jsonrpc" not in answer.text:  # a protocol of its own
            assert answer.json() in ({"detail": NO_CALL}, {"detail": "There was an error parsing the body"})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("route", [*CALLS, "cancel"])
def test_megabytes_of_json_are_not_read(client, route, capfd):
    answer = client.post(route, content=b"[" + b"[]," * 100_000 + b"[]]")
    assert (answer.status_code, answer.json()) == (413, {"detail": TOO_LONG})
    assert client.post("mcp/", content=b"[" + b"[]," * 10_000 + b"[]]").json() == {"detail": NO_CALL}
    assert capfd.readouterr().err == ""


def test_while_there_are_too_many_uploads_a_call_is_one_sentence_and_what_is_asked_goes_on(
    client, photo, monkeypatch, capfd
):
    sent = client.post("call/predict", json={"data": [photo, "en"]})
    monkeypatch.setattr(limits, "MOST_BYTES", 0)
    refused = client.post("run/predict", json={"data": [photo, "en"]})
    assert (refused.status_code, refused.json()) == (503, {"detail": limits.BUSY})
    assert refused.headers["retry-after"] == "1"
    assert '"class"' in client.get(f"call/predict/{sent.json()['event_id']}").text
    assert capfd.readouterr().err == ""


def test_further_readers_of_an_answer_leave_nothing_behind(client, photo, capfd):
    event = client.post("call/predict", json={"data": [photo, "en"]}).json()["event_id"]
    assert '"class"' in client.get(f"call/predict/{event}").text

    def reading() -> int:
        return sum(type(task).__name__ == "Task" and "heartbeat" in repr(task) for task in gc.get_objects())

    for _ in range(5):
        with contextlib.suppress(httpx2.ReadTimeout):
            client.get(f"call/predict/{event}", timeout=0.5)
    wait_for(lambda: reading() == 0)
    assert "KeyError" not in capfd.readouterr().err


def test_of_a_session_that_nobody_knows_there_is_no_more_to_say(client, caplog):
    told = client.get("queue/data", params={"session_hash": "nobody's"})
    assert told.text.startswith("data: ")
    assert "without completing response" not in caplog.text


@pytest.mark.parametrize(("number", "several"), [(DIAGNOSE, False), (SEVERAL, True)])
def test_of_the_page_no_address_is_fetched(client, number, several, capfd):
    photo = {"path": "http://a.bc/leaf.jpg", "meta": META}
    sent = {"data": [[photo] if several else photo, "en"], "session_hash": "x", "fn_index": number}
    answer = client.post("queue/join", json=sent)
    assert (answer.status_code, answer.json()) == (400, {"detail": LOST})
    assert capfd.readouterr().err == ""


def test_of_several_photos_those_that_are_gone_and_those_beyond_the_most_are_told(client, photo):
    gone = photo | {"path": str(Path(photo["path"]).with_name("gone.jpg"))}
    sent = {"data": [[gone, *[photo] * 32]], "session_hash": "y", "fn_index": SEVERAL}
    assert client.post("run/predict", json=sent).status_code == 200
    asked = {"data": ["en", None], "session_hash": "y", "fn_index": SEVERAL + 1}
    answer = client.post("run/predict", json=asked).json()["data"][0]
    first, *answered, last = (leaf["title"] for leaf in answer["leaves"])
    assert first == (
        "The photos did not arrive, or the server, which keeps them for two hours at most, has them no "
        "longer; please remove and choose them again."
    )
    assert len(answered) == 31
    assert set(answered) <= {"Early blight", "Late blight", "Healthy", "Unsure", "Not a potato leaf"}
    assert last == (
        "At most 32 photos at once: this one was left out; please clear the list, then choose it again."
    )


@pytest.mark.parametrize("path", ["queue/data?session_hash=zz", "call/predict/zz", "heartbeat/%00"])
def test_what_asks_for_nothing_we_know_leaves_no_traceback(client, path, capfd):
    with contextlib.suppress(httpx2.RemoteProtocolError):  # an answer that had begun ends
        client.get(path)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("path", [None, "", "/etc/passwd", f"{ROOT}/app.py", "a\0b", "x" * 10_000])
@pytest.mark.parametrize("meta", [{}, {"meta": META}])
@pytest.mark.parametrize("route", CALLS)
def test_a_photo_that_was_never_sent_is_one_sentence(client, route, meta, path, capfd):
    photo = None if path is None else {"path": path} | meta
    sent = (
        {"photo": photo}
        if "v2" in route
        else {"data": [photo, "en"], "session_hash": "x", "fn_index": PREDICT}
    )
    answer = client.post(route, json=sent)
    told = LOST if path else NO_CALL
    assert (answer.status_code, answer.json()) == (400, {"detail": told})
    assert capfd.readouterr().err == ""


def test_an_upload_that_is_none_is_one_sentence(client, capfd):
    for body, headers in (
        (TEXT % b"text", MULTIPART),
        (TEXT % b"", MULTIPART),
        (JPEG, {"Content-Type": f"multipart/form-data; boundary={'b' * 5000}"}),
        (FILE % rb"\ud800.jpg", {"Content-Type": f"{MULTIPART['Content-Type']}; charset=unicode_escape"}),
    ):
        answer = client.post("upload", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (400, {"detail": NO_FORM})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("language", ["es", "xx", None])
def test_what_makes_sense_is_answered(client, photo, language):
    assert client.post("run/predict", json={"data": [photo, language]}).json()["data"][0]["class"]
    for route, sent in (
        ("call/predict", {"data": [photo, language]}),
        ("call/v2/predict", {"photo": photo, "language": language}),
    ):
        event = client.post(route, json=sent).json()["event_id"]
        assert '"class"' in client.get(f"call/predict/{event}").text


def test_a_photo_named_by_its_address_is_fetched_anew_each_time(client, tmp_path, monkeypatch):
    class Photos(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Leave the tests' output alone."""

    def answered() -> int:
        sent = {"data": [{"path": f"http://127.0.0.1:{photos.server_port}/leaf.jpg", "meta": META}, "en"]}
        return client.post("run/predict", json=sent).status_code

    monkeypatch.setattr(IPv4Address, "is_global", True)  # as if these photos lay elsewhere
    with HTTPServer(("127.0.0.1", 0), partial(Photos, directory=tmp_path)) as photos:
        threading.Thread(target=photos.serve_forever, args=(0.02,), daemon=True).start()
        for content, status in ((JPEG, 200), (b"no photo", 500), (JPEG, 200)):
            (tmp_path / "leaf.jpg").write_bytes(content)
            assert answered() == status
        photos.shutdown()


def test_what_is_wrong_beside_a_photo_is_told_as_well(client, photo, capfd):
    for route, sent in (
        ("run/predict", {"data": [photo, "\ud800"]}),  # half a character
        ("call/v2/predict", {"photo": photo, "lang": "es"}),
        ("queue/join", {"data": [photo, "en"], "session_hash": "x"}),  # no number of a function
    ):
        answer = client.post(route, content=json.dumps(sent), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()) == (400, {"detail": NO_CALL})
    assert capfd.readouterr().err == ""
