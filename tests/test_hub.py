"""Fetching from a loopback Hub, and what happens when it fails."""

import json
import shutil
from pathlib import Path

from conftest import run
from loopback_repo import Repo

from model import bundle

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


def find(name, environment):
    ended = run("-c", FIND, name, **environment)
    return json.loads(ended.stdout) if ended.returncode == 0 else ended.stderr.strip()


def push(folder, environment) -> None:
    ended = run("-m", "model", "push", folder, REPO, "--force", **environment)
    assert ended.returncode == 0, ended.stderr


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


def test_a_page_in_place_of_the_hub_s_answer_is_no_answer(hub, at, tiny):
    push(tiny, at)
    fetched = find(REPO, at)
    hub.fail("GET", "/api/models/", 200)  # as a hotel's network does
    assert find(REPO, at) == [
        *fetched[:3],
        f"The Hub can't be reached for {REPO}. The copy fetched earlier answers.",
    ]


def test_without_the_hub_and_a_part_of_a_pinned_commit_the_default_model_answers(hub, at, tiny):
    push(tiny, at)
    pinned = f"{REPO}@{hub.repos['model', REPO].commits[-1].sha}"
    hub.fail("GET", "model.tflite", 403)
    assert find(pinned, at)[1] == "default"
    hub.fail("GET", "/api/models/", 503, times=10)
    folder, name, _, notice = find(pinned, at)
    assert (Path(folder), name) == (bundle.DEFAULT, "default")
    assert notice.endswith("The default model answers instead.")


def test_without_the_hub_and_half_of_a_newer_copy_the_one_before_answers(hub, at, tiny):
    push(tiny, at)
    fetched = find(REPO, at)
    push(bundle.DEFAULT, at)
    hub.fail("GET", "model.tflite", 403)
    folder, name, revision, notice = find(REPO, at)
    assert [folder, name, revision] == fetched[:3]
    assert notice == f"The Hub refused us {REPO}; check HF_TOKEN. The copy fetched earlier answers."


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
    hub.repos["model", "someone/words"] = Repo("model", "someone/words")
    hub.repos["model", "someone/words"].commit("main", "by hand", {"README.md": b"Words.\n"})
    ended = run("-m", "model", bundle.DEFAULT, MODEL_REPO="someone/words", **at)
    sentence = "someone/words is no Blightcheck model: it has no bundle.json."
    assert ended.stderr.splitlines()[-1] == f"python -m model: {sentence}"
    assert "No files matched" not in ended.stderr
    assert (
        find("no such folder", at) == "no such folder is neither a folder here nor a Hub id like user/repo."
    )


def test_a_data_set_that_is_not_there_is_one_sentence(hub, at):
    ended = run("-c", "from model import data; data.find_photos('hf:someone/none')", **at)
    sentence = "There is no dataset someone/none on the Hub that we may see; check it and HF_TOKEN."
    assert ended.stderr.splitlines()[-1] == f"model.data.DataError: {sentence}"
