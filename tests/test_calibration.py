from pathlib import Path

import keras
import numpy as np
import pytest

from model import calibration, settings
from model.batches import predictor
from model.calibration import ask, calibrate, choose_thresholds, fit_temperature, softmax
from model.data import OTHER, LabelledPhoto
from model.dataset import Dataset
from model.verdict import DIAGNOSIS, NOT_POTATO, verdicts


def certain(guesses: list[int], confidence: float = 0.95) -> np.ndarray:
    """Probabilities that name the guesses with the confidence."""
    rest = (1 - confidence) / 2
    return np.where(np.eye(3)[guesses] == 1, confidence, rest)


def test_temperature_is_found_again():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 3))
    labels = np.array([random.choice(3, p=p) for p in softmax(logits)])
    found = fit_temperature(logits * 3, np.eye(3), labels, np.zeros(4000))
    assert found == pytest.approx(3, rel=0.1)


def test_a_network_is_made_surer_only_half_as_much_as_known_cameras_ask():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 3))
    labels = np.array([random.choice(3, p=p) for p in softmax(logits)])
    assert fit_temperature(logits / 2, np.eye(3), labels, np.zeros(4000)) == pytest.approx(0.75, rel=0.1)


def test_a_few_photos_of_another_source_hardly_change_the_temperature():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 3))
    labels = np.array([random.choice(3, p=p) for p in softmax(logits)])
    logits[0], labels[0] = (0, 8, 0), 0  # wrong, and sure of it
    alone = np.arange(4000) == 0
    assert fit_temperature(logits * 3, np.eye(3), labels, alone) == pytest.approx(3, rel=0.1)


def test_each_source_has_its_say_in_the_temperature():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 3))
    labels = np.array([random.choice(3, p=p) for p in softmax(logits)])
    field = np.arange(4000) >= 3900
    logits[field] *= 4  # too sure of itself there
    found = fit_temperature(logits, np.eye(3), labels, field)
    assert 1.3 < found < 4


def test_thresholds_keep_the_risk_in_the_worst_source():
    random = np.random.default_rng(4)
    n = 2000
    confidence = random.uniform(0.4, 1, n)
    sources = np.where(np.arange(n) % 2, "lab", "field")
    right = random.random(n) < np.where(sources == "lab", 0.99, confidence)
    probabilities = np.column_stack([confidence, (1 - confidence) * 0.6, (1 - confidence) * 0.4])
    labels = np.where(right, 0, 1)
    leaf = np.full(n, 0.9)
    chosen = choose_thresholds(probabilities, leaf, labels, sources)
    answered = (verdicts(probabilities, leaf, chosen) == DIAGNOSIS) & (sources == "field")
    assert 0.7 < chosen.confidence < 0.9
    assert 0.045 < (~right)[answered].mean() <= 0.05
    assert chosen.leaf == 0.25


def test_an_easy_source_and_a_small_one_leave_the_others_their_answers():
    sure = np.concatenate([np.linspace(0.6, 1, 100), np.full(200, 0.99), np.full(9, 0.9)])
    sources = np.repeat(["field", "lab", "mini"], (100, 200, 9))
    labels = np.zeros(309, int)
    labels[-1] = 1  # one of nine has a wrong label
    leaf = np.where(labels == 1, 0.001, 1.0)
    probabilities = np.column_stack([sure, 1 - sure])
    chosen = choose_thresholds(probabilities, leaf, labels, sources)
    assert (chosen.leaf, chosen.confidence) == (0.25, 0.5)


def test_who_was_never_wrong_on_few_photos_is_made_no_surer():
    logits, labels = np.eye(3)[[0, 1, 2] * 33] * 4, np.array([0, 1, 2] * 33)
    assert fit_temperature(logits, np.eye(3), labels, np.zeros(99)) == 1
    logits, labels = np.eye(3)[[0, 1, 2] * 34] * 4, np.array([0, 1, 2] * 34)
    assert fit_temperature(logits, np.eye(3), labels, np.zeros(102)) < 1


def test_few_other_pictures_get_an_answer():
    random = np.random.default_rng(4)
    labels = np.where(np.arange(2000) < 1000, 0, -1)
    leaf = np.where(labels == 0, random.uniform(0.5, 1, 2000), random.uniform(0, 0.8, 2000))
    probabilities, sources = certain([0] * 2000), np.array(["lab"] * 2000)
    chosen = choose_thresholds(probabilities, leaf, labels, sources)
    answered = verdicts(probabilities, leaf, chosen) == DIAGNOSIS
    assert answered[labels < 0].mean() == pytest.approx(0.03, abs=0.002)
    assert answered[labels == 0].mean() > 0.4
    sources[1500:] = "sky"  # whose easy pictures must not make room for mistakes in the lab
    leaf[1500:] = 0.01
    chosen = choose_thresholds(probabilities, leaf, labels, sources)
    answered = verdicts(probabilities, leaf, chosen) == DIAGNOSIS
    assert answered[1000:1500].mean() == pytest.approx(0.03, abs=0.003)


@pytest.mark.parametrize("photos", [7, 10, 21, 245])
def test_at_most_is_at_most_also_of_few(photos):
    random = np.random.default_rng(5)
    chances = certain([0] * photos).astype(np.float32)
    leaf = random.uniform(0, 0.4, photos).astype(np.float32)
    sources = np.array(["field"] * photos)
    chosen = choose_thresholds(chances, leaf, np.zeros(photos, int), sources)
    declined = (verdicts(chances, leaf, chosen) == NOT_POTATO).sum()
    assert declined == int(0.05 * photos)  # at most that many, and no fewer than may be
    leaf += np.float32(0.6)
    chosen = choose_thresholds(chances, leaf, np.full(photos, -1), sources)
    mistaken = (verdicts(chances, leaf, chosen) == DIAGNOSIS).sum()
    assert mistaken == int(0.03 * photos)


def test_no_threshold_answers_what_is_mostly_wrong():
    tied = certain([0] * 10, 0.9)
    half_wrong = np.array([0, 1] * 5)
    chosen = choose_thresholds(tied, np.ones(10), half_wrong, np.array(["field"] * 10))
    assert not (tied.max(1) >= chosen.confidence).any()


def test_small_sources_are_judged_together_or_else_with_the_smallest_other():
    def groups(**photos: int) -> list[str]:
        sources = np.repeat(list(photos), list(photos.values()))
        return sorted("".join(np.unique(sources[group])) for group in calibration._groups(sources))

    assert groups(a=100, b=20, c=10, d=10) == ["a", "b", "cd"]
    assert groups(a=100, b=20, c=10, d=9) == ["a", "bcd"]
    assert groups(a=10, b=9) == ["ab"]


def made_of(logits: np.ndarray, labels: np.ndarray) -> tuple[keras.Model, Dataset]:
    """A network that is three times as sure as it should be of these, and the photos that it sees."""
    seen = keras.Input((4,))
    dense = keras.layers.Dense(4, name="logits")
    network = keras.Model(seen, keras.layers.Softmax()(dense(seen)))
    dense.set_weights([3 * np.eye(4), np.zeros(4)])
    outputs = ["early", "late", "healthy", "scenes"]
    photos = [LabelledPhoto(Path("x"), outputs[label], "set") for label in labels]
    images = logits.astype(np.float32)
    leaves = np.arange(len(labels)) // 2
    return network, Dataset(photos, images, images, outputs, outputs[:3], labels, leaves, [])


def test_at_the_temperature_the_thresholds_keep_their_promises(capsys):
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 4))
    labels = np.array([random.choice(4, p=p) for p in softmax(logits)])
    network, photos = made_of(logits, labels)
    model, temperature, thresholds = calibrate(settings.parse([])[0], network, photos, np.arange(4000))
    assert temperature == pytest.approx(3, rel=0.1)
    said = ask(predictor(model, 32), thresholds, photos, np.arange(4000))
    answered, potato = said.verdict == DIAGNOSIS, said.labels != OTHER
    assert (potato == (labels < 3)).all()
    assert (said.leaves == photos.leaves).all()
    wrong = (said.probabilities.argmax(1) != labels)[answered & potato].mean()
    mistaken = answered[~potato].mean()
    assert wrong <= 0.05 and mistaken <= 0.03
    assert wrong > 0.045 or mistaken > 0.025  # and no more is declined than need be
    assert "Warning" not in capsys.readouterr().out


def test_a_model_that_answers_nothing_is_told(capsys):
    network, photos = made_of(np.zeros((200, 4)), np.arange(200) % 4)
    calibrate(settings.parse([])[0], network, photos, np.arange(200))
    assert "Warning: it answers none of the validation photos" in capsys.readouterr().out
