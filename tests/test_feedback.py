"""Feedback goes into a folder or to the Hub, if the host wants it, and is what train.py can learn from."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import run
from drawing import draw
from huggingface_hub import constants
from loopback_hub import LoopbackHub
from making import JPEG
from PIL import Image

import app
from model import data, feedback, hub
from model.serving import Serving
from web import page

PIXELS = np.asarray(draw("Potato___healthy", 5, size=64))


def test_a_folder_becomes_a_set_to_train_on(tmp_path):
    kept = feedback.Feedback(str(tmp_path))
    for _ in range(2):  # the same photo twice is one photo
        kept.keep(PIXELS, "Potato___healthy", {"verdict": "unsure"})
    kept.keep(PIXELS[::-1], "Potato___Late_blight", {"verdict": "diagnosis"})
    kept.keep(PIXELS[::-1], "something_else", {"verdict": "diagnosis"})  # a changed mind
    photos = data.find_photos(str(tmp_path))
    assert sorted(photo.folder for photo in photos) == ["Potato___healthy", "something_else"]
    kept = next(photo.path for photo in photos if photo.folder == "Potato___healthy")
    with Image.open(kept) as picture:
        assert np.abs(np.asarray(picture).astype(int) - PIXELS).mean() < 12
        assert not picture.getexif()
    record = json.loads(kept.with_suffix(".json").read_text())
    assert record["verdict"] == "unsure"
    assert record["time"].startswith("20")


def test_a_full_disk_keeps_no_half_of_it(tmp_path, monkeypatch):
    def full(*_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    kept = feedback.Feedback(str(tmp_path))
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        kept.keep(PIXELS, "Potato___healthy", {})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_full_disk_leaves_the_photo_that_was_kept_before(tmp_path, monkeypatch):
    def full(*_, **__) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    kept = feedback.Feedback(str(tmp_path))
    kept.keep(PIXELS, "Potato___healthy", {})
    monkeypatch.setattr(Image.Image, "save", full)
    kept.keep(PIXELS, "Potato___healthy", {})
    assert len(list(tmp_path.rglob("*.*"))) == 2


def test_a_folder_may_lie_at_home_and_a_misspelt_one_is_no_repo(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "given").mkdir()
    assert feedback.Feedback("~/given").folder == tmp_path / "given"
    with pytest.raises(hub.HubError, match=r"^givne is neither a folder here nor a Hub id like user/repo\.$"):
        feedback.Feedback("givne")


KEEP = """
import sys
import numpy as np
from model.feedback import Feedback
kept = Feedback("someone/potatoes")
kept.keep(np.full((64, 64, 3), int(sys.argv[1]), np.uint8), sys.argv[2], {})
kept.close()
"""


def test_the_hub_gets_each_photo_once_with_its_record(tmp_path):
    with LoopbackHub() as hub:
        home = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": tmp_path / "hf",
            "HOME": tmp_path,
            "HF_TOKEN": "hf_loopback",
        }
        assert run("-c", KEEP, 1, "Potato___healthy", **home).returncode == 0
        repo = hub.repos["dataset", "someone/potatoes"]
        assert repo.private
        first = set(repo.at("main").files)
        assert {name.rsplit(".", 1)[1] for name in first - {".gitattributes"}} == {"jpg", "json"}
        hub.fail("POST", "/commit/", 503, times=20)
        ended = run("-c", KEEP, 2, "Potato___healthy", **home)
        assert "The Hub can't be reached; feedback waits in" in ended.stdout
        assert set(repo.at("main").files) == first
        hub.recover()
        assert run("-c", KEEP, 3, "Potato___healthy", **home).returncode == 0
        sent = set(repo.at("main").files) - first
        assert len(sent) == 4  # the second and the third photo, with their records
        assert run("-c", KEEP, 1, "something_else", **home).returncode == 0  # a changed mind
        moved = set(repo.at("main").files) - first - sent
        assert {name.rsplit("/", 1)[0] for name in moved} == {"something_else"}
        assert {".gitattributes"} | sent | moved == set(repo.at("main").files) | {".gitattributes"}
        assert list((tmp_path / ".local").rglob("*.*")) == []


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        (
            "hf_wrong",
            "app.py: no feedback is kept: The Hub does not let us write to someone/potatoes; "
            "check it and HF_TOKEN.",
        ),
        (
            "hf_пароль",
            "app.py: no feedback is kept: HF_TOKEN holds letters that no token has; copy it again.",
        ),
        (
            "",
            "app.py: no feedback is kept: Set HF_TOKEN to a token that may write (or run `hf auth login`), "
            "then try again.",
        ),
    ],
)
def test_without_the_hub_the_app_goes_on(tmp_path, monkeypatch, capsys, token, sentence):
    with LoopbackHub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setenv("FEEDBACK_REPO", "someone/potatoes")
        assert app.open_feedback() is None
    assert sentence in capsys.readouterr().err


def test_a_hub_that_never_answers_does_not_keep_the_app_from_coming_up(silent, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FEEDBACK_REPO", "someone/potatoes")
    assert app.open_feedback() is None
    assert "no feedback is kept: The Hub can't be reached for someone/potatoes." in capsys.readouterr().err


def test_without_a_home_the_app_goes_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))  # nobody can write below it, not even root
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    monkeypatch.setenv("FEEDBACK_REPO", "someone/potatoes")
    assert app.open_feedback() is None
    assert "feedback can't be written; set HOME to a folder that can." in capsys.readouterr().err


def test_what_is_kept_lies_in_a_class_s_folder_and_is_the_photo_that_was_answered(
    tiny, tmp_path, monkeypatch
):
    uploads, kept = tmp_path / "uploads", tmp_path / "kept"
    for folder in (uploads / "name", kept):
        folder.mkdir(parents=True)
    (uploads / "name" / "leaf.jpg").write_bytes(JPEG)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    serving = Serving(str(tiny))
    blocks = page.build(serving, feedback.Feedback(str(kept)))
    send = next(function.fn for function in blocks.fns.values() if function.name == "send")
    answered = serving.diagnose(JPEG).without_arrays()

    def kept_of(said: str, about: str) -> list[str]:
        """Send the photo as of a class and an answer, which a caller may name as they like."""
        send({"path": str(uploads / "name" / "leaf.jpg")}, said, True, "en", about, answered)
        files = (path for path in tmp_path.rglob("*.*") if path.is_file() and path.parent != uploads / "name")
        return sorted(f"{file.parent.relative_to(tmp_path)}/*{file.suffix}" for file in files)

    assert kept_of("../outside", "name") == []
    assert kept_of("Potato___healthy", "another") == []
    assert kept_of("Potato___healthy", "name") == [
        "kept/Potato___healthy/*.jpg",
        "kept/Potato___healthy/*.json",
    ]


def test_a_folder_that_is_closed_to_us_is_told_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests may run as root, to whom nothing is closed
    with pytest.raises(hub.HubError, match=r" can't be written; give it the rights it needs\.$"):
        feedback.Feedback(str(tmp_path))
