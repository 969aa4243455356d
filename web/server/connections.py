"""Connections: where the server listens, how many it takes, and how long it waits for silent ones."""

import asyncio
import json
import re
import socket
import sys

from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

WAITING = 2_048  # connections that wait to be accepted
MOST = 800  # open at once; a process that asks for no more may often open 1,024 files
HEARTBEAT = "/gradio_api/heartbeat/"  # by which gradio knows that a page is open
FILES = 10_000  # macOS allows little more
HEAD = 65_536  # bytes of a request's head, from the second read on; browsers and proxies send a few thousand
TOO_MUCH_TO_SAY = "The head of the request is too long."
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
CROWDED = "Too many connections at once; please try again."


def allow_many_files() -> None:
    """Let this process open FILES files, if it may: each connection is one, as is each large upload."""
    if sys.platform != "win32":
        import resource

        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
        if now != resource.RLIM_INFINITY and now < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address, and say so. Ends the program with a sentence if that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # With its protocol: asyncio would not know it for TCP else, and each answer would wait 40 ms (Nagle).
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform != "win32":  # where it means something else
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(WAITING)
    except (OSError, TypeError, ValueError) as error:  # the last two of what can't be an address at all
        why = error.strerror.lower() if isinstance(error, OSError) else "no such address"
        sys.exit(
            f"app.py: {host}, port {port}, can't be used ({why}); choose others with "
            "GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."
        )
    shown = f"[{host}]" if ":" in host else host
    print(f"Blightcheck is at http://{shown}:{listening.getsockname()[1]} (Ctrl-C stops it).", flush=True)
    return listening


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 by httptools, with `patience` seconds and HEAD bytes for the head of a request.

    uvicorn itself waits for ever for the first one, and for the end of one that has begun, of any length;
    between two it waits five seconds. Answers may take as long as they like, such as gradio's streams of
    events.
    """

    patience = 20.0
    _head: int | None = None  # bytes that have come of one that is not whole

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        if self.client:  # as an IPv4 address, where it is one: as such a trusted proxy is named
            host, port = self.client
            self.client = (host.removeprefix("::ffff:"), port)
        crowded = len(self.connections) > MOST
        if crowded:
            # Answered when it has asked: of a connection closed before, the client would not read why.
            self.app = JSONResponse({"detail": CROWDED}, 503, {"Retry-After": "1", "Connection": "close"})
        self._wait_for_request(min(1, self.patience) if crowded else self.patience)

    def on_message_begin(self) -> None:
        """Count the bytes of a head."""
        super().on_message_begin()
        self._head = 0

    def on_headers_complete(self) -> None:
        """Count no more."""
        super().on_headers_complete()
        self._head = None

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is too long, and ignore that a client could do more than HTTP/1.1.

        Java's own one asks so for HTTP/2 each time, and httptools would drop the body of its request.
        """
        begun = self._head is not None  # else the end of another request's body may be among the data
        if begun or self.cycle is None or not self.cycle.more_body:
            end = data.find(b"\r\n\r\n")
            if UPGRADE.search(data, 0, end if end >= 0 else len(data)):
                data = UPGRADE.sub(b"\r\nx-upgrade:", data, count=1)
        super().data_received(data)
        if begun and self._head is not None:
            self._head += len(data)
            if self._head > HEAD:
                self.send_400_response(TOO_MUCH_TO_SAY)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in JSON as everything else."""
        body = json.dumps({"detail": msg}).encode()
        head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._deadline.cancel()
        self._wait_for_request(self.patience)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Finish what is in hand, but hang up on a page: its heartbeat never ends."""
        if self.cycle and not self.cycle.response_complete and HEARTBEAT in self.scope["path"]:
            self.transport.close()
        super().shutdown()

    def _wait_for_request(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # no request is in hand
            self.timeout_keep_alive_handler()
