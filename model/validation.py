"""How good a network is while it is being fitted: what decides which epoch was the best."""

from collections.abc import Callable

import keras
import numpy as np

from model.batches import predictor
from model.data import OTHER
from model.dataset import Dataset
from model.evaluation import cross_entropy, macro_recall
from model.settings import Settings


def validator(
    settings: Settings, network: keras.Model, photos: Dataset, indices: np.ndarray
) -> Callable[[], dict[str, float]]:
    """Return a function that measures the network, as it is by then, on the validation photos.

    Its "recall" is the macro recall over the classes and, as one more, all other things: what has less than
    half of the probability in the classes counts as one of those.
    """
    labels, classes = photos.class_or_other(indices), len(photos.classes)
    predict = predictor(network, settings.batch_size)

    def validate() -> dict[str, float]:
        class_probabilities = predict(photos.images, indices)[:, :classes]
        leaf_probability = class_probabilities.sum(1)
        predicted = np.where(leaf_probability < 0.5, OTHER, class_probabilities.argmax(1))
        with_others = np.column_stack([class_probabilities, 1 - leaf_probability])
        return {
            "cross_entropy": cross_entropy(with_others, labels),
            "recall": macro_recall(predicted, labels),
        }

    return validate
