"""What the tests share: drawn photos, a tiny model trained on them for real, and a running server."""

import contextlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# Read when huggingface_hub is first imported: the loopback Hub speaks plain Git LFS only.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import anyio
import h5py
import httpx2
import numpy as np
import pytest
from drawing import draw_set
from filelock import FileLock  # which huggingface_hub needs, too
from loopback_hub import LoopbackHub

pytest_plugins = ["seeing"]  # the page, opened in a browser

ROOT = Path(__file__).parent.parent
REAL_PHOTOS = ROOT.parent / "shared" / "data"
# Files that take longest come first: at the end one worker would wait for the other. Of the first two one
# makes what many need, and the other needs nothing of it.
FIRST = ("test_whole_way", "test_resume", "test_page", "test_app", "test_connection", "test_train")
FIRST += ("test_faults", "test_serving", "test_several", "test_limits", "test_calls", "test_cnn")
# Enough to tell drawn leaves apart in under half a minute.
TINY = ["--image-size", "64", "--epochs", "15", "--batch-size", "16", "--learning-rate", "0.003"]
# For requests that stand alone, each over a connection of its own: it is plain HTTP to this machine, and a
# client for each would read the certificates of all authorities first.
HTTP = httpx2.Client(timeout=60, verify=False, limits=httpx2.Limits(max_keepalive_connections=0))


def run(*command: str | Path, **environment: str | Path) -> subprocess.CompletedProcess:
    """Run a Python command of the project as a user would, from its folder, and return how it ended."""
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, **{key: str(value) for key, value in environment.items()}},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )


def run_here(*command: str | Path, **environment: str | Path) -> subprocess.CompletedProcess:
    """Run a command as `run` does, but in this process, which spares it the seconds that its modules take.

    Only one that ends by itself, in the main thread; what it prints is returned, but not its logs.
    """
    start, *arguments = map(str, command)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
        contextlib.ExitStack() as after,
    ):
        patch.chdir(ROOT)
        for name, value in environment.items():
            patch.setenv(name, str(value))
        for hook in ("excepthook", "unraisablehook"):
            patch.setattr(sys, hook, getattr(sys, hook))  # so that it is put back
        for number in (signal.SIGTERM, signal.SIGHUP):
            after.callback(signal.signal, number, signal.getsignal(number))
        code = 0
        try:
            if start == "-m":
                patch.setattr(sys, "argv", arguments)
                patch.delitem(sys.modules, f"{arguments[0]}.__main__", raising=False)  # else runpy warns
                runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
            else:
                patch.setattr(sys, "argv", [start, *arguments])
                runpy.run_path(start, run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
        if isinstance(code, str):
            print(code, file=err)
            code = 1
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())


def run_async(function: Callable, *arguments: object) -> object:
    """Run a coroutine function to its end, on a thread: the tests' own has the browser's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, function, *arguments).result()


def weights_of(bundle: Path) -> dict[str, np.ndarray]:
    """Return the numbers of a bundle's Keras model, by their names in the file."""
    found = {}
    with h5py.File(bundle / "model.weights.h5") as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {})
        )
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in order; it stays within each."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(FIRST)))


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder of this run, the same one for all of its workers, who lock what they make in it."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def drawn_photos(shared) -> Path:
    folder = shared / "photos" / "set"
    with FileLock(shared / "photos.lock"):
        return folder if folder.exists() else draw_set(folder, leaves=40)


@pytest.fixture(scope="session")
def cache(shared) -> Path:
    return shared / "cache"


@pytest.fixture(scope="session")
def tiny(drawn_photos, cache, shared) -> Path:
    """A bundle that train.py made of the drawn photos, once for all workers."""
    out = shared / "tiny" / "bundle"
    with FileLock(shared / "tiny.lock"):
        if not out.exists():
            told = ["--data", drawn_photos, "--out", out, "--cache", cache, "--license", "cc-by-4.0", *TINY]
            ended = run("train.py", *told)
            assert ended.returncode == 0, ended.stderr
    return out


@dataclass
class Server:
    """A running app.py."""

    url: str
    process: subprocess.Popen

    def predict(self, photo: bytes | Path, **parameters: str) -> httpx2.Response:
        data = photo.read_bytes() if isinstance(photo, Path) else photo
        return HTTP.post(f"{self.url}/predict", files={"file": ("leaf.jpg", data)}, params=parameters)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve(
    cwd: Path = ROOT, python: str | Path = sys.executable, **environment: str | Path
) -> Iterator[Server]:
    """Start a folder's app.py, on a free port unless GRADIO_SERVER_PORT names one; wait until it answers."""
    port = environment.setdefault("GRADIO_SERVER_PORT", free_port())
    settings = {key: str(value) for key, value in environment.items()}
    process = subprocess.Popen([python, "app.py"], cwd=cwd, env={**os.environ, **settings})
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url + "/ping", process)
        yield Server(url, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        finally:
            process.kill()  # one that did not end fails the test, and does not outlive it


def _wait_for(url: str, process: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, "app.py stopped before it answered"
        with contextlib.suppress(httpx2.HTTPError):
            if HTTP.get(url, timeout=5).status_code == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer within a minute")


@pytest.fixture(scope="session")
def server(tiny) -> Iterator[Server]:
    """The app, serving the tiny model."""
    with serve(MODEL_REPO=tiny) as running:
        yield running


@pytest.fixture(scope="session")
def space(tiny) -> Iterator[Server]:
    """The app as on a Space, which wants Node to draw pages, and where a client may ask thrice a minute."""
    there = {"SYSTEM": "spaces", "SPACE_ID": "someone/space"}
    there |= {"GRADIO_SSR_MODE": "true", "GRADIO_NODE_PATH": "/bin/false"}
    with serve(MODEL_REPO=tiny, MAX_PER_MINUTE=3, **there) as running:
        yield running


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def at(hub, tmp_path) -> dict[str, str | Path]:
    """Environment variables of a user of that Hub, with an empty cache."""
    return {"HF_ENDPOINT": hub.url, "HF_HOME": tmp_path / "hf", "HF_TOKEN": "hf_loopback"}


@pytest.fixture
def here(hub, tmp_path, monkeypatch) -> None:
    """Make this process a user of that Hub, with an empty cache."""
    from huggingface_hub import constants  # here: kill.py, which imports this file, chooses its Hub first

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")


@pytest.fixture
def silent(hub, here, monkeypatch) -> Iterator[None]:
    """Let the Hub never answer when it is to create a repo, and this process soon give up on it."""
    from huggingface_hub import close_session

    over = threading.Event()
    hub.before("POST", "/repos/create", over.wait)
    monkeypatch.setattr("model.hub.PATIENCE", 0.2)
    close_session()  # the next one has this patience, and the one after this test not
    yield
    over.set()
    close_session()


@pytest.fixture(scope="session")
def real_photos() -> Path:
    if not REAL_PHOTOS.is_dir():
        pytest.skip("the real photos are not on this machine")
    return REAL_PHOTOS


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A running Chromium."""
    from driving import find_chromium, open_browser

    chromium = find_chromium()
    if chromium is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("Chromium is not on this machine")
    with open_browser(chromium) as running:
        yield running


def wait_for(true: Callable[[], bool]) -> None:
    """Wait until something is true, half a minute at most."""
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)
