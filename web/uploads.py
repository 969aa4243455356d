"""The files that visitors uploaded, until they are old."""

import contextlib
import shutil
import stat
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import anyio
import gradio as gr
from gradio.state_holder import StateHolder

from model.photo import PhotoError
from web.environment import MEGABYTE
from web.texts import ENGLISH, TEXTS

ROOM = 2_000 * MEGABYTE  # bytes of all visitors' photos, and at most half of what is free at the start
OLD = 2 * 3600  # seconds
EVERY = 5  # seconds between looks for old photos

Sighting = tuple[Path, int]  # a file, and when its content came, of which 0 for a folder


class LostError(PhotoError):
    """The upload is gone, or was never one."""

    reason = "lost"
    sentence = TEXTS[ENGLISH]["refused.lost"]


@contextlib.asynccontextmanager
async def kept_small(folder: Path, blocks: gr.Blocks) -> AsyncIterator[None]:
    """Delete the photos in `folder` that are too old, and the oldest whenever they take too much room.

    And the last answers, with small photos in them, that gradio keeps of each session of `blocks`.
    """
    room = min(ROOM, shutil.disk_usage(folder).free // 2)
    seen: dict[Sighting, float] = {}

    async def look() -> None:
        while True:
            try:
                forget_sessions(blocks.state_holder, datetime.now())
                for files in blocks.temp_file_sets:  # of names, which gradio itself would keep for ever
                    files.clear()
                await anyio.to_thread.run_sync(make_room, folder, room, seen, time.monotonic())
            except OSError as error:  # such as too many open files; the next look may succeed
                print(f"app.py: old photos could not be looked for: {error}", file=sys.stderr)
            except Exception:  # whatever it was: the page, and so the looking, must go on
                traceback.print_exc()
            await anyio.sleep(EVERY)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        yield
        tasks.cancel_scope.cancel()


def forget_sessions(holder: StateHolder, now: datetime) -> None:
    """Forget the sessions last used OLD seconds before `now`, which gradio itself keeps even when closed."""
    for session, used in list(holder.time_last_used.items()):
        if (now - used).total_seconds() >= OLD:
            holder.session_data.pop(session, None)
            holder.time_last_used.pop(session, None)


def make_room(folder: Path, room: float, seen: dict[Sighting, float], now: float) -> None:
    """Delete files in `folder` seen OLD seconds ago, and the oldest until the rest take `room` bytes at most.

    `seen` keeps since when each is there, in seconds of a clock that nobody sets: what the files say of their
    age changes with the machine's clock, and gradio forgets those whose upload broke off.
    """
    there: dict[Sighting, int] = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # an upload was moved into place, or broke off
            status = path.stat()
            is_file = stat.S_ISREG(status.st_mode)
            # The same photo, sent again, takes the place of the first one, and is new.
            there[path, status.st_mtime_ns if is_file else 0] = status.st_size if is_file else 0
    for gone in seen.keys() - there.keys():
        del seen[gone]
    taken = sum(there.values())
    for sighting in sorted(there, key=lambda it: (seen.setdefault(it, now), -len(it[0].parts))):
        if taken <= room and now - seen[sighting] < OLD:
            break
        path, _ = sighting
        with contextlib.suppress(OSError):  # a folder that still holds files stays until a later look
            path.rmdir() if path.is_dir() else path.unlink()
        taken -= there[sighting]


def uploaded(photo: dict, folder: Path, there: bool = True) -> Path:
    """Return the photo's file. Raises LostError unless it lies in `folder`: a caller may name any path.

    If it is not asked to be `there`, it may have been deleted.
    """
    try:
        file = Path(photo.get("path") or "").resolve()
        if file.is_relative_to(folder.resolve()) and (file.is_file() or not there):
            return file
    except (OSError, ValueError) as error:  # no name that a file can have
        raise LostError from error
    raise LostError


@contextlib.contextmanager
def opened(photo: dict, folder: Path) -> Iterator[Path]:
    """Give the photo's file. Raises LostError as `uploaded` does, or if it is deleted before it is read."""
    file = uploaded(photo, folder)
    try:
        yield file
    except FileNotFoundError as error:
        raise LostError from error
