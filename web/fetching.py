"""Photos named by their address: fetched from the public internet only."""

import secrets
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import gradio as gr
import httpx
import safehttpx
from gradio_client.utils import is_http_url_like

from web.environment import MAX_UPLOAD_MB, MEGABYTE

PATIENCE = 15  # seconds another server may take to send a photo, waiting for its turn included
AT_ONCE = 8  # photos fetched at a time, each of which is held in memory
HOPS = 5  # addresses that are asked for a photo, as it has moved from one to the other
NOT_FETCHED = (
    f"The photo can't be fetched: its address must be public, and give {MAX_UPLOAD_MB} MB at most within "
    f"{PATIENCE} seconds."
)

_places = anyio.Semaphore(AT_ONCE)


class ToldError(gr.Error):
    """An error that agents read as it is, too: the text of gradio's own has quotes around it."""

    def __str__(self) -> str:
        return self.message


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
            raise ToldError(NOT_FETCHED, print_exception=False) from error
        file = Path(self.GRADIO_CACHE) / secrets.token_hex(16) / "photo"
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
        return str(file)


async def fetch_from_outside(url: str) -> bytes:
    """Fetch a photo, wherever it has moved to, but never from this machine or its network.

    Raises what `fetch` does, or ValueError if it may not be fetched.
    """
    for _ in range(HOPS):
        place = urlsplit(url)
        if place.port == 0:  # of a larger one than there is, asking for it raises a ValueError
            raise ValueError(f"{url} has no port")
        address = await address_outside(place.hostname or "")
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

    Raises httpx.HTTPError, httpx.InvalidURL, or ValueError if it is larger than a photo may be, or compressed
    on its way: a few bytes could become gigabytes.
    """
    data = bytearray()
    async with (
        httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client,
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.has_redirect_location:
            # The answer's own URL has an address in place of the host, to which safehttpx connects.
            return httpx.URL(url).join(answer.headers["Location"])
        answer.raise_for_status()
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError(f"{url} is compressed")
        async for part in answer.aiter_raw():
            data += part
            if len(data) > MAX_UPLOAD_MB * MEGABYTE:
                raise ValueError(f"{url} has more than {MAX_UPLOAD_MB} MB")
    return bytes(data)
