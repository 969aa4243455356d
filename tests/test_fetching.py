"""Photos named by their address: not too much of them, and nothing from this machine's own network."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from conftest import HTTP, run_async

from web import fetching


@pytest.fixture
def photos():
    """A server of photos, by their size in bytes; /compressed says that it compresses them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            moved = self.path.startswith("/moved/")
            self.send_response(302 if moved else 404 if self.path == "/missing" else 200)
            if self.path == "/compressed" or self.headers["Accept-Encoding"] != "identity":
                self.send_header("Content-Encoding", "br")
            if moved:
                self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
            for _ in range(int(self.path[1:]) // 1000 if self.path[1:].isdigit() else 0):
                self.wfile.write(b"x" * 1000)

        def log_message(self, format: str, *args: object) -> None:
            """Leave the tests' output alone."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_no_more_is_fetched_than_a_photo_may_have(photos, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_UPLOAD_MB", 0.1)
    assert len(run_async(fetching.fetch, f"{photos}/90000")) == 90_000
    with pytest.raises(ValueError, match=r"has more than 0.1 MB"):
        run_async(fetching.fetch, f"{photos}/110000")
    with pytest.raises(httpx.HTTPStatusError):
        run_async(fetching.fetch, f"{photos}/missing")
    with pytest.raises(ValueError, match="is compressed"):
        run_async(fetching.fetch, f"{photos}/compressed")


INSIDE = (
    *("127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "224.0.0.1", "localhost"),
    *("::1", "fe80::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:100.100.100.200", "::10.0.0.1"),
    *("64:ff9b::a00:1", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "ff02::1"),
)


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_in_this_network_is_not_outside(host):
    with pytest.raises(ValueError, match=f"^{host} is in this network$"):
        run_async(fetching.address_outside, host)


def test_an_address_elsewhere_is_outside():
    for address in ("8.8.8.8", "2606:4700:4700::1111"):
        assert run_async(fetching.address_outside, address) == address


def test_a_photo_that_has_moved_is_fetched_from_there_unless_that_is_in_this_network(photos, monkeypatch):
    async def ours(host: str) -> str:
        if host != "photos.example":
            raise ValueError(f"{host} is not where photos are")
        return "127.0.0.1"

    monkeypatch.setattr(fetching, "address_outside", ours)
    photos = photos.replace("127.0.0.1", "photos.example")
    assert len(run_async(fetching.fetch_from_outside, f"{photos}/moved/moved/9000")) == 9000
    with pytest.raises(ValueError, match="goes on and on"):
        run_async(fetching.fetch_from_outside, f"{photos}{'/moved' * fetching.HOPS}/9000")
    with pytest.raises(ValueError, match="out of range"):
        run_async(fetching.fetch_from_outside, f"{photos}/moved//photos.example:99999/9000")
    with pytest.raises(ValueError, match="inside is not where photos are"):
        run_async(fetching.fetch_from_outside, f"{photos}/moved//inside/9000")


def test_no_address_of_this_network_is_asked(server, photos):
    asked = {"data": [{"path": f"{photos}/1000", "meta": {"_type": "gradio.FileData"}}, "en"]}
    answer = HTTP.post(f"{server.url}/gradio_api/run/predict", json=asked)
    assert answer.status_code == 500
    assert answer.json()["error"] == (
        "The photo can't be fetched: its address must be public, and give 20 MB at most within 15 seconds."
    )
