"""The files that visitors uploaded: only these are read, and only as long as they are young."""

import errno
import os
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import anyio
import gradio as gr
import pytest
from conftest import run_async
from gradio.state_holder import StateHolder

from web import uploads


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
    assert uploads.OLD <= 2 * 3600
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


def test_old_photos_are_looked_for_again_whatever_went_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(uploads, "EVERY", 0.01)
    monkeypatch.setattr(uploads, "OLD", 0)
    photo = tmp_path / "leaf.jpg"
    photo.write_bytes(b"a photo")
    blocks = gr.Blocks()
    blocks.temp_file_sets = [None, {str(photo)}]  # stands for a fault of gradio's

    async def look():
        async with uploads.kept_small(tmp_path, blocks):
            with anyio.fail_after(30):
                while "Traceback" not in capsys.readouterr().err:
                    await anyio.sleep(0.01)
                blocks.temp_file_sets.remove(None)
                while photo.exists():
                    await anyio.sleep(0.01)

    run_async(look)
    assert blocks.temp_file_sets == [set()]


def test_old_sessions_are_forgotten_and_photos_take_half_of_what_is_free_at_most(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "EVERY", 0.01)
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda _: SimpleNamespace(free=500))
    for name in "abc":
        keep(tmp_path, name)
    with gr.Blocks() as blocks:
        shown = gr.HTML()
    holder = StateHolder()
    holder.set_blocks(blocks)
    holder["old"]._update_value_in_config(shown._id, "the last answer")
    holder.time_last_used["old"] = datetime.now() - timedelta(seconds=uploads.OLD)
    blocks.state_holder = holder

    async def look() -> None:
        async with uploads.kept_small(tmp_path, blocks):
            with anyio.fail_after(30):
                while len(list(tmp_path.rglob("*.jpg"))) == 3:
                    await anyio.sleep(0.01)

    run_async(look)
    assert not holder.session_data
    assert len(list(tmp_path.rglob("*.jpg"))) == 2
