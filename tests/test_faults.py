"""What goes wrong around the app: poisoned models, a stop in the middle, no rights, no home, sudden death."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import keras
import pytest
from conftest import ROOT, free_port, run
from test_limits import HEAD, begun
from test_photo import JPEG

from model import bundle, export


def resealed(tiny: Path, folder: Path) -> Path:
    """Write bundle.json anew after a file was changed, as whoever poisons a bundle would."""
    description = json.loads((folder / bundle.DESCRIPTION).read_text())
    del description["files"], description["format_version"]
    bundle.seal(folder, description)
    return folder


@pytest.fixture
def poisoned(tiny, tmp_path) -> Path:
    return shutil.copytree(tiny, tmp_path / "poisoned")


DOES_NOT_FIT = "model.tflite does not fit bundle.json; fetch or train the model again."
POISON = {
    "truncated": (lambda model: model[: len(model) // 2], DOES_NOT_FIT),
    "without numbers": (
        lambda model: model[: len(model) // 2] + b"\xff" * 2000 + model[len(model) // 2 + 2000 :],
        "poisoned answers without numbers; fetch or train the model again.",
    ),
}


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_model_stops_the_app_with_one_sentence(tiny, poisoned, name):
    poison, sentence = POISON[name]
    file = poisoned / bundle.LITERT_MODEL
    file.write_bytes(poison(file.read_bytes()))
    ended = run("app.py", MODEL_REPO=resealed(tiny, poisoned))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"app.py: {sentence}"
    assert "Traceback" not in ended.stderr


def test_no_code_comes_with_a_model(tiny, poisoned, tmp_path):
    said = str(tmp_path / "said")
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Lambda(lambda x: (open(said, "w"), x)[1])(inputs)  # noqa: SIM115, PTH123
    Path(said).unlink()  # it ran when it was made
    keras.Model(inputs, outputs).save(tmp_path / "code", zipped=False)
    shutil.copytree(tmp_path / "code", poisoned, dirs_exist_ok=True)
    with pytest.raises(
        bundle.BundleError, match=r"^The Keras model in poisoned is damaged or not made of plain"
    ):
        export.load_keras(resealed(tiny, poisoned))
    assert not Path(said).exists()


@pytest.mark.parametrize(("what", "times"), [("writing", 50), ("saving", 2), ("pushing", 2), ("swapping", 1)])
def test_sudden_deaths_break_nothing(what, times):
    ended = run("tests/kill.py", "--times", times, what)
    assert ended.returncode == 0, ended.stderr
    assert "kills, nothing broken: " in ended.stdout


def test_a_stop_waits_for_the_request_in_hand(tiny, start):
    with start(MODEL_REPO=tiny) as server:
        rest = JPEG + b"\r\n--b--\r\n"
        with begun(server.url, HEAD, len(HEAD) + len(rest)) as connection:
            assert server.predict(JPEG).status_code == 200  # by now it has seen the other one's beginning
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(httpx2.TransportError):
                while True:  # until it takes no one else
                    httpx2.get(f"{server.url}/ping")
            connection.sendall(rest)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        server.process.wait(timeout=20)


def test_it_runs_without_rights_and_without_a_home(tmp_path):
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can give up rights")
    port = free_port()
    # May read everything, as Python may lie in root's home, and write nothing but temporary files.
    nobody = [
        "setpriv",
        "--reuid=12345",
        "--regid=12345",
        "--clear-groups",
        "--inh-caps=-all,+dac_read_search",
    ]
    environment = {"PATH": os.environ["PATH"], "GRADIO_SERVER_PORT": str(port)}
    process = subprocess.Popen(
        [*nobody, "--ambient-caps=-all,+dac_read_search", sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(httpx2.TransportError):
                assert httpx2.get(url, timeout=60).status_code == 200  # the page
                break
            time.sleep(0.05)
        answer = httpx2.post(f"{url}/predict", files={"file": JPEG}, timeout=60)
        assert answer.status_code == 200
        sent = httpx2.post(f"{url}/gradio_api/upload", files={"files": JPEG}, timeout=60)
        assert sent.status_code == 200
    finally:
        process.terminate()
        assert "Traceback" not in process.communicate(timeout=20)[1]
