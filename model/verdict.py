"""When to answer and when to say "can't tell": one rule, for the figures and for the page alike."""

from dataclasses import dataclass

import numpy as np

DIAGNOSIS = "diagnosis"
UNSURE = "unsure"
NOT_POTATO = "not_a_potato_leaf"


@dataclass(frozen=True)
class Thresholds:
    """What an answer takes: the least probability that it is a potato leaf, and of its likeliest class."""

    leaf: float
    confidence: float


def verdicts(probabilities: np.ndarray, leaf: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Return DIAGNOSIS, UNSURE or NOT_POTATO for each photo: str [n].

    probabilities: [n, K], each row summing to 1; leaf: the probability that it is a potato leaf, [n].
    """
    sure = probabilities.max(axis=1) >= thresholds.confidence
    return np.where(leaf < thresholds.leaf, NOT_POTATO, np.where(sure, DIAGNOSIS, UNSURE))
