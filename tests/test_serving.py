"""A newer model takes the place of the one that answers, without losing a request; a bad one does not."""

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import HTTP, serve, wait_for
from drawing import draw
from loopback_repo import Repo
from making import encode

from model import bundle
from model.serving import Serving
from web.environment import number_of_minutes

REPO = "someone/leaf"
OFTEN = 0.003  # minutes


def files_of(folder, **changes) -> dict[str, bytes]:
    """Return what serving needs of a bundle, with changes to its description."""
    description = json.loads((folder / "bundle.json").read_text()) | changes
    model = (folder / "model.tflite").read_bytes()
    return {"bundle.json": json.dumps(description).encode(), "model.tflite": model}


def wait_until(url: str, true) -> dict:
    """Return what /health says once that is true."""
    until = time.monotonic() + 60
    while not true(health := HTTP.get(url + "/health").json()):
        assert time.monotonic() < until, health
        time.sleep(0.05)
    return health


def test_a_new_revision_answers_without_a_restart_and_a_bad_one_does_not(hub, at, tiny, capfd):
    repo = hub.repos["model", REPO] = Repo("model", REPO)
    first = repo.commit("main", "first", files_of(bundle.DEFAULT)).sha
    photo = encode(draw("Potato___Late_blight", 5))
    answers, stop = [], threading.Event()

    with serve(MODEL_REPO=REPO, MODEL_REFRESH_MINUTES=OFTEN, **at) as served, ThreadPoolExecutor(2) as pool:

        def ask() -> None:
            while not stop.is_set():
                answers.append(served.predict(photo))

        asking = [pool.submit(ask) for _ in range(2)]
        try:
            wait_until(served.url, lambda _: len(answers) > 4)
            second = repo.commit("main", "second", files_of(tiny)).sha
            health = wait_until(served.url, lambda health: health["model"]["revision"] == second)
            assert health["notice"] is None
            before = len(answers)
            wait_until(served.url, lambda _: len(answers) > before + 4)

            wrong = bundle.read(tiny).description["self_test"] | {"leaf": [0.5] * 3}
            classes = [{"folder": name, "label": name} for name in "abc"]
            for bad, why in (
                (files_of(tiny, self_test=wrong), "fails its self-test"),
                (files_of(tiny) | {"model.tflite": b"half"}, "is not the file it was written with"),
                (files_of(tiny, classes=classes), "its classes are others (a, b, c); start the app again"),
                ({"config.json": b"{}"}, "is not a Blightcheck model: it has no bundle.json."),
            ):
                refused = repo.commit("main", "bad", bad).sha
                health = wait_until(served.url, lambda health, sha=refused: sha in (health["notice"] or ""))
                assert health["model"]["revision"] == second
                start_of_notice = f"{REPO}@{refused} is not served, and the model before goes on answering: "
                assert health["notice"].startswith(start_of_notice)
                assert why in health["notice"]
                assert f"app.py: {health['notice']}\n" in capfd.readouterr().err
            hub.fail("GET", "/api/models/", 503, times=9999)
            wait_until(served.url, lambda health: "The Hub failed to give us" in health["notice"])
            hub.recover()
            last = repo.commit("main", "last", files_of(bundle.DEFAULT)).sha
            health = wait_until(served.url, lambda health: health["model"]["revision"] == last)
            assert health["notice"] is None
        finally:
            stop.set()
        for thread in asking:
            thread.result()
    assert {answer.status_code for answer in answers} == {200}
    told = {(a.json()["model"]["revision"], json.dumps(a.json()["probabilities"])) for a in answers}
    assert {revision for revision, _ in told} >= {first, second}
    assert len({probabilities for _, probabilities in told}) == 2  # of the two models, and of none between


def test_a_folder_that_is_written_anew_is_served_anew(tiny, tmp_path):
    folder = tmp_path / "leaf"
    shutil.copytree(bundle.DEFAULT, folder)
    serving = Serving(str(folder))
    classifier = serving.now.classifier
    serving.refresh()
    assert serving.now.classifier is classifier  # nothing new
    with bundle.writing(folder) as draft:
        shutil.copytree(tiny, draft, dirs_exist_ok=True)
    serving.refresh()
    assert serving.bundle.description == bundle.read(tiny).description
    assert serving.diagnose(encode(draw("Potato___Late_blight", 5))).pixels.shape == (64, 64, 3)
    (folder / "model.tflite").unlink()
    (folder / "model.tflite").mkdir()  # no visitor is to read where
    serving.refresh()
    assert serving.notice == (
        "leaf is not served, and the model before goes on answering: "
        "leaf can't be read (Is a directory); give it the rights it needs."
    )
    shutil.rmtree(folder)
    serving.refresh()  # and asks no Hub for one of that name
    assert serving.notice == (
        "leaf is not served, and the model before goes on answering: its folder is gone."
    )
    assert serving.bundle.description == bundle.read(tiny).description


def test_looking_for_a_newer_model_goes_on_whatever_it_finds(tmp_path, capfd):
    folder = tmp_path / "leaf"
    shutil.copytree(bundle.DEFAULT, folder)
    serving = Serving(str(folder))
    serving.keep_fresh(0.001)
    good = (folder / "bundle.json").read_text()
    (folder / "bundle.json").write_text("[" * 100_000)
    wait_for(lambda: "bundle.json in leaf is damaged" in (serving.notice or ""))
    folder.rename(tmp_path / "away")
    folder.symlink_to(folder)  # a loop, of which Python says that it is a RuntimeError
    wait_for(lambda: serving.notice.startswith("The newest model can't be served"))
    folder.unlink()
    (tmp_path / "away" / "bundle.json").write_text(good)
    (tmp_path / "away").rename(folder)
    wait_for(lambda: serving.notice is None)


def test_a_keras_model_of_somebody_else_is_one_sentence(hub, here):
    repo = hub.repos["model", REPO] = Repo("model", REPO)
    repo.commit("main", "theirs", {"config.json": b"{}", "model.weights.h5": b"weights"})
    with pytest.raises(
        bundle.BundleError, match=f"^{REPO} is not a Blightcheck model: it has no bundle.json.$"
    ):
        Serving(REPO)


def test_minutes_are_a_number_or_one_sentence(monkeypatch):
    for told, minutes in (("", 0), ("0", 0), ("0.5", 0.5), ("60", 60)):
        monkeypatch.setenv("MODEL_REFRESH_MINUTES", told)
        assert number_of_minutes("MODEL_REFRESH_MINUTES") == minutes
    for told in ("often", "-1", "nan", "inf"):
        monkeypatch.setenv("MODEL_REFRESH_MINUTES", told)
        with pytest.raises(SystemExit, match=r"^app.py: MODEL_REFRESH_MINUTES must be a number of minutes"):
            number_of_minutes("MODEL_REFRESH_MINUTES")
