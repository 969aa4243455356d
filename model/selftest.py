"""A bundle's self-test: pictures that can be drawn again, and the answers to them when it was written.

It finds a model that this machine computes wrongly, or that is not the one it says it is, before it serves.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from model.bundle import DESCRIPTION, Bundle, BundleError

PICTURES = 3
TOLERANCE = 0.02  # of a probability; processors round differently, but less than this

Answer = Callable[[np.ndarray], dict[str, np.ndarray]]


@lru_cache(PICTURES)  # a bundle is asked about them twice, with heat and without
def picture(seed: int, size: int) -> np.ndarray:
    """Draw a green blot with brown specks on a gradient, uint8 [size, size, 3] RGB, another for each seed."""
    random = np.random.RandomState(seed)  # not default_rng, whose numbers may change with numpy's version
    y, x = np.mgrid[:size, :size] / size
    ground = np.stack([x, y, (x + y) / 2], axis=2) * random.uniform(64, 255, 3)
    blot = ((x - 0.5) ** 2 + (y - 0.5) ** 2 < random.uniform(0.1, 0.2))[..., None]
    specks = random.uniform(size=(size, size, 1)) < 0.1 * seed
    leaf = np.where(specks, [90, 60, 30], [70, 140, 50])
    return (
        (np.where(blot, leaf, ground) + random.uniform(0, 20, (size, size, 3))).clip(0, 255).astype(np.uint8)
    )


def record(answer: Answer, size: int) -> dict:
    """Return what bundle.json is to hold: the answers to the pictures, as plain numbers.

    `answer` takes a picture, uint8 [size, size, 3], and returns the model's outputs, as in model/export.py.
    """
    return _numbers(_answers(answer, size))


def _answers(answer: Answer, size: int) -> list[dict[str, np.ndarray]]:
    return [answer(picture(seed, size)) for seed in range(PICTURES)]


def _numbers(answers: list[dict[str, np.ndarray]]) -> dict:
    return {
        "leaf": [round(float(given["leaf"][0]), 4) for given in answers],
        "probabilities": [[round(float(p), 4) for p in given["probabilities"][0]] for given in answers],
    }


def check(bundle: Bundle, name: str, answer: Answer) -> None:
    """Raise BundleError unless the bundle called `name` answers as it did when it was written.

    One written before there was a self-test need only answer with numbers.
    """
    try:
        answers = _answers(answer, bundle.image_size)
    except RuntimeError as error:
        raise BundleError(f"LiteRT can't run {name} here; fetch or train the model again.") from error
    if not all(np.isfinite(output).all() for given in answers for output in given.values()):
        raise BundleError(f"{name} answers without numbers; fetch or train the model again.")
    if "self_test" not in bundle.description:
        return
    given, wanted = _numbers(answers), bundle.description["self_test"]
    try:
        off = np.max([np.abs(np.subtract(given[key], wanted[key])).max() for key in given])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"The self-test in {DESCRIPTION} of {name} is damaged; fetch it again.") from error
    if not off <= TOLERANCE:  # or if it is nan
        raise BundleError(
            f"{name} fails its self-test, {off:.2f} off the answers that it was written with; "
            "fetch or train it again, or use another machine."
        )
