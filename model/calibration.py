"""From a fitted network to the model that answers: temperature and thresholds, and what it says of photos."""

import keras
import numpy as np

from model import evaluation, export, pixels
from model.dataset import OTHER, Dataset
from model.diseases import same_disease
from model.settings import Settings, public_names
from model.verdict import DIAGNOSIS, Thresholds, verdicts


def calibrate(
    settings: Settings, network: keras.Model, photos: Dataset, indices: np.ndarray
) -> tuple[keras.Model, float, Thresholds]:
    """Choose temperature and thresholds on the validation photos; return the model that answers, and both."""
    to_logits = keras.Model(network.input, network.get_layer("logits").output)
    logits = pixels.predictor(to_logits, settings.batch_size)(photos.images, indices)
    labels, k = photos.asked(indices), len(photos.classes)
    potato, sources, same = labels != OTHER, photos.sources(indices), same_disease(photos.outputs, k)
    temperature = evaluation.fit_temperature(logits[potato], same, labels[potato], sources[potato])
    leaf = evaluation.softmax(logits / temperature)[:, :k].sum(1)
    probabilities = evaluation.probabilities(logits / temperature, same)
    thresholds = evaluation.choose_thresholds(probabilities, leaf, labels, sources)
    if not (verdicts(probabilities, leaf, thresholds)[potato] == DIAGNOSIS).any():
        print(
            'Beware: it answers none of the validation photos, but says "Unsure" to all: train for more '
            "epochs, on more photos, or with --start-from default."
        )
    return export.answering_model(network, same, temperature), temperature, thresholds


def ask(
    settings: Settings, model: keras.Model, thresholds: Thresholds, photos: Dataset, indices: np.ndarray
) -> evaluation.Answers:
    """Ask the model about some photos."""
    said = pixels.predictor(model, settings.batch_size)(photos.images, indices)
    names = public_names(photo.source for photo in photos.photos)
    return evaluation.Answers(
        **said,
        verdict=verdicts(said["probabilities"], said["leaf"], thresholds),
        labels=photos.asked(indices),
        leaves=photos.leaves[indices],
        sources=np.array([names[source] for source in photos.sources(indices)]),
    )
