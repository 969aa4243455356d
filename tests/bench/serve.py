"""How fast app.py answers, beside the usual way to serve the same model (usual.py), in one run.

python tests/bench/serve.py [--rounds 5] [--model FOLDER] [--json FILE] [--plot FILE]

Takes about ten minutes on 2 cores. The same drawn photos go to both, in turn; percentiles are of the requests
of all rounds, other figures medians of the rounds. A cold start is from starting the process to its first
answer to /predict, or to its page.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx2
from conftest import ROOT, free_port
from drawing import photograph
from gradio_client import Client, handle_file

from model import bundle

BENCH = Path(__file__).parent
SIZES = {"256 pixels": (256, 256), "2 megapixels": (1632, 1224), "12 megapixels": (4000, 3000)}
AT_ONCE = (1, 8, 16, 32)
REQUESTS = 40  # in a round, of each kind, or three times as many as are sent at once
SERVERS = {
    "ours": lambda model, port: ["app.py"],
    "usual": lambda model, port: [str(BENCH / "usual.py"), "api", model, str(port)],
    "usual page": lambda model, port: [str(BENCH / "usual.py"), "page", model, str(port)],
}


@contextlib.contextmanager
def running(name: str, model: str) -> Iterator[tuple[int, subprocess.Popen, dict[str, float]]]:
    """Start a server; yield its port, its process and the seconds to its first answers, by what they are."""
    port = free_port()
    environment = {**os.environ, "MODEL_REPO": model, "GRADIO_SERVER_PORT": str(port)}
    photo, client = {"file": ("leaf.jpg", photograph(256, 256))}, httpx2.Client(timeout=60)
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *SERVERS[name](model, port)], cwd=ROOT, env=environment)
    first = {}
    try:
        for what in ("/predict", "/") if name == "ours" else ("/predict",) if name == "usual" else ("/",):
            url = f"http://127.0.0.1:{port}{what}"
            while what not in first:
                if process.poll() is not None:
                    raise RuntimeError(f"The server called {name} stopped.")
                with contextlib.suppress(httpx2.TransportError):
                    ask = {"method": "GET"} if what == "/" else {"method": "POST", "files": photo}
                    if client.request(url=url, **ask).status_code == 200:
                        first[what] = time.perf_counter() - started
                time.sleep(0.005)
        yield port, process, first
    finally:
        process.terminate()
        process.wait(timeout=30)


def peak_memory(process: subprocess.Popen) -> float:
    """Return the most memory the process ever had, in megabytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def post(photo: bytes, port: int) -> bytes:
    """Return a POST /predict as it goes over the wire: a client that costs next to nothing."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="leaf.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + photo + b"\r\n--x--\r\n"
    )
    head = (
        f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, photo: bytes, at_once: int, requests: int) -> tuple[list[float], float]:
    """Send so many requests, so many at once; return the seconds of each, and of all together."""
    request, left, times = post(photo, port), [requests], []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left[0] > 0:
            left[0] -= 1
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            times.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(at_once)))
    return times, time.perf_counter() - started


def measure(model: str, rounds: int) -> dict[str, dict[str, float]]:
    """Measure all servers; return figure -> {server: median}."""
    photos = {name: photograph(*size) for name, size in SIZES.items()}
    figures: dict[str, dict[str, list[float]]] = {}
    pooled: dict[tuple[str, str], list[float]] = {}

    def note(figure: str, server: str, value: float) -> None:
        figures.setdefault(figure, {}).setdefault(server, []).append(value)

    for _ in range(rounds):
        for name in SERVERS:
            with running(name, model) as (_, _, first):
                for what, seconds in first.items():
                    note(f"cold start to {what}, s", name, seconds)
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        servers = {name: stack.enter_context(running(name, model)) for name in SERVERS}
        small = Path(folder) / "leaf.jpg"
        small.write_bytes(photos["256 pixels"])
        clients = {
            name: Client(f"http://127.0.0.1:{servers[name][0]}", verbose=False)
            for name in ("ours", "usual page")
        }
        for turn in range(rounds + 1):  # the first one warms up
            for (size, photo), at_once, name in itertools.product(photos.items(), AT_ONCE, ("ours", "usual")):
                port, requests = servers[name][0], max(REQUESTS, 3 * at_once)
                times, whole = asyncio.run(load(port, photo, at_once, requests))
                if turn:
                    row = f"{size}, {at_once} at once"
                    pooled.setdefault((row, name), []).extend(times)
                    note(f"{row}: photos a second", name, len(times) / whole)
            for name, client in [*clients.items()] * 10:
                started = time.perf_counter()
                client.predict(handle_file(small), api_name="/predict")
                if turn:
                    row = "gradio's client, 256 pixels"
                    pooled.setdefault((row, name), []).append(time.perf_counter() - started)
        for name, (_, process, _) in servers.items():
            note("peak memory, MB", name, peak_memory(process))
    for (row, name), times in pooled.items():
        for share in (50, 95, 99):
            note(f"{row}: p{share}, ms", name, 1e3 * statistics.quantiles(times, n=100)[share - 1])
    return {
        figure: {name: statistics.median(values) for name, values in of.items()}
        for figure, of in sorted(figures.items())
    }


def plot(figures: dict[str, dict[str, float]], file: Path) -> None:
    """Draw by how much we are ahead of the usual way, figure by figure."""
    import matplotlib.pyplot as plt

    names = [figure for figure, of in figures.items() if "p50" in figure or "second" in figure]
    factors = [times_better(name, figures[name]) for name in names]
    figure, axes = plt.subplots(figsize=(8, 0.3 * len(names) + 1))
    axes.barh(names[::-1], factors[::-1], color="#4d7c3a")
    axes.set_xlabel("times better than the usual way")
    figure.tight_layout()
    figure.savefig(file)


def times_better(figure: str, of: dict[str, float]) -> float:
    """Return how many times better ours is: quicker, smaller, or more a second."""
    usual = of.get("usual", of.get("usual page"))
    return of["ours"] / usual if "a second" in figure else usual / of["ours"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    options = parser.parse_args()
    figures = measure(options.model, options.rounds)
    print(f"{'':42} {'ours':>9} {'usual':>9} {'usual page':>10}  times better")
    for figure, of in figures.items():
        cells = [f"{of[name]:10.2f}" if name in of else " " * 10 for name in SERVERS]
        print(f"{figure:42} {' '.join(cells)}  {times_better(figure, of):6.1f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    if options.plot:
        plot(figures, options.plot)


if __name__ == "__main__":
    main()
