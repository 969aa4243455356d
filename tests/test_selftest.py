"""A bundle that does not answer as it did when it was written is not served."""

import json
import shutil

import numpy as np
import pytest
from conftest import run

from model import bundle, selftest
from model.classifier import Classifier


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
        spoilt("probabilities", lambda p: p * np.nan),
        spoilt("leaf", lambda p: p - 0.021),
        lambda pixels: classifier.answer(pixels[:, ::-1, ::-1] // 2),
    ):
        with pytest.raises(bundle.BundleError, match=r"^leaf fails its self-test, .* off the answers"):
            selftest.check(classifier.bundle, "leaf", answer)
    selftest.check(classifier.bundle, "leaf", spoilt("leaf", lambda p: p - 0.019))  # another processor


@pytest.mark.parametrize("damage", [{}, {"leaf": [1], "probabilities": None}, 3])
def test_a_damaged_record_is_one_sentence(classifier, damage):
    classifier.bundle.description["self_test"] = damage
    with pytest.raises(bundle.BundleError, match=r"^The self-test in bundle\.json of leaf is damaged;"):
        selftest.check(classifier.bundle, "leaf", classifier.answer)


def test_a_bundle_without_one_is_served_and_one_that_fails_is_not(tiny, tmp_path, drawn_photos):
    folder = shutil.copytree(tiny, tmp_path / "leaf")
    description = json.loads((folder / "bundle.json").read_text())
    photo = next(drawn_photos.rglob("*.jpg"))
    for self_test, status in ((description["self_test"], 0), (None, 0), ({"leaf": [0.5] * 3}, 1)):
        told = {k: v for k, v in description.items() if k != "self_test"}
        told |= {"self_test": description["self_test"] | self_test} if self_test else {}
        (folder / "bundle.json").write_text(json.dumps(told))
        ended = run("-m", "model", photo, MODEL_REPO=folder)
        assert ended.returncode == status, ended.stderr
    assert "python -m model: leaf fails its self-test, 0." in ended.stderr
