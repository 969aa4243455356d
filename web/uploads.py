"""The files that visitors uploaded, until they are old."""

import contextlib
import secrets
import shutil
import stat
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import gradio as gr
import httpx
import safehttpx
from gradio.state_holder import StateHolder
from gradio_client.utils import is_http_url_like

from model.photo import PhotoError
from web.limits import MAX_UPLOAD_MB, MEGABYTE

PATIENCE = 15  # seconds another server may take to send a photo, waiting for its turn included
AT_ONCE = 8  # photos fetched at a time, each of which is held in memory
ROOM = 2_000 * MEGABYTE  # bytes of all visitors' photos, and at most half of what is free at the start
OLD = 2 * 3600  # seconds
HOPS = 5  # addresses that a photo may have moved to, one after the other
EVERY = 5  # seconds, to look whether they do
NOT_FETCHED = (
    f"The photo can't be fetched: its address must be public, and give {MAX_UPLOAD_MB} MB at most within "
    f"{PATIENCE} seconds."
)

_places = anyio.Semaphore(AT_ONCE)

Sighting = tuple[Path, int]  # a file, and when its content came, of which 0 for a folder


class LostError(PhotoError):
    """The upload is gone, or was never one."""

    reason = "lost"
    sentence = "The photo did not arrive, or the server is too busy; please send it again in a minute."


class Picture(gr.Image):
    """gr.Image, except that a photo given by its URL is always fetched anew, and no larger than allowed."""

    is_template = True  # looks as gr.Image does

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """Return where the photo lies, fetched if it is an address."""
        if url_or_file_path is None or not is_http_url_like(url := str(url_or_file_path)):
            return await super().async_move_resource_to_block_cache(url_or_file_path)
        try:
            with anyio.fail_after(PATIENCE):
                async with _places:
                    data = await fetch_from_outside(url)
        except (ValueError, TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise gr.Error(NOT_FETCHED, print_exception=False) from error
        file = Path(self.GRADIO_CACHE) / secrets.token_hex(16) / "photo"
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
        self.temp_files.add(str(file))  # gradio deletes it in time
        return str(file)


async def fetch_from_outside(url: str) -> bytes:
    """Fetch a photo, wherever it has moved to, but never from this machine or its network.

    Raises what `fetch` does, or ValueError if it may not be fetched.
    """
    for _ in range(HOPS):
        address = await address_outside(urlsplit(url).hostname or "")
        fetched = await fetch(url, safehttpx.AsyncSecureTransport(address))
        if isinstance(fetched, bytes):
            return fetched
        url = str(fetched)
    raise ValueError(f"{url} goes on and on")


async def address_outside(host: str) -> str:
    """Return an address of a host. Raises ValueError if it has none outside of this machine's network."""
    # Not safehttpx's own check: it lets shared addresses pass, and asks Google about names known only here.
    try:
        found = await anyio.getaddrinfo(host, None)
    except OSError as error:
        raise ValueError(f"{host} is not known") from error
    for *_, (address, *_) in found:
        if _is_outside(ip_address(address)):
            return address
    raise ValueError(f"{host} is in this network")


def _is_outside(ip: IPv4Address | IPv6Address) -> bool:
    if ip.version == 6 and (ip.is_site_local or ip.ipv4_mapped or ip.sixtofour or ip.teredo):
        return False  # the last three hide an IPv4 address, as do reserved ones
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


async def fetch(url: str, transport: httpx.AsyncBaseTransport | None = None) -> bytes | httpx.URL:
    """Fetch a photo, or return the address that it has moved to.

    Raises httpx.HTTPError, or ValueError if it is larger than a photo may be, or compressed on its way: a few
    bytes could become gigabytes.
    """
    data = bytearray()
    async with (
        httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client,
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.next_request:
            return answer.next_request.url
        answer.raise_for_status()
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError(f"{url} is compressed")
        async for part in answer.aiter_raw():
            data += part
            if len(data) > MAX_UPLOAD_MB * MEGABYTE:
                raise ValueError(f"{url} has more than {MAX_UPLOAD_MB} MB")
    return bytes(data)


@contextlib.asynccontextmanager
async def kept_small(folder: Path, blocks: gr.Blocks) -> AsyncIterator[None]:
    """Delete the photos in `folder` that are too old, and the oldest whenever they take too much room.

    And the last answers, with small photos in them, that gradio keeps of each session of `blocks`.
    """
    room = min(ROOM, shutil.disk_usage(folder).free // 2)
    seen: dict[Sighting, float] = {}

    async def look() -> None:
        while True:
            forget_sessions(blocks.state_holder, datetime.now())
            try:
                await anyio.to_thread.run_sync(make_room, folder, room, seen, time.monotonic())
            except OSError as error:  # such as too many open files; the next look may succeed
                print(f"app.py: old photos could not be looked for: {error}", file=sys.stderr)
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
            holder.time_last_used.pop(session)


def make_room(folder: Path, room: float, seen: dict[Sighting, float], now: float) -> None:
    """Delete files in `folder` seen OLD seconds ago, and the oldest until the rest take `room` bytes at most.

    `seen` keeps since when each is there, in seconds of a clock that nobody sets: what the files say of their
    age changes with the machine's clock, and gradio forgets those whose upload broke off.
    """
    there: dict[Sighting, int] = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # gradio deletes old ones too
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
        file = Path(photo["path"] or "").resolve()
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
