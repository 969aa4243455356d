"""Fuzz the requests that app.py takes from programs, and from gradio's clients.

python tests/fuzz_requests.py [--seconds 60] [--seed 1] [--model FOLDER]

Good requests are changed at random, either the body or the head, and sent to a running app. A changed body
must get an answer below 500 whose errors are JSON with a sentence (gradio's uploads: the sentence alone); a
changed head may also get none. Requests that end otherwise are printed.
"""

import argparse
import collections
import json
import random
import re
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx2
from conftest import serve
from drawing import draw
from fuzz_photo import changed
from hostile import saved

from model import bundle

AT_ONCE = 4
IN_TIME = 30  # seconds to answer
CUT_SHORT = 1  # or, if the head is changed, for it may promise more of a body than comes


def form(*fields: str) -> bytes:
    """Return a multipart form with a small photo in each of the fields."""
    photo = saved(draw("Potato___Late_blight", seed=7, size=48), "JPEG")
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="%s"; filename="leaf.jpg"\r\n' % field.encode()
        + b"Content-Type: image/jpeg\r\n\r\n%s\r\n" % photo
        for field in fields
    ]
    return b"".join(parts) + b"--b--\r\n"


def call(*data: object, **more: object) -> bytes:
    """Return a call as gradio's clients make it."""
    return json.dumps({"data": data, "session_hash": "fuzz", **more}).encode()


def good_requests(url: str) -> dict[bytes, tuple[bytes, bytes]]:
    """Return good requests to the app at that address: path -> type, body."""
    multipart, call_type = b"multipart/form-data; boundary=b", b"application/json"
    sent = httpx2.post(f"{url}/gradio_api/upload", content=form("files"), headers={"Content-Type": multipart})
    photo = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
    return {
        b"/predict?heatmap=true": (multipart, form("file")),
        b"/predict/batch": (multipart, form("files", "files")),
        b"/gradio_api/upload": (multipart, form("files")),
        b"/gradio_api/run/predict": (call_type, call(photo, "en")),
        b"/gradio_api/call/predict": (call_type, call(photo, "en")),
        b"/gradio_api/queue/join": (call_type, call(photo, "en", fn_index=4)),
        b"/gradio_api/cancel": (call_type, call(fn_index=4, event_id="a")),
        b"/gradio_api/reset": (call_type, call(event_id="a")),
    }


def exchange(port: int, request: bytes, in_time: float) -> bytes:
    """Send a request, bytes as they travel; return the answer, or what there is of one in so many seconds."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=in_time) as connection:
        try:
            connection.sendall(request)
            while part := connection.recv(65536):
                answer += part
        except (TimeoutError, ConnectionError):
            pass
    return bytes(answer)


def ending(answer: bytes, changed_head: bool) -> tuple[str, bool]:
    """Say how a request ended, and whether that is as it should be."""
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    if not status:
        return "no answer", changed_head
    code, (head, _, body) = int(status[1]), answer.partition(b"\r\n\r\n")
    if code < 400:
        return str(code), True
    if b"text/plain" in head:
        sentence = True
    else:
        try:
            # After it others may follow: the rest of what was sent can look like requests, too.
            told, _ = json.JSONDecoder().raw_decode(body.decode())
            sentence = isinstance(told["detail"], str)
        except (ValueError, LookupError, TypeError):
            sentence = False
    return str(code), sentence and (code < 500 or code == 503)


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER")
    options = parser.parse_args()
    endings: collections.Counter[str] = collections.Counter()
    bad: list[str] = []
    until = time.monotonic() + options.seconds
    with serve(MODEL_REPO=options.model) as server:
        port = int(server.url.rpartition(":")[2])
        good = good_requests(server.url)
        bodies = [body for _, body in good.values()]

        def fuzz(seed: int) -> None:
            choose = random.Random(seed)
            while time.monotonic() < until:
                path, (kind, body) = choose.choice(list(good.items()))
                in_head = choose.random() < 0.3
                if not in_head:
                    body = changed(body, bodies, choose)
                head = b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" % path
                head += b"Content-Type: %s\r\n" % kind
                head += b"Content-Length: %d\r\n\r\n" % len(body)
                request = (changed(head, bodies, choose) if in_head else head) + body
                answer = exchange(port, request, CUT_SHORT if in_head else IN_TIME)
                how, as_it_should = ending(answer, in_head)
                endings[f"{path.decode()}: {how}"] += 1
                if not as_it_should:
                    bad.append(f"{request[:300]!r}\n -> {answer[:300]!r}")

        threads = [threading.Thread(target=fuzz, args=(options.seed * AT_ONCE + i,)) for i in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(f"{sum(endings.values())} requests, {len(bad)} ended otherwise than they should")
    print(*(f"{count:9}  {how}" for how, count in sorted(endings.items())), *bad[:20], sep="\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
