"""A Space gets what serves, and nothing else; what it got serves the page with the model it was given."""

import contextlib
import os
import subprocess
import sys
import time

import httpx2
import pytest
from conftest import free_port, run
from drawing import draw
from huggingface_hub import RepoCard
from loopback_hub import LoopbackHub
from test_hub import PUSH, REPO
from test_photo import encode

SPACE = "someone/page"


@pytest.fixture
def hub():
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def at(hub, tmp_path):
    return {"HF_ENDPOINT": hub.url, "HF_HOME": tmp_path / "hf", "HF_TOKEN": "hf_loopback"}


def test_a_space_serves_the_model_it_was_given(hub, at, tiny, server, tmp_path):
    assert run("-c", PUSH, tiny, REPO, **at).returncode == 0
    with_default = run("-m", "model", "space", SPACE, **at)
    assert with_default.stdout.strip() == f"Published {hub.url}/spaces/{SPACE}"
    space = hub.repos["space", SPACE]
    assert "model/default/model.tflite" in space.at("main").files
    commits = len(space.commits)
    assert run("-m", "model", "space", SPACE, "--model", REPO, **at).returncode == 0
    assert len(space.commits) == commits + 1
    assert space.variables == {"MODEL_REPO": REPO}
    files = space.at("main").files
    assert not any(path.startswith(("model/default", "tests", "train")) for path in files)
    assert b"tensorflow" not in files["requirements.txt"]
    card = RepoCard(files["README.md"].decode())
    assert (card.data.sdk, card.data.app_file, card.data.models) == ("gradio", "app.py", [REPO])

    for path, content in files.items():
        (tmp_path / "space" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "space" / path).write_bytes(content)
    port = free_port()
    told = {**os.environ, **{key: str(value) for key, value in (at | space.variables).items()}}
    told |= {"GRADIO_SERVER_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=tmp_path / "space", env=told)
    try:
        leaf = encode(draw("Potato___Late_blight", 5))
        answer = _ask_until_it_serves(f"http://127.0.0.1:{port}/predict", leaf, process)
        assert answer["model"]["name"] == REPO
        assert answer["probabilities"] == server.predict(leaf).json()["probabilities"]
        assert httpx2.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 200
    finally:
        process.terminate()
        process.wait(timeout=20)


def _ask_until_it_serves(url: str, photo: bytes, process: subprocess.Popen) -> dict:
    while process.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.post(url, files={"file": photo}, timeout=60).json()
        time.sleep(0.05)
    raise AssertionError("The Space stopped before it answered.")


def test_a_dry_run_lists_and_uploads_nothing(hub, at):
    ended = run("-m", "model", "space", SPACE, "--model", REPO, "--dry-run", **at)
    paths = [line.split()[1] for line in ended.stdout.splitlines()]
    assert {"app.py", "README.md", "requirements.txt", "model/classifier.py", "web/texts/hi.json"} <= set(
        paths
    )
    assert hub.requests == []


def test_a_space_that_can_t_be_published_is_one_sentence(hub, at):
    ended = run("-m", "model", "space", SPACE, **at | {"HF_TOKEN": "hf_wrong"})
    sentence = f"The Hub refused the token when asked to publish {SPACE}; nothing was changed there."
    assert ended.stderr.strip().splitlines()[-1] == f"python -m model: {sentence}"
