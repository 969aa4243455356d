"""The whole way over a loopback Hub: photos, a training, its model and a Space, and whoever loads them."""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import HTTP, TINY, run, serve
from huggingface_hub import HfApi, ModelCard
from PIL import Image

from model import bundle, photo
from model.classifier import Classifier

PHOTOS, REPO, SPACE = "someone/photos", "someone/leaf", "someone/page"
LOAD_IN_KERAS = """
import sys
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
print(model.predict_on_batch(np.load(sys.argv[2]))["probabilities"].tolist())
"""


def new_environment(folder: Path, requirements: Path) -> Path:
    """Return the Python of a new virtual environment with these requirements."""
    assert run("-m", "venv", folder).returncode == 0
    python = folder / "bin" / "python"
    ended = run("-m", "pip", f"--python={python}", "install", "-q", "-r", requirements)
    assert ended.returncode == 0, ended.stderr
    return python


def test_photos_to_model_to_page_to_keras(hub, at, tiny, drawn_photos, cache, tmp_path):
    api = HfApi(endpoint=hub.url, token="hf_loopback")
    api.create_repo(PHOTOS, repo_type="dataset")
    api.upload_folder(repo_id=PHOTOS, repo_type="dataset", folder_path=drawn_photos)
    assert run("-m", "model", "push", tiny, REPO, **at).returncode == 0
    repo = hub.repos["model", REPO]

    out = tmp_path / "out"
    told = ["--data", f"hf:{PHOTOS}", "--cache", cache, "--out", out, *TINY[:2], "--epochs", "1"]
    told += ["--start-from", REPO, "--teacher", tiny]
    ended = run("train.py", *told, "--push", REPO, "--force", **at)
    assert ended.returncode == 0, ended.stderr
    assert "may have been trained on leaves" not in ended.stdout  # all three had the same leaves held out
    description = bundle.read(out).description
    settings = description["training"]["settings"]
    assert (settings["data"], settings["start_from"]) == ([f"hf:{PHOTOS}"], REPO)
    assert settings["teacher"] == ["bundle"]
    assert description["training"]["command"].endswith("--start-from someone/leaf --teacher bundle")
    # One epoch from scratch does not get there.
    assert description["figures"]["held-out leaves"]["accuracy"] > 0.8
    assert repo.tags == {"v1": repo.commits[-2].sha, "v2": repo.commits[-1].sha}
    files = repo.at("v2").files
    assert files.keys() - {".gitattributes"} == {"README.md", "bundle.json", *description["files"]}
    assert ModelCard(files["README.md"].decode()).data.datasets == [PHOTOS]

    assert run("-m", "model", "space", SPACE, "--model", REPO, **at).returncode == 0
    space = hub.repos["space", SPACE]
    for path, content in space.at("main").files.items():
        (tmp_path / "space" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "space" / path).write_bytes(content)
    python = sys.executable
    if "CI_WHOLE_WAY" in os.environ:  # takes minutes
        python = new_environment(tmp_path / "venv", tmp_path / "space" / "requirements.txt")
    leaf = tmp_path / "leaf.jpg"
    Image.new("RGB", (200, 200), "grey").save(leaf)  # of a drawn leaf both models are as certain as can be
    with serve(tmp_path / "space", python, **at | space.variables) as page:
        newest = page.predict(leaf).json()
        assert HTTP.get(page.url).status_code == 200
    assert newest["model"] == {"name": REPO, "revision": repo.tags["v2"]}
    first, second = (Classifier(bundle.read(folder)).diagnose(leaf).probabilities for folder in (tiny, out))
    assert newest["probabilities"] == pytest.approx(second, abs=1e-3)
    assert first != pytest.approx(second, abs=1e-3)

    table = tmp_path / "pinned.csv"
    ended = run("-m", "model", leaf, "--csv", table, **at, MODEL_REPO=f"{REPO}@v1")
    assert ended.returncode == 0, ended.stderr
    row = next(csv.DictReader(table.open()))
    assert {label: float(row[label]) for label in first} == pytest.approx(first, abs=1e-3)

    np.save(tmp_path / "pixels.npy", photo.prepare(leaf, 64)[None])
    ended = run("-c", LOAD_IN_KERAS, f"hf://{REPO}", tmp_path / "pixels.npy", **at)
    assert ended.returncode == 0, ended.stderr
    in_keras = json.loads(ended.stdout)[0]
    assert in_keras == pytest.approx(list(newest["probabilities"].values()), abs=1e-3)
