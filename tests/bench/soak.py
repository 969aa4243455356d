"""Mixed good and hostile traffic at full load: does it stay as quick and as small as it was?

python tests/bench/soak.py [--minutes 30] [--at-once 8] [--model FOLDER]

Good: photos of three sizes, alone and in batches, and photos through the page's own routes. Hostile: what
cannot be read, is too large, breaks off or is given up half-way, files that cost much, and forbidden routes.
Prints requests by kind and status, memory and open files over time, and the latency of small good photos in
the first and the last minute. Ends with 1 if a request was answered otherwise than it should be.
"""

import argparse
import collections
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

import hostile
import httpx2
from conftest import Server, serve
from drawing import photograph

from model import bundle

PHOTOS = {"small": photograph(256, 256), "medium": photograph(1632, 1224), "large": photograph(4000, 3000)}
BAD = {
    "text": (b"hello", 400),
    "half a photo": (PHOTOS["medium"][: len(PHOTOS["medium"]) // 2], 400),
    "PDF": (b"%PDF-1.7", 415),
    "comments": (hostile.gif_of_comments(6_000), 413),
    "scans": (hostile.jpeg_of_many_scans(512, 500), 413),
    "chunks": (hostile.png_with(hostile.chunk(b"tEXt", b"a\0b") * 20_000), 413),
    "tags": (hostile.png_with(hostile.chunk(b"eXIf", hostile.exif_of_tags(600, 200_000))), 200),
    "too many bytes": (bytes(21_000_000), 413),
    "runs": (hostile.bmp_of_runs(2000), 200),
}
Expected = tuple[str, int, int]  # what was sent, the status that came, the status it should have


def predict(client: httpx2.Client, name: str, photo: bytes, status: int = 200) -> Expected:
    """Send a photo to /predict."""
    return name, client.post("/predict", files={"file": photo}).status_code, status


def batch(client: httpx2.Client) -> Expected:
    """Send several photos, one of them bad."""
    files = [("files", PHOTOS["small"])] * 3 + [("files", b"text")]
    return "batch", client.post("/predict/batch", files=files).status_code, 200


def page(client: httpx2.Client) -> Expected:
    """Send a photo as gradio's clients do."""
    path = client.post("/gradio_api/upload", files={"files": ("leaf.jpg", PHOTOS["small"])}).json()[0]
    asked = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "en"]}
    return "page", client.post("/gradio_api/run/predict", json=asked).status_code, 200


def forbidden(client: httpx2.Client) -> Expected:
    """Ask for what is closed."""
    return "forbidden", client.get("/gradio_api/proxy=http://127.0.0.1/").status_code, 404


def given_up(client: httpx2.Client) -> Expected:
    """Hang up in the middle of an upload."""
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n" + bytes(5_000)
        )
    return "given up", 0, 0


def requests() -> list[tuple[int, Callable[[httpx2.Client], Expected]]]:
    """List what is sent, and how often."""
    good = [(8, "small"), (3, "medium"), (1, "large")]
    listed = [(often, lambda c, n=name: predict(c, n, PHOTOS[n])) for often, name in good]
    listed += [(1, lambda c, n=name: predict(c, n, *BAD[n])) for name in BAD]
    return [*listed, (2, batch), (3, page), (1, forbidden), (1, given_up)]


def traffic(url: str, until: float, seed: int, note: Callable[[float, float, Expected], None]) -> None:
    """Send one request after the other."""
    choose, listed = random.Random(seed), requests()
    weights = [often for often, _ in listed]
    with httpx2.Client(base_url=url, timeout=120) as client:
        while (started := time.monotonic()) < until:
            _, send = choose.choices(listed, weights)[0]
            try:
                ended = send(client)
            except httpx2.TransportError as error:
                ended = (type(error).__name__, -1, 0)
            note(started, time.monotonic() - started, ended)


def state(server: Server) -> str:
    """Say how much the server holds."""
    process = Path(f"/proc/{server.process.pid}")
    memory = int((process / "status").read_text().split("VmRSS:")[1].split()[0]) / 1000
    return f"{memory:.0f} MB, {len(list((process / 'fd').iterdir()))} open files"


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER")
    options = parser.parse_args()
    counts: collections.Counter[Expected] = collections.Counter()
    small: list[tuple[float, float]] = []  # seconds since the start, seconds taken
    lock = threading.Lock()
    with serve(MODEL_REPO=options.model) as server:
        httpx2.get(server.url, timeout=60)
        begin = time.monotonic()
        until = begin + 60 * options.minutes

        def note(started: float, took: float, ended: Expected) -> None:
            with lock:
                counts[ended] += 1
                if ended[0] == "small":
                    small.append((started - begin, took))

        clients = [
            threading.Thread(target=traffic, args=(server.url, until, seed, note))
            for seed in range(options.at_once)
        ]
        for client in clients:
            client.start()
        pause = 60 * options.minutes / 10
        while any(client.is_alive() for client in clients):
            print(
                f"{time.monotonic() - begin:6.0f} s: {sum(counts.values())} requests, {state(server)}",
                flush=True,
            )
            for client in clients:
                client.join(timeout=pause / len(clients))
    window = min(60.0, 30 * options.minutes)
    for name, chosen in (
        ("first", [took for at, took in small if at < window]),
        ("last", [took for at, took in small if at > 60 * options.minutes - window]),
    ):
        cuts = statistics.quantiles(chosen, n=100)
        latency = f"p50 {1e3 * cuts[49]:.0f} ms, p99 {1e3 * cuts[98]:.0f} ms"
        print(f"{name} {window:.0f} s: {len(chosen)} small photos, {latency}")
    wrong = {ended: count for ended, count in counts.items() if ended[1] != ended[2]}
    for (name, status, _), count in sorted(counts.items()):
        print(f"{count:8}  {name}: {status}")
    sys.exit(f"{sum(wrong.values())} requests ended otherwise than they should: {wrong}" if wrong else 0)


if __name__ == "__main__":
    main()
