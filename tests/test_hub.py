"""Fetching from a loopback Hub, and what happens when it fails."""

import shutil
from pathlib import Path

import pytest
from conftest import run
from huggingface_hub import constants
from loopback_repo import Repo

from model import bundle, data, publish
from model import hub as fetching

REPO = "someone/leaf"

pytestmark = pytest.mark.usefixtures("here")


def find(name: str) -> list[str | None] | str:
    """Return what is found, or the sentence that tells why nothing is."""
    try:
        found = fetching.find(name)
    except fetching.HubError as error:
        return str(error)
    return [str(found.folder), found.name, found.revision, found.notice]


def push(folder: Path) -> None:
    publish.push(folder, REPO, force=True)


def test_only_what_serving_needs_is_fetched_and_a_cut_download_arrives_whole(hub, tiny):
    push(tiny)
    hub.cut("GET", "model.tflite", 1000)
    folder, name, revision, notice = find(REPO)
    assert (name, revision, notice) == (REPO, hub.repos["model", REPO].commits[-1].sha, None)
    assert bundle.read(Path(folder)).model == (tiny / "model.tflite").read_bytes()
    assert not (Path(folder) / "model.weights.h5").exists()


def test_without_the_hub_the_copy_fetched_earlier_answers(hub, tiny):
    push(tiny)
    fetched = find(REPO)
    hub.fail("GET", "/api/models/", 503, times=10)
    folder, name, revision, notice = find(REPO)
    assert [folder, name, revision] == fetched[:3]
    assert notice == f"The Hub failed to give us {REPO}. The copy fetched earlier answers."


def test_a_page_in_place_of_the_hub_s_answer_is_no_answer(hub, tiny):
    push(tiny)
    fetched = find(REPO)
    hub.fail("GET", "/api/models/", 200)  # as a hotel's network does
    assert find(REPO) == [
        *fetched[:3],
        f"The Hub can't be reached for {REPO}. The copy fetched earlier answers.",
    ]


def test_without_the_hub_and_a_part_of_a_pinned_commit_the_default_model_answers(hub, tiny):
    push(tiny)
    pinned = f"{REPO}@{hub.repos['model', REPO].commits[-1].sha}"
    hub.fail("GET", "model.tflite", 403)
    assert find(pinned)[1] == "default"
    hub.fail("GET", "/api/models/", 503, times=10)
    folder, name, _, notice = find(pinned)
    assert (Path(folder), name) == (bundle.DEFAULT, "default")
    assert notice.endswith("The default model answers instead.")


def test_without_the_hub_and_half_of_a_newer_copy_the_one_before_answers(hub, tiny):
    push(tiny)
    fetched = find(REPO)
    push(bundle.DEFAULT)
    hub.fail("GET", "model.tflite", 403)
    folder, name, revision, notice = find(REPO)
    assert [folder, name, revision] == fetched[:3]
    assert notice == f"The Hub refused us {REPO}; check HF_TOKEN. The copy fetched earlier answers."


def test_without_the_hub_and_a_copy_the_default_model_answers(monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    folder, name, revision, notice = find(REPO)
    assert (folder, name, revision) == (str(bundle.DEFAULT), "default", None)
    assert notice == f"The Hub can't be reached for {REPO}. The default model answers instead."


def test_a_refused_token_is_told_and_the_default_model_answers(hub, tiny):
    push(tiny)
    hub.fail("GET", "/api/models/", 401, times=10)
    folder, *_, notice = find(REPO)
    assert folder == str(bundle.DEFAULT)
    assert notice == f"The Hub refused us {REPO}; check HF_TOKEN. The default model answers instead."


def test_a_folder_whose_writer_was_killed_is_found(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / ".leaf.retired")
    folder, name, *_ = find(str(tmp_path / "leaf"))
    assert name == "leaf"
    assert bundle.read(Path(folder)).model == bundle.read(tiny).model


def test_what_is_not_there_is_one_sentence(hub, at, tiny):
    push(tiny)
    assert find("someone/nothing") == (
        "There is no model someone/nothing on the Hub that we may see; check it and HF_TOKEN."
    )
    assert find(f"{REPO}@v9") == f"{REPO} has no revision v9 on the Hub."
    hub.repos["model", "someone/words"] = Repo("model", "someone/words")
    hub.repos["model", "someone/words"].commit("main", "by hand", {"README.md": b"Words.\n"})
    ended = run("-m", "model", bundle.DEFAULT, MODEL_REPO="someone/words", **at)
    sentence = "someone/words is not a Blightcheck model: it has no bundle.json."
    assert ended.stderr.splitlines()[-1] == f"python -m model: {sentence}"
    assert "No files matched" not in ended.stderr
    assert find(str(tiny / "bundle.json")) == f"{tiny}/bundle.json is a file; name the folder of a bundle."
    assert find("no such folder") == "no such folder is neither a folder here nor a Hub id like user/repo."


def test_a_data_set_that_is_not_there_is_one_sentence():
    sentence = "There is no dataset someone/none on the Hub that we may see; check it and HF_TOKEN."
    with pytest.raises(data.DataError, match=f"^{sentence}$"):
        data.find_photos("hf:someone/none")


def test_without_the_hub_the_very_revision_asked_for_answers(hub, tiny):
    push(tiny)
    fetched = find(f"{REPO}@v1")
    push(bundle.DEFAULT)
    assert find(REPO)[2] != fetched[2]
    hub.fail("GET", "/api/models/", 503, times=10)
    assert find(f"{REPO}@v1")[:3] == fetched[:3]
