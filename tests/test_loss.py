"""The loss tells a wrong crop from a wrong disease."""

import numpy as np
import pytest

from model.loss import folder_and_disease

OUTPUTS = [f"Potato___{name}" for name in ("Early_blight", "Late_blight", "healthy")]
OUTPUTS += ["Tomato___Late_blight", "scenes"]


def loss_of(meant: str, guess: dict[str, float], smoothing: float = 0.0) -> float:
    """Return the loss of one photo; guess: the probability of each folder, the rest shared by all."""
    labels = np.float32([[name == meant for name in OUTPUTS]])
    left = (1 - sum(guess.values())) / len(OUTPUTS)
    softmax = np.float32([[left + guess.get(name, 0) for name in OUTPUTS]])
    return float(folder_and_disease(OUTPUTS, 3, smoothing)(labels, softmax)[0])


def test_another_crop_is_a_smaller_mistake_than_another_disease():
    meant = "Potato___Late_blight"
    right, other_crop, other_disease, scene = (
        loss_of(meant, {name: 0.9})
        for name in (meant, "Tomato___Late_blight", "Potato___Early_blight", "scenes")
    )
    assert right < other_crop < other_disease == pytest.approx(scene)
    assert other_crop - right == pytest.approx(np.log(0.92 / 0.02), rel=0.05)  # only the folder's part


def test_it_is_the_sum_of_both_cross_entropies():
    softmax = {"Potato___Late_blight": 0.5, "Tomato___Late_blight": 0.3, "scenes": 0.2}
    assert loss_of("Potato___Late_blight", softmax) == pytest.approx(-np.log(0.5) - np.log(0.8), abs=1e-5)
    assert loss_of("scenes", softmax) == pytest.approx(-2 * np.log(0.2), abs=1e-5)


def test_certainty_costs_where_labels_are_smoothed():
    sure, less = ({"scenes": share} for share in (0.999, 0.9))
    assert loss_of("scenes", sure) < loss_of("scenes", less)
    assert loss_of("scenes", sure, smoothing=0.1) > loss_of("scenes", less, smoothing=0.1)


def test_without_other_folders_both_parts_are_alike():
    labels, softmax = np.eye(3, dtype=np.float32)[:1], np.float32([[0.5, 0.25, 0.25]])
    loss = folder_and_disease(OUTPUTS[:3], 3, 0.05)(labels, softmax)
    smoothed = 0.95 * labels + 0.05 / 3
    assert float(loss[0]) == pytest.approx(2 * float(-(smoothed * np.log(softmax)).sum()), abs=1e-5)
