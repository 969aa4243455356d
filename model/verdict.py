"""When to answer and when to say "can't tell": one rule, for the figures and for the page alike."""

from dataclasses import dataclass

import numpy as np

DIAGNOSIS = "diagnosis"
UNSURE = "unsure"
NOT_POTATO = "not_a_potato_leaf"


@dataclass(frozen=True)
class Thresholds:
    """What it takes to answer.

    leaf: the least probability that it is a potato leaf at all; confidence: the least that it is one and of
    its likeliest class, the product of both probabilities. (The class alone says nothing about other things:
    all classes are unlikely then, and one of them is often a hundred times likelier than the rest.)
    """

    leaf: float
    confidence: float


def certainty(probabilities: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """Return how likely a photo shows a potato leaf of its likeliest class, [n], from [n, K] and [n]."""
    return leaf * probabilities.max(axis=1)


def verdicts(probabilities: np.ndarray, leaf: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Return DIAGNOSIS, UNSURE or NOT_POTATO for each photo: str [n].

    probabilities: [n, K], each row summing to 1; leaf: the probability that it is a potato leaf, [n].
    """
    sure = certainty(probabilities, leaf) >= thresholds.confidence
    return np.where(leaf < thresholds.leaf, NOT_POTATO, np.where(sure, DIAGNOSIS, UNSURE))
