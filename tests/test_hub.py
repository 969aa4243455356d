"""The whole way over a loopback Hub: push, fetch, pin, load in Keras; and what happens when the Hub fails."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, run
from drawing import draw

from model import bundle, photo

REPO = "someone/leaf"

FIND = """
import json, sys
from model import hub
try:
    found = hub.find(sys.argv[1])
    print(json.dumps([str(found.folder), found.name, found.revision, found.notice]))
except hub.HubError as error:
    sys.exit(str(error))
"""
LOAD_IN_KERAS = """
import sys
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
print(model.predict_on_batch(np.load(sys.argv[2]))["probabilities"].tolist())
"""


def find(name, environment):
    ended = run("-c", FIND, name, **environment)
    return json.loads(ended.stdout) if ended.returncode == 0 else ended.stderr.strip()


def push(folder, environment) -> None:
    ended = run("-m", "model", "push", folder, REPO, "--force", **environment)
    assert ended.returncode == 0, ended.stderr


def test_train_push_serve_and_load_in_keras(hub, at, tiny, drawn_photos, cache, tmp_path, start):
    out = tmp_path / "first"
    short = ["--epochs", "1", "--image-size", "64"]
    ended = run(
        "train.py", "--data", drawn_photos, "--cache", cache, "--out", out, *short, "--push", REPO, **at
    )
    assert ended.returncode == 0, ended.stderr
    first = hub.repos["model", REPO].commits[-1].sha
    assert {
        "bundle.json",
        "model.tflite",
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "README.md",
    } <= set(hub.repos["model", REPO].commits[-1].files)
    push(tiny, at)  # a second version

    leaf = tmp_path / "leaf.jpg"
    draw("Potato___Late_blight", 77).save(leaf)
    answers = {}
    for name in (str(out), f"{REPO}@{first}", REPO, str(tiny)):
        with start(MODEL_REPO=name, **at) as server:
            answers[name] = server.predict(leaf).json()
    assert answers[f"{REPO}@{first}"]["model"] == {"name": REPO, "revision": first}
    for local, pushed in ((str(out), f"{REPO}@{first}"), (str(tiny), REPO)):
        assert answers[local]["probabilities"] == pytest.approx(answers[pushed]["probabilities"], abs=1e-3)
    assert answers[str(out)]["probabilities"] != pytest.approx(answers[str(tiny)]["probabilities"], abs=1e-2)

    np.save(tmp_path / "pixels.npy", photo.prepare(leaf, 64)[None])
    ended = run("-c", LOAD_IN_KERAS, f"hf://{REPO}", tmp_path / "pixels.npy", **at)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)[0] == pytest.approx(
        list(answers[REPO]["probabilities"].values()), abs=1e-3
    )


def test_only_what_serving_needs_is_fetched_and_a_cut_download_arrives_whole(hub, at, tiny):
    push(tiny, at)
    hub.cut("GET", "model.tflite", 1000)
    folder, name, revision, notice = find(REPO, at)
    assert (name, revision, notice) == (REPO, hub.repos["model", REPO].commits[-1].sha, None)
    assert bundle.read(Path(folder)).model == (tiny / "model.tflite").read_bytes()
    assert not (Path(folder) / "model.weights.h5").exists()


def test_without_the_hub_the_copy_fetched_earlier_answers(hub, at, tiny):
    push(tiny, at)
    fetched = find(REPO, at)
    hub.fail("GET", "/api/models/", 503, times=10)
    folder, name, revision, notice = find(REPO, at)
    assert [folder, name, revision] == fetched[:3]
    assert notice == f"The Hub failed to give us {REPO}. The copy fetched earlier answers."


def test_without_the_hub_and_a_copy_the_default_model_answers(at):
    folder, name, revision, notice = find(REPO, at | {"HF_ENDPOINT": "http://127.0.0.1:1"})
    assert (folder, name, revision) == (str(bundle.DEFAULT), "default", None)
    assert notice == f"The Hub can't be reached for {REPO}. The default model answers instead."


def test_a_refused_token_is_told_and_the_default_model_answers(hub, at, tiny):
    push(tiny, at)
    hub.fail("GET", "/api/models/", 401, times=10)
    folder, *_, notice = find(REPO, at)
    assert folder == str(bundle.DEFAULT)
    assert notice == f"The Hub refused us {REPO}; check HF_TOKEN. The default model answers instead."


def test_a_folder_whose_writer_was_killed_is_found(at, tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / ".leaf.retired")
    folder, name, *_ = find(str(tmp_path / "leaf"), at)
    assert name == "leaf"
    assert bundle.read(Path(folder)).model == bundle.read(tiny).model


def test_what_is_not_there_is_one_sentence(hub, at, tiny):
    push(tiny, at)
    assert find("someone/nothing", at) == (
        "There is no model someone/nothing on the Hub that we may see; check it and HF_TOKEN."
    )
    assert find(f"{REPO}@v9", at) == f"{REPO} has no revision v9 on the Hub."
    assert (
        find("no such folder", at) == "no such folder is neither a folder here nor a Hub id like user/repo."
    )


def test_data_set_and_model_to_start_from_can_come_from_the_hub(hub, at, tiny, drawn_photos, cache, tmp_path):
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.url, token="hf_loopback")
    api.create_repo("someone/photos", repo_type="dataset")
    api.upload_folder(repo_id="someone/photos", repo_type="dataset", folder_path=drawn_photos)
    push(tiny, at)
    out = tmp_path / "out"
    ended = run(
        "train.py",
        "--data",
        "hf:someone/photos",
        "--cache",
        cache,
        "--out",
        out,
        *TINY[:2],
        "--epochs",
        "1",
        "--start-from",
        REPO,
        **at,
    )
    assert ended.returncode == 0, ended.stderr
    settings = bundle.read(out).description["training"]["settings"]
    assert (settings["data"], settings["start_from"]) == (["hf:someone/photos"], REPO)
    # One epoch from scratch does not get there.
    assert bundle.read(out).description["figures"]["held-out leaves"]["accuracy"] > 0.8
    ended = run("train.py", "--data", "hf:someone/none", "--out", out, **at)
    assert ended.stderr.strip().splitlines()[-1] == (
        "train.py: There is no dataset someone/none on the Hub that we may see; check it and HF_TOKEN."
    )
