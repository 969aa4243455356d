"""Photos named by their address: not too much of them, and nothing from this machine's own network."""

import errno
import os
import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import anyio
import gradio as gr
import httpx
import httpx2
import pytest
from conftest import ROOT, run_async
from gradio.state_holder import StateHolder
from test_photo import LEAF, encode

from web import uploads


@pytest.fixture
def photos():
    """A server of photos, by their size in bytes; /compressed says that it compresses them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            moved = self.path.startswith("/moved/")
            self.send_response(302 if moved else 404 if self.path == "/missing" else 200)
            if self.path == "/compressed":
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
    monkeypatch.setattr(uploads, "MAX_UPLOAD_MB", 0.1)
    assert len(run_async(uploads.fetch, f"{photos}/90000")) == 90_000
    with pytest.raises(ValueError, match=r"has more than 0.1 MB"):
        run_async(uploads.fetch, f"{photos}/110000")
    with pytest.raises(httpx.HTTPStatusError):
        run_async(uploads.fetch, f"{photos}/missing")
    with pytest.raises(ValueError, match="is compressed"):
        run_async(uploads.fetch, f"{photos}/compressed")


INSIDE = (
    *("127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "224.0.0.1", "localhost"),
    *("::1", "fe80::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:100.100.100.200", "::10.0.0.1"),
    *("64:ff9b::a00:1", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "ff02::1"),
)


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_in_this_network_is_not_outside(host):
    with pytest.raises(ValueError, match=f"^{host} is in this network$"):
        run_async(uploads.address_outside, host)


def test_an_address_elsewhere_is_outside():
    for address in ("8.8.8.8", "2606:4700:4700::1111"):
        assert run_async(uploads.address_outside, address) == address


def test_a_photo_that_has_moved_is_fetched_from_there_unless_that_is_in_this_network(photos, monkeypatch):
    async def ours(host: str) -> str:
        if host != "127.0.0.1":
            raise ValueError(f"{host} is not where photos are")
        return host

    monkeypatch.setattr(uploads, "address_outside", ours)
    assert len(run_async(uploads.fetch_from_outside, f"{photos}/moved/moved/9000")) == 9000
    with pytest.raises(ValueError, match="goes on and on"):
        run_async(uploads.fetch_from_outside, f"{photos}{'/moved' * uploads.HOPS}/9000")
    with pytest.raises(ValueError, match="inside is not where photos are"):
        run_async(uploads.fetch_from_outside, f"{photos}/moved//inside/9000")


def test_no_address_of_this_network_is_asked(server, photos):
    asked = {"data": [{"path": f"{photos}/1000", "meta": {"_type": "gradio.FileData"}}, "en"]}
    answer = httpx2.post(f"{server.url}/gradio_api/run/predict", json=asked, timeout=60)
    assert answer.status_code == 500
    assert answer.json()["error"] == (
        "The photo can't be fetched: its address must be public, and give 20 MB at most within 15 seconds."
    )


def test_a_name_that_no_file_can_have_is_no_upload(server):
    for path in ("a\0b", "x" * 10_000, "", None, "/etc/passwd", f"{ROOT}/app.py"):
        asked = {"data": [{"path": path}, "en"]}
        answer = httpx2.post(f"{server.url}/gradio_api/run/predict", json=asked, timeout=60)
        assert answer.status_code == 400
        assert (
            answer.json()["detail"]
            == "The photo did not arrive, or the server is too busy; please send it again in a minute."
        )


def test_whoever_sends_nonsense_gets_an_error_and_the_next_one_an_answer(server):
    for data in ([], [5, 5], [{"path": 5}, {}], [[{"path": "x"}], "en"], ["<script>", "<b>"], {}, None):
        for function in range(12):  # of the page, by number
            asked = {"data": data, "fn_index": function, "session_hash": "x"}
            answer = httpx2.post(f"{server.url}/gradio_api/run/predict", json=asked, timeout=60)
            assert answer.headers["content-type"] == "application/json"
            assert answer.status_code in (200, 400, 500)  # 500 is how gradio hands on what a function says
            assert "Traceback" not in answer.text
    assert server.predict(encode(LEAF)).status_code == 200


def keep(folder: Path, name: str) -> Path:
    """Put a photo of 100 bytes where gradio would."""
    (folder / name).mkdir()
    (folder / name / "leaf.jpg").write_bytes(bytes(100))
    return folder / name / "leaf.jpg"


def test_the_oldest_photos_make_room_for_new_ones_whatever_their_clock_says(tmp_path):
    seen = {}
    for now, name in enumerate(("oldest", "older", "old", "new")):
        os.utime(keep(tmp_path, name), (1000 - now, 1000 - now))  # as if the clock were set back
        uploads.make_room(tmp_path, 250, seen, now)
    assert sorted(file.parent.name for file in tmp_path.rglob("*.jpg")) == ["new", "old"]


def test_looking_goes_on_after_an_error(tmp_path, monkeypatch, capsys):
    make_room, looks = uploads.make_room, []

    def failing_once(folder: Path, *more) -> None:
        looks.append(folder)
        if len(looks) == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        make_room(folder, *more)

    blocks = gr.Blocks()
    StateHolder().set_blocks(blocks)

    async def look_twice() -> None:
        async with uploads.kept_small(tmp_path, blocks):
            with anyio.fail_after(30):
                while len(looks) < 2:
                    await anyio.sleep(0.01)

    monkeypatch.setattr(uploads, "make_room", failing_once)
    monkeypatch.setattr(uploads, "EVERY", 0.01)
    run_async(look_twice)
    assert "Too many open files" in capsys.readouterr().err


def test_answers_of_old_sessions_are_forgotten():
    with gr.Blocks() as blocks:
        shown = gr.HTML()
    holder, now = StateHolder(), datetime.now()
    holder.set_blocks(blocks)
    for name in ("old", "new"):
        holder[name]._update_value_in_config(shown._id, "the last answer")
    holder.time_last_used["old"] = now - timedelta(seconds=uploads.OLD)
    uploads.forget_sessions(holder, now)
    assert list(holder.session_data) == list(holder.time_last_used) == ["new"]


def test_a_photo_deleted_before_it_is_read_is_lost(tmp_path):
    photo = keep(tmp_path, "photo")
    with pytest.raises(uploads.LostError), uploads.opened({"path": str(photo)}, tmp_path) as file:
        file.unlink()
        file.read_bytes()


def test_photos_go_after_two_hours_though_they_come_from_the_future(tmp_path):
    seen = {}
    future = keep(tmp_path, "future")
    os.utime(future, (4e9, 4e9))
    (tmp_path / "tmp123").write_bytes(b"an upload that broke off")
    uploads.make_room(tmp_path, 250, seen, 0)
    uploads.make_room(tmp_path, 250, seen, uploads.OLD - 1)
    assert future.exists()
    new = keep(tmp_path, "new")
    uploads.make_room(tmp_path, 250, seen, uploads.OLD)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {new}
    assert not future.parent.exists()
    uploads.make_room(tmp_path, 250, seen, uploads.OLD)
    assert {path for path, _ in seen} == {new, new.parent}
    os.utime(new, (5e9, 5e9))  # the same photo again, in its place
    uploads.make_room(tmp_path, 250, seen, 2 * uploads.OLD)
    assert new.exists()
