"""A Kaggle on 127.0.0.1: enough of its HTTP API for kagglehub to download a data set."""

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

STORAGE = "/storage/archive.zip"


class LoopbackKaggle(ThreadingHTTPServer):
    """Serves one data set, owner/set, to whoever has the token; use as a context manager.

    archive: the set, as a zip file; token: None if anyone may have it; failing: a status for every call;
    cut_at: after how many bytes the next download breaks off, once; damage: what it adds to what is sent;
    requests: (method, path, Range) of all so far; tokens: those that were sent.
    """

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archive, self.token, self.failing = archive, None, 0
        self.cut_at, self.damage = None, b""
        self.requests, self.tokens = [], []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackKaggle

    def do_POST(self) -> None:
        self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.append(self.headers.get("Authorization"))
        if self.server.failing:
            self._send(self.server.failing)
        elif self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._send(401 if self.headers.get("Authorization") else 403)
        elif b'"set"' not in body:
            self._send(404)
        elif self.path.endswith("/GetDataset"):
            self._send(200, b'{"currentVersionNumber": 3}')
        else:
            self._send(302, headers={"Location": self.server.url + STORAGE})

    def do_GET(self) -> None:
        self._note()
        whole = self.server.archive
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        md5 = base64.b64encode(hashlib.md5(whole).digest()).decode()
        sent = (whole + self.server.damage)[start:]
        headers = {"Accept-Ranges": "bytes", "x-goog-hash": f"md5={md5}", "Content-Type": "application/zip"}
        cut, self.server.cut_at = self.server.cut_at, None
        self._send(206 if start else 200, sent, headers, cut)

    def _note(self) -> None:
        self.server.requests.append((self.command, self.path, self.headers.get("Range")))

    def _send(
        self, status: int, body: bytes = b"{}", headers: dict | None = None, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *_) -> None:
        pass
