"""A bundle that does not answer as it did when it was written is not served."""

import json
import shutil

import numpy as np
import pytest
from conftest import ROOT, run, run_here

from model import bundle, hub, litert, selftest
from model.classifier import Classifier
from model.serving import load


@pytest.fixture
def classifier(tiny) -> Classifier:
    return Classifier(bundle.read(tiny))


def test_the_pictures_are_the_same_for_ever():
    drawn = [selftest.picture(seed, 64) for seed in range(selftest.PICTURES)]
    assert [(p.shape, p.dtype) for p in drawn] == [((64, 64, 3), np.uint8)] * 3
    assert [int(p.sum()) for p in drawn] == [1192427, 1022705, 987921]


def test_what_training_writes_is_what_serving_finds(classifier):
    assert "self_test" in classifier.bundle.description
    selftest.check(classifier.bundle, "leaf", classifier.answer)


def test_wrong_answers_are_found(classifier):
    def spoilt(key, change):
        return lambda pixels: (given := classifier.answer(pixels)) | {key: change(given[key])}

    for answer in (
        spoilt("probabilities", lambda p: p[:, ::-1]),
        spoilt("leaf", lambda p: p - 0.021),
        lambda pixels: classifier.answer(pixels[:, ::-1, ::-1] // 2),
    ):
        with pytest.raises(bundle.BundleError, match=r"^leaf fails its self-test, .* off the answers"):
            selftest.check(classifier.bundle, "leaf", answer)
    with pytest.raises(bundle.BundleError, match=r"^leaf answers without numbers;"):
        selftest.check(classifier.bundle, "leaf", spoilt("probabilities", lambda p: p * np.nan))

    def can_t_run(pixels: np.ndarray) -> dict:
        raise RuntimeError("Encountered unresolved custom op")  # as LiteRT does

    with pytest.raises(bundle.BundleError, match=r"^LiteRT can't run leaf here; fetch or train"):
        selftest.check(classifier.bundle, "leaf", can_t_run)
    selftest.check(classifier.bundle, "leaf", spoilt("leaf", lambda p: p - 0.019))  # another processor


def without_weights(model: bytes) -> bytes:
    """Return a LiteRT file whose weights are all zero."""
    whole, graph = litert.unpack(model)
    for buffer in whole.buffers:
        if buffer.data is not None and len(buffer.data) > 100:  # weights
            buffer.data = np.zeros_like(buffer.data)
    return litert.pack(whole, graph)


def test_the_model_without_heat_is_put_to_it_too(tiny, monkeypatch):
    without = litert.without
    monkeypatch.setattr(litert, "without", lambda model, output: without_weights(without(model, output)))
    with pytest.raises(bundle.BundleError, match="self-test"):
        load(hub.find(str(tiny)))


def test_the_model_with_heat_is_put_to_it_too(tiny, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny, tmp_path / "leaf")
    model = (tiny / "model.tflite").read_bytes()
    plain = litert.without(model, "heat")
    (folder / "model.tflite").write_bytes(without_weights(model))
    bundle.seal(folder, json.loads((folder / "bundle.json").read_text()))
    monkeypatch.setattr(litert, "without", lambda *_: plain)
    with pytest.raises(bundle.BundleError, match="self-test"):
        load(hub.find(str(folder)))


@pytest.mark.parametrize("damage", [{}, {"leaf": [1], "probabilities": None}, 3])
def test_a_damaged_record_is_one_sentence(classifier, damage):
    classifier.bundle.description["self_test"] = damage
    with pytest.raises(bundle.BundleError, match=r"^The self-test in bundle\.json of leaf is damaged;"):
        selftest.check(classifier.bundle, "leaf", classifier.answer)


def test_a_bundle_without_one_is_served_and_one_that_fails_is_not(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "leaf")
    description = json.loads((folder / "bundle.json").read_text())
    written = description.pop("self_test")
    (folder / "bundle.json").write_text(json.dumps(description))
    assert load(hub.find(str(folder))).labels == ["Early blight", "Late blight", "Healthy"]
    description["self_test"] = written | {
        "leaf": [leaf + 0.5 if leaf < 0.5 else leaf - 0.5 for leaf in written["leaf"]]
    }
    (folder / "bundle.json").write_text(json.dumps(description))
    page = ROOT / ".github" / "page.png"
    of_app, of_command = run("app.py", MODEL_REPO=folder), run_here("-m", "model", page, MODEL_REPO=folder)
    for name, ended in (("app.py", of_app), ("python -m model", of_command)):
        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1] == (
            f"{name}: leaf fails its self-test, 0.50 off the answers that it was written with; "
            "fetch or train it again, or use another machine."
        )
