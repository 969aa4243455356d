"""Feedback goes into a folder or to the Hub, if the host wants it, and is what train.py can learn from."""

import json

import httpx2
import numpy as np
import pytest
from conftest import run
from drawing import draw
from loopback_hub import LoopbackHub
from PIL import Image

from model import data, feedback

PIXELS = np.asarray(draw("Potato___healthy", 5, size=64))


def test_a_folder_becomes_a_set_to_train_on(tmp_path):
    keep = feedback.keeper(str(tmp_path))
    keep(PIXELS, "Potato___healthy", {"verdict": "unsure"})
    keep(PIXELS[::-1], "something_else", {"verdict": "diagnosis"})
    photos = data.find_photos(str(tmp_path))
    assert sorted(photo.folder for photo in photos) == ["Potato___healthy", "something_else"]
    kept = next(photo.path for photo in photos if photo.folder == "Potato___healthy")
    with Image.open(kept) as picture:
        assert np.abs(np.asarray(picture).astype(int) - PIXELS).mean() < 12
        assert not picture.getexif()
    record = json.loads(kept.with_suffix(".json").read_text())
    assert record["verdict"] == "unsure"
    assert record["time"].startswith("20")


KEEP = """
import numpy as np
from model import feedback
keep = feedback.keeper("someone/potatoes")
keep(np.zeros((64, 64, 3), np.uint8), "Potato___healthy", {})
"""


def test_the_hub_gets_each_photo_with_its_record(tmp_path):
    with LoopbackHub() as hub:
        home = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": tmp_path / "hf",
            "HOME": tmp_path,
            "HF_TOKEN": "hf_loopback",
        }
        ended = run("-c", KEEP, **home)
        assert ended.returncode == 0, ended.stderr
        repo = hub.repos["dataset", "someone/potatoes"]
        assert repo.private
        files = {name for name in repo.at("main").files if name.startswith("Potato___healthy/")}
        assert {name.rsplit(".", 1)[1] for name in files} == {"jpg", "json"}


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        (
            "hf_wrong",
            "app.py: no feedback is kept: The Hub did not let us write to the dataset someone/potatoes; "
            "check it and HF_TOKEN.",
        ),
        (
            "",
            "app.py: no feedback is kept: Set HF_TOKEN to a token that may write (or run `hf auth login`), "
            "then push again.",
        ),
    ],
)
def test_without_the_hub_the_app_goes_on(tiny, tmp_path, start, capfd, token, sentence):
    with LoopbackHub() as hub:
        home = {"HF_ENDPOINT": hub.url, "HF_HOME": tmp_path / "hf", "HOME": tmp_path, "HF_TOKEN": token}
        with start(MODEL_REPO=tiny, FEEDBACK_REPO="someone/potatoes", **home) as server:
            assert httpx2.get(f"{server.url}/health").status_code == 200
    assert sentence in capfd.readouterr().err
