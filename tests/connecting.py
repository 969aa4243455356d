"""Apps served on a thread, and connections to them, such as of uploads that only begin."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from conftest import free_port
from fastapi import FastAPI

from web.server.connections import Connection

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="leaf.jpg"\r\n\r\n'


@contextlib.contextmanager
def listening(served: FastAPI, http: type = Connection) -> Iterator[str]:
    """Serve an app on a thread; yield its address."""
    port = free_port()
    running = uvicorn.Server(uvicorn.Config(served, port=port, http=http, log_level="warning"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(timeout=10)


@contextlib.contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """Connect, to send what no client would."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        yield connection


def answer_to_the_end(connection: socket.socket) -> bytes:
    """Return all that comes until the server hangs up."""
    return b"".join(iter(lambda: connection.recv(10_000), b""))


@contextlib.contextmanager
def begun(url: str, body: bytes, length: int, path: str = "/predict") -> Iterator[socket.socket]:
    """Begin to send an upload of some length."""
    with connected(url) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        connection.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body)
        yield connection
