"""Refusing what is too large, too slow or too frequent, while it streams in and before it is kept."""

import asyncio
import ipaddress
import time
from collections import OrderedDict

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.environment import MAX_PHOTOS, MAX_UPLOAD_MB, MEGABYTE
from web.server.refusals import as_json

OVERHEAD = 100_000  # bytes a form may need beside its photos, and a call of gradio's, which only names some
DRAIN = 4  # times the limit that we still read and discard, so that the client gets to read our answer
# Bytes of uploads that may be here at a time, of all clients.
MOST_BYTES = max(1_000, MAX_PHOTOS * MAX_UPLOAD_MB) * MEGABYTE
PATIENCE = 60  # seconds that an upload may keep us waiting
SLOWEST = 5_000  # bytes that win it one more second, up to PATIENCE: a bad mobile connection manages as many
CLIENTS = 10_000  # whose requests are counted; beyond that, the least recent one is forgotten

TOO_SLOW = "The upload took too long; please send it again."
BUSY = "Too many photos at once; please try again."
TOO_LONG = "The call is longer than any of the page or of gradio's clients; see /gradio_api/info."
UPLOAD = "/gradio_api/upload"
MCP = "/gradio_api/mcp"  # agents may send a photo within their call
AGENTS_MB = 4  # megabytes of such a call, of which the library that reads them takes hardly more
AGENTS_TOO_LONG = (
    f"The call has more than {AGENTS_MB} MB; give a photo of more than 3 MB as its http(s) address."
)


def waits_to_send(scope: Scope) -> bool:
    """Tell whether a client sends no body before it is told to go on (RFC 9110, 10.1.1)."""
    return any(name == b"expect" for name, _ in scope["headers"])


class CloseUnread:
    """ASGI middleware: closes the connection of a client that waits to send a body which nobody wants.

    Else its next request might be taken for that body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not waits_to_send(scope):
            return await self.app(scope, receive, send)
        wanted = False

        async def wanting() -> Message:
            nonlocal wanted
            wanted = True
            return await receive()

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and not wanted:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self.app(scope, wanting, closing)


class LimitUploads:
    """ASGI middleware: refuses a request body beyond the limit (413).

    For several photos the limit is `batch` times as high. It also refuses a body that does not arrive in time
    (408), or while all clients' uploads together are too many (503).
    Calls of gradio's may have OVERHEAD bytes: to read megabytes of JSON would take seconds.
    """

    def __init__(self, app: ASGIApp, megabytes: int, batch: int, patience: float = PATIENCE) -> None:
        self.app, self.megabytes, self.batch, self.patience = app, megabytes, batch, patience
        self.bytes_in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        if path.startswith(MCP):
            megabytes, sentence = AGENTS_MB, AGENTS_TOO_LONG
        elif path.startswith("/gradio_api/") and path != UPLOAD:
            megabytes, sentence = 0, TOO_LONG
        else:
            several = path in ("/predict/batch", UPLOAD)  # gradio checks each upload by itself too
            megabytes = self.megabytes * (self.batch if several else 1)
            wanted = "fewer photos" if several else "a smaller photo"
            sentence = f"The upload has more than {megabytes} MB; please send {wanted}."
        limit, too_large = megabytes * MEGABYTE + OVERHEAD, HTTPException(413, sentence)
        in_time, seen, kept = self._in_time(receive), 0, 0

        async def counted() -> Message:
            nonlocal seen, kept
            message = await in_time()
            length = len(message.get("body", b""))
            seen, kept = seen + length, kept + length
            self.bytes_in_hand += length
            if seen > limit:
                await drain(message)
                raise too_large
            if length and self.bytes_in_hand > MOST_BYTES:
                self.bytes_in_hand -= kept  # nobody else is to wait for what we let go
                kept = 0
                await drain(message)
                raise HTTPException(503, BUSY, {"Retry-After": "1"})
            return message

        async def drain(message: Message) -> None:
            nonlocal seen
            while message.get("more_body") and seen < DRAIN * limit:
                message = await in_time()
                seen += len(message.get("body", b""))

        try:
            declared = dict(scope["headers"]).get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > limit:
                if not waits_to_send(scope):
                    await drain({"more_body": True})
                raise too_large
            await self.app(scope, counted, send)
        except HTTPException as error:  # outside of the app, which has answers to its own
            await as_json(error)(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, StarletteHTTPException):
                raise
            # Such as gradio's 404 of an unknown session: its answer had begun, and now ends.
            await send({"type": "http.response.body"})
        finally:
            self.bytes_in_hand -= kept

    def _in_time(self, receive: Receive) -> Receive:
        """Receive a body as long as its client is not too slow; our own slowness does not count."""
        left, whole = self.patience, False

        async def in_time() -> Message:
            nonlocal left, whole
            if whole:  # all that can still come is that the client has gone
                return await receive()
            asked = time.monotonic()
            try:
                async with asyncio.timeout(left):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, TOO_SLOW, {"Connection": "close"}) from error
            won = len(message.get("body", b"")) / SLOWEST - (time.monotonic() - asked)
            left = min(self.patience, left + won)
            whole = not message.get("more_body")
            return message

        return in_time


class LimitRate:
    """ASGI middleware: answers 429 to a client's POST requests beyond `per_minute`, by a token bucket."""

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self.app, self.per_minute = app, per_minute
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, seconds when

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            wait = self.seconds_to_wait(_client(scope), time.monotonic())
            if wait > 0:
                if not waits_to_send(scope):
                    while (await receive()).get("more_body"):  # so that it can read our answer
                        pass
                seconds = int(wait) + 1
                sentence = f"Too many requests in a minute; please wait {seconds} s and try again."
                refusal = JSONResponse({"detail": sentence}, 429, {"Retry-After": str(seconds)})
                return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)

    def seconds_to_wait(self, client: str, now: float) -> float:
        """Count a request of a client's at a time in seconds; return how many it must wait, 0 if none."""
        left, then = self.buckets.pop(client, (self.per_minute, now))
        left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
        self.buckets[client] = (left - 1 if left >= 1 else left, now)
        if len(self.buckets) > CLIENTS:
            self.buckets.popitem(last=False)
        return 0 if left >= 1 else (1 - left) * 60 / self.per_minute


def _client(scope: Scope) -> str:
    """Name the client by its address; one that has an IPv6 address has the 2^64 beside it as well."""
    host = scope["client"][0] if scope["client"] else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped:  # ::ffff:1.2.3.4, as some proxies write it
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
