"""The optimizer: what one step does to kernels, and to all other weights."""

import keras
import numpy as np
import pytest

from model.muon import Muon

RATE = 0.01


def steps(optimizer: keras.optimizers.Optimizer) -> dict[str, np.ndarray]:
    """Take one step with a tiny network; return how far each weight moved, by layer and name."""
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(16, 3, name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(8, "relu", name="hidden"),
            keras.layers.Dense(4, name="logits"),
        ]
    )
    names = ["/".join(weight.path.split("/")[-2:]) for weight in network.weights]
    before = network.get_weights()
    random = np.random.default_rng(1)
    network.compile(optimizer, "mse")
    network.fit(random.normal(size=(32, 8, 8, 3)), random.normal(size=(32, 4)), verbose=0)
    return {name: b - a for name, a, b in zip(names, before, network.get_weights(), strict=True)}


@pytest.fixture(scope="module")
def moved() -> dict[str, np.ndarray]:
    return steps(Muon(RATE, weight_decay=0, adam_weight_decay=0))


@pytest.mark.parametrize("kernel", ["conv/kernel", "hidden/kernel"])
def test_a_kernel_moves_as_far_in_every_direction(moved, kernel):
    matrix = moved[kernel].reshape(-1, moved[kernel].shape[-1])
    lengths = np.linalg.svd(matrix, compute_uv=False)
    assert len(lengths) >= 8
    # Newton and Schulz's five steps end between 0.7 and 1.2, by their authors' choice.
    assert (lengths / (RATE * 0.2 * max(matrix.shape) ** 0.5)) == pytest.approx(1, abs=0.35)


def test_all_other_weights_move_as_with_adamw(moved):
    with_adamw = steps(keras.optimizers.AdamW(RATE, weight_decay=0))
    for path in ("conv/bias", "hidden/bias", "logits/kernel", "logits/bias"):
        assert moved[path] == pytest.approx(with_adamw[path], abs=1e-6)
