import json
from dataclasses import replace

import numpy as np
import pytest

from model import evaluation
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE, Thresholds, verdicts

CLASSES = ["Early", "Late", "Healthy"]
ALWAYS = Thresholds(leaf=0.0, confidence=0.0)


def certain(guesses: list[int], confidence: float = 0.95) -> np.ndarray:
    """Probabilities that name the guesses with the confidence."""
    rest = (1 - confidence) / 2
    return np.where(np.eye(3)[guesses] == 1, confidence, rest)


def answers(
    probabilities: np.ndarray,
    labels: np.ndarray,
    leaf: np.ndarray | float = 1.0,
    leaves: np.ndarray | None = None,
    thresholds: Thresholds = ALWAYS,
) -> evaluation.Answers:
    """What a model said; each photo shows a leaf of its own unless told otherwise."""
    leaf = np.broadcast_to(leaf, len(labels))
    return evaluation.Answers(
        probabilities=probabilities,
        leaf=leaf,
        verdict=verdicts(probabilities, leaf, thresholds),
        labels=labels,
        leaves=np.arange(len(labels)) if leaves is None else leaves,
        sources=np.array(["lab"] * len(labels)),
    )


def test_verdicts_follow_the_thresholds():
    probabilities = certain([0, 0, 0], 0.8)
    probabilities[1] = [0.4, 0.35, 0.25]
    verdict = verdicts(probabilities, np.array([0.9, 0.9, 0.2]), Thresholds(leaf=0.5, confidence=0.6))
    assert list(verdict) == [DIAGNOSIS, UNSURE, NOT_POTATO]


def test_a_doubtful_leaf_of_a_certain_class_is_no_answer():
    verdict = verdicts(certain([0, 0], 0.99), np.array([0.9, 0.55]), Thresholds(leaf=0.5, confidence=0.6))
    assert list(verdict) == [DIAGNOSIS, UNSURE]


def test_the_figures_of_a_worked_example():
    labels = np.array([0, 0, 0, 0, 1, 1, 2, -1, -1])
    probabilities = certain([0, 0, 0, 1, 1, 1, 1, 0, 0])
    leaf = np.array([1, 1, 1, 1, 1, 0.4, 0.6, 1, 0.1])  # one leaf is declined, one is unsure
    said = answers(probabilities, labels, leaf, thresholds=Thresholds(leaf=0.5, confidence=0.6))
    figures = evaluation.measure(said, CLASSES)
    assert figures["accuracy"] == figures["answered"] == pytest.approx(5 / 7)
    assert figures["macro_recall"] == pytest.approx((3 / 4 + 1 + 0) / 3)
    rows = [
        [row[name] for name in ("precision", "recall", "f1", "support")]
        for row in figures["classes"].values()
    ]
    np.testing.assert_allclose(rows, [[1, 3 / 4, 6 / 7, 4], [1 / 2, 1, 2 / 3, 2], [0, 0, 0, 1]])
    assert figures["accuracy_answered"] == pytest.approx(4 / 5)
    assert figures["calibration_error"] == pytest.approx(0.95 - 4 / 5)
    assert figures["confidently_wrong"] == figures["wrongly_declined"] == pytest.approx(1 / 7)
    assert figures["not_potato"]["declined"] == pytest.approx(0.5)
    assert figures["confusion"] == [[3, 1, 0], [0, 2, 0], [0, 1, 0]]


def test_four_photos_of_a_leaf_are_one_trial():
    labels, probabilities = np.zeros(40, int), certain([0] * 40)
    of_photos = evaluation.measure(answers(probabilities, labels), CLASSES)
    of_leaves = evaluation.measure(answers(probabilities, labels, leaves=np.arange(40) // 4), CLASSES)
    assert of_leaves["accuracy_interval"][0] < of_photos["accuracy_interval"][0] < 1
    assert of_leaves["leaves"] == 10


@pytest.mark.parametrize("sizes", [[1] * 60, [4] * 40 + [1] * 120])
def test_intervals_cover_the_truth_as_often_as_they_say(sizes):
    random = np.random.default_rng(5)
    leaves, truth, covered = np.repeat(np.arange(len(sizes)), sizes), 0.85, 0
    for _ in range(300):
        hits = (random.random(len(sizes)) < truth)[leaves]  # photos of a leaf stand or fall together
        figures = {}
        evaluation._put(figures, "share", hits, leaves, random)
        low, high = figures["share_interval"]
        covered += low <= truth <= high
    assert 0.9 <= covered / 300 <= 0.99


def test_the_macro_interval_is_narrower_than_one_classs_and_holds_the_estimate():
    labels = np.repeat([0, 1, 2], 40)
    guesses = labels.copy()
    guesses[::10] = (labels[::10] + 1) % 3
    figures = evaluation.measure(answers(certain(guesses), labels), CLASSES)
    low, high = figures["macro_recall_interval"]
    low_of_one, high_of_one = figures["classes"]["Early"]["recall_interval"]
    assert high - low < 0.75 * (high_of_one - low_of_one)
    assert low < figures["macro_recall"] - 0.02 and figures["macro_recall"] + 0.02 < high
    perfect = evaluation.measure(answers(certain(labels), labels), CLASSES)
    assert perfect["macro_recall_interval"][1] == perfect["accuracy_interval"][1] == 1
    assert perfect["macro_recall_interval"][0] > 0.9


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    assert evaluation.calibration_error(np.full(100, 0.8), np.arange(100) < 80) == pytest.approx(0)
    assert evaluation.calibration_error(np.full(100, 0.8), np.arange(100) < 50) == pytest.approx(0.3)


def test_the_reliability_diagram_shows_what_the_calibration_error_sums_up():
    random = np.random.default_rng(6)
    confidence = random.uniform(0.3, 1, 500)
    right = random.random(500) < confidence**2
    bins = evaluation.reliability(confidence, right)
    assert sum(row["photos"] for row in bins) == 500
    low, high = bins[-1]["confidence"] // (1 / 15) / 15, 1
    last = (confidence >= low) & (confidence < high)
    assert bins[-1] == pytest.approx(
        {"photos": last.sum(), "confidence": confidence[last].mean(), "right": right[last].mean()}
    )
    gaps = [row["photos"] / 500 * abs(row["confidence"] - row["right"]) for row in bins]
    assert evaluation.calibration_error(confidence, right) == pytest.approx(sum(gaps))


def test_mistakes_come_worst_first_and_of_other_things_only_those_with_a_diagnosis():
    labels = np.array([0, 0, 1, -1, -1, 2])
    probabilities = certain([0, 1, 0, 0, 0, 1])
    probabilities[1] = [0.3, 0.6, 0.1]
    leaf = np.array([1, 1, 1, 0.99, 0.2, 0.5])
    said = answers(probabilities, labels, leaf, thresholds=Thresholds(leaf=0.5, confidence=0.5))
    assert list(evaluation.worst_mistakes(said)) == [2, 3, 1, 5]


def test_pooled_answers_have_the_figures_of_all_and_of_each_source():
    of_lab = answers(certain([0, 1, 2, 0]), np.array([0, 1, 2, 1]))
    of_field = replace(answers(certain([1, 1]), np.array([0, 1])), sources=np.array(["field"] * 2))
    figures = evaluation.measure_held_out(evaluation.pool([of_lab, of_field]), CLASSES)
    assert {name: row["accuracy"] for name, row in figures.items()} == pytest.approx(
        {"held-out leaves": 4 / 6, "held-out leaves of field": 1 / 2, "held-out leaves of lab": 3 / 4}
    )
    assert list(evaluation.measure_held_out(of_lab, CLASSES)) == ["held-out leaves"]


def test_the_table_names_every_figure():
    labels = np.array([0, 1, 2, -1])
    figures = evaluation.measure(answers(certain([0, 1, 2, 0]), labels), CLASSES)
    text = evaluation.table("held-out leaves", figures)
    for words in (
        "held-out leaves: 3 photos of 3 leaves and 1 other picture",
        *("precision", "recall", "F1", *CLASSES),
        *("accuracy  ", "macro recall", "share answered", "accuracy among the answered", "confidently wrong"),
        *('wrongly "not a potato leaf"', "other pictures declined", "calibration error (ECE)"),
    ):
        assert words in text


def test_of_what_a_set_does_not_hold_there_are_no_figures():
    labels, none = np.array([0, 1, 0]), Thresholds(leaf=0.0, confidence=1.005)
    of_two = evaluation.measure(answers(certain([0, 1, 1]), labels, thresholds=none), CLASSES)
    assert list(of_two["classes"]) == ["Early", "Late"]
    assert not {"not_potato", "accuracy_answered", "calibration_error"} & of_two.keys()
    of_others = evaluation.measure(answers(certain([0]), np.array([-1])), CLASSES)
    assert list(of_others) == ["not_potato"]
    json.dumps([of_two, of_others], allow_nan=False)


def test_confidently_wrong_is_who_is_wrong_and_sure_of_it():
    probabilities = certain([0, 0, 0, 0])
    probabilities[1] = [0.8, 0.1, 0.1]
    figures = evaluation.measure(answers(probabilities, np.array([1, 1, 0, 0])), CLASSES)
    assert figures["confidently_wrong"] == pytest.approx(1 / 4)
