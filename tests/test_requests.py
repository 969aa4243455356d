"""Requests as nobody should send them: one sentence, or an answer, for each, and for the next photo."""

import contextlib
import gzip
import socket

import pytest
from conftest import HTTP
from making import JPEG
from test_photo import REFUSED

from model import photo
from web.server.refusals import DOCS

MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
SEND = "Send the photo as a file of multipart form data, with a file name, in the field "
SEND_A_PHOTO, SEND_PHOTOS = SEND + "file (curl -F file=@leaf.jpg).", SEND + "files (curl -F files=@leaf.jpg)."


def part(name: str, filename: bytes, data: bytes = JPEG) -> bytes:
    """Return a form with one file in it, as it goes over the wire."""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="'.encode()
    return head + filename + b'"\r\n\r\n' + data + b"\r\n--b--\r\n"


REQUESTS = {
    "nothing": ({}, 422, SEND_A_PHOTO),
    "a bare photo": ({"content": JPEG}, 422, SEND_A_PHOTO),
    "JSON": ({"json": {"file": "leaf.jpg"}}, 422, SEND_A_PHOTO),
    "broken JSON": ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, SEND_A_PHOTO),
    "a field of text": ({"data": {"file": "leaf.jpg"}}, 422, SEND_A_PHOTO),
    "another field": ({"files": {"photo": JPEG}}, 422, SEND_A_PHOTO),
    "a form that breaks off": (
        {"content": part("file", b"a.jpg")[:-20], "headers": MULTIPART},
        422,
        SEND_A_PHOTO,
    ),
    "no boundary": (
        {"content": JPEG, "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "The form can't be read; please send the photo again, as multipart form data.",
    ),
    "no form": (
        {"content": b"garbage", "headers": MULTIPART},
        400,
        "The form can't be read; please send the photo again, as multipart form data.",
    ),
    "a compressed form": (
        {
            "content": gzip.compress(part("file", b"a.jpg")),
            "headers": MULTIPART | {"Content-Encoding": "gzip"},
        },
        415,
        "Send the form as it is, without Content-Encoding.",
    ),
    "no picture, in a form that claims to be compressed": (
        {"files": {"file": b"text"}, "headers": {"Content-Encoding": "gzip"}},
        400,
        REFUSED["text"][2],
    ),
    "a photo in a field of text": (
        {"content": part("file", b"").replace(b'; filename=""', b"").replace(JPEG, b"x" * 2_000_000)}
        | {"headers": MULTIPART},
        422,
        SEND_A_PHOTO,
    ),
    "a name of 10 kB": (
        {"content": part("file", b"x" * 10_000), "headers": MULTIPART},
        400,
        "The form can't be read; please send the photo again, as multipart form data.",
    ),
    "10,000 fields": (
        {"data": {f"field{i}": "x" for i in range(10_000)}, "files": {"file": JPEG}},
        413,
        "The form has too many parts; send only photos, in the field file.",
    ),
    "2,000 files": (
        {"files": [("file", b"x")] * 2000},
        413,
        "The form has too many parts; send only photos, in the field file.",
    ),
    "a wrong parameter": (
        {"files": {"file": JPEG}, "params": {"heatmap": "<script>"}},
        422,
        "The parameter heatmap is either true or false.",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_refused_and_why(server, name):
    sent, status, sentence = REQUESTS[name]
    answer = HTTP.post(f"{server.url}/predict", **sent)
    assert (answer.status_code, answer.json()) == (status, {"detail": sentence})
    assert server.predict(JPEG).status_code == 200


def test_a_batch_without_photos_is_422(server):
    answer = HTTP.post(f"{server.url}/predict/batch")
    assert (answer.status_code, answer.json()) == (422, {"detail": SEND_PHOTOS})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "QUERY"])
def test_photos_are_sent_by_post_and_there_is_nothing_elsewhere(server, method):
    how = "Send photos by POST, as multipart form data; see /docs."
    for path in ("/predict", "/predict/batch"):
        answer = HTTP.request(method, server.url + path)
        assert (answer.status_code, answer.headers["allow"], answer.json()) == (405, "POST", {"detail": how})
    if method != "GET":
        for path in ("/ping", "/health", *DOCS, "/"):
            answer = HTTP.request(method, server.url + path)
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
            assert HTTP.head(server.url + path).status_code == 200
            assert answer.json() == {"detail": "Ask by GET; see /docs."}
    for path in ("/predict/x", "/nothing", "/gradio_api/proxy=x"):
        answer = HTTP.request(method, server.url + path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "There is nothing here; see /docs."})


@pytest.mark.parametrize(
    "name",
    [b"../../etc/passwd", "葉\u202egpj.exe".encode(), b"a\0b", b"<script>${1}", b"\xff\xfe", b'\\"', b""],
)
def test_names_are_only_words(server, name):
    sent = part("files", name)
    answer = HTTP.post(f"{server.url}/predict/batch", content=sent, headers=MULTIPART)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["results"][0]["verdict"]


def test_the_type_a_client_claims_does_not_matter(server):
    for claimed in ("application/x-evil", "text/html", "image/png", "x" * 1000):
        answer = HTTP.post(f"{server.url}/predict", files={"file": ("a.exe", JPEG, claimed)})
        assert answer.status_code == 200


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
WIRE = {
    "less than announced": (HEAD + b"Content-Length: 100000\r\n\r\n", None),
    "more than announced": (HEAD + b"Content-Length: 100\r\n\r\n", b"HTTP/1.1 4"),
    "a negative length": (HEAD + b"Content-Length: -5\r\n\r\n", b"HTTP/1.1 400"),
    "two lengths": (HEAD + b"Content-Length: 10\r\nContent-Length: 20\r\n\r\n", b"HTTP/1.1 400"),
    "no HTTP": (b"\x16\x03\x01\x00\xff" * 10 + b"\r\n\r\n", b"HTTP/1.1 400"),
    "headers of a megabyte": (b"GET /ping HTTP/1.1\r\nX: " + b"y" * 1_000_000, b"HTTP/1.1 400"),
}


@pytest.mark.parametrize("name", WIRE)
def test_a_broken_request_harms_nobody(server, name):
    head, expected = WIRE[name]
    host, port = server.url.removeprefix("http://").split(":")
    connected = socket.create_connection((host, int(port)), timeout=20)
    with connected as connection, contextlib.suppress(ConnectionError):  # it need not read to the end
        connection.sendall(head + part("file", b"a.jpg"))
        if expected:
            assert connection.recv(100).startswith(expected)
    assert server.predict(JPEG).status_code == 200


def test_every_reason_to_refuse_a_photo_is_in_their_table():
    ours = {error for error in photo.PhotoError.__subclasses__() if error.__module__ == photo.__name__}
    assert {error for _, error, _ in REFUSED.values()} == ours
