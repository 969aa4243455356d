"""From a fitted network to the model that answers: temperature and thresholds, and what it says of photos."""

import keras
import numpy as np

from model import evaluation, export
from model.batches import Predictor, predictor
from model.data import OTHER
from model.dataset import Dataset
from model.diseases import LEAST, class_membership
from model.settings import Settings, public_names
from model.verdict import DIAGNOSIS, Thresholds, certainty, verdicts

FEW = 20  # photos: sources with fewer are judged together
ENOUGH = 100  # photos in all: with fewer a network is never made surer
MAX_RISK, MAX_MISTAKEN, MAX_DECLINED = 0.05, 0.03, 0.05
UNLIKELY = 0.25  # of being a potato leaf: "not one" is said at odds of three to one; above, it is "unsure"


def calibrate(
    settings: Settings, network: keras.Model, photos: Dataset, indices: np.ndarray
) -> tuple[keras.Model, float, Thresholds]:
    """Choose temperature and thresholds on the validation photos; return the model that answers, and both."""
    to_logits = keras.Model(network.input, network.get_layer("logits").output)
    logits = predictor(to_logits, settings.batch_size)(photos.images, indices)
    labels, k = photos.class_or_other(indices), len(photos.classes)
    potato, sources = labels != OTHER, photos.sources(indices)
    membership = class_membership(photos.outputs, k)
    temperature = fit_temperature(logits[potato], membership, labels[potato], sources[potato])
    leaf = softmax(logits / temperature)[:, :k].sum(1)
    chances = probabilities(logits / temperature, membership)
    thresholds = choose_thresholds(chances, leaf, labels, sources)
    if not (verdicts(chances, leaf, thresholds)[potato] == DIAGNOSIS).any():
        print(
            'Warning: it answers none of the validation photos, but says "Unsure" to all: train for more '
            "epochs, on more photos, or with --start-from default."
        )
    return export.answering_model(network, membership, temperature), temperature, thresholds


def ask(
    predict: Predictor, thresholds: Thresholds, photos: Dataset, indices: np.ndarray
) -> evaluation.Answers:
    """Ask a model, by its `predict`, about some photos."""
    said = predict(photos.images, indices)
    names = public_names(photo.source for photo in photos.photos)
    return evaluation.Answers(
        **said,
        verdict=verdicts(said["probabilities"], said["leaf"], thresholds),
        labels=photos.class_or_other(indices),
        leaves=photos.leaves[indices],
        sources=np.array([names[source] for source in photos.sources(indices)]),
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def probabilities(logits: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Return the probabilities of the classes asked for, [n, K], as the model that answers gives them.

    logits: [n, outputs]; membership: [outputs, K], how much each output counts for each class (diseases.py).
    """
    shares = softmax(logits) @ membership + LEAST
    return shares / shares.sum(1, keepdims=True)


def fit_temperature(
    logits: np.ndarray, membership: np.ndarray, labels: np.ndarray, sources: np.ndarray
) -> float:
    """Return the temperature T, 0.625 to 8, to divide logits by (Guo et al. 2017, section 4.2).

    The best one from 0.25 to 8 maximises the likelihood of `labels` by probabilities(logits / T, membership).
    Below 1, T goes only halfway there: photos from other cameras are harder than these. With fewer than
    ENOUGH photos it is at least 1: no mistakes on a few photos does not mean none on many. Each source weighs
    the same, or many lab photos would make the network overconfident in the field.
    logits: [n, outputs]; membership: [outputs, K]; labels: int [n]; sources: [n], where a photo comes from.
    """
    rows, groups = np.arange(len(labels)), _groups(sources)

    def loss(temperature: float) -> float:
        likelihood = np.log(probabilities(logits / temperature, membership)[rows, labels].clip(1e-12))
        return -np.mean([likelihood[members].mean() for members in groups])

    least = 0.25 if len(labels) >= ENOUGH else 1
    best = float(min(np.geomspace(least, 8, 251), key=loss))
    return max(best, (1 + best) / 2)


def _groups(sources: np.ndarray) -> list[np.ndarray]:
    """Return the photos of each source as a mask, those of sources with few photos together.

    If they are few even together, they go with the smallest other source.
    """
    _, source, photos = np.unique(sources, return_inverse=True, return_counts=True)
    few = photos[source] < FEW
    smallest = np.where(photos < FEW, len(sources) + 1, photos).argmin()
    group = np.where(few, -1 if few.sum() >= FEW or few.all() else smallest, source)
    return [group == one for one in np.unique(group)]


def choose_thresholds(
    probabilities: np.ndarray,
    leaf: np.ndarray,
    labels: np.ndarray,
    sources: np.ndarray,
) -> Thresholds:
    """Choose from held-out photos when to answer.

    confidence: the least at which at most MAX_RISK of the answers are wrong and at most MAX_MISTAKEN of the
    other pictures get one; never less than a half, so that no answer is likelier wrong than right. leaf:
    declines at most MAX_DECLINED of the potato leaves, and none that is likelier than UNLIKELY. Each share
    is kept of all photos and of each source with enough of them: labs are easier than fields, and a risk kept
    on average would not be kept in the field. labels: int [n], OTHER for "not a potato leaf"; sources: [n],
    where a photo comes from.
    """
    sure, right = certainty(probabilities, leaf), probabilities.argmax(1) == labels
    potato = labels != OTHER
    parts = _parts(potato, sources, MAX_RISK)
    least = [_least_confidence(sure[part], right[part], MAX_RISK) for part in parts]
    for part in _parts(~potato, sources, MAX_MISTAKEN):
        most = np.quantile(sure[part], 1 - MAX_MISTAKEN, method="higher")
        least.append(float(np.nextafter(most, 2)))
    parts = _parts(potato, sources, MAX_DECLINED)
    unlikely = [UNLIKELY, *(np.quantile(leaf[part], MAX_DECLINED, method="lower") for part in parts)]
    return Thresholds(leaf=float(min(unlikely)), confidence=max(0.5, *least))


def _parts(mask: np.ndarray, sources: np.ndarray, share: float) -> list[np.ndarray]:
    """Return the photos of a mask, and of them those of each source that `share` means one of at least."""
    of_sources = [mask & (sources == source) for source in np.unique(sources[mask])]
    whole = [mask] if mask.any() else []
    return whole + [part for part in of_sources if part.sum() * share >= 1]


def _least_confidence(confidence: np.ndarray, right: np.ndarray, risk: float) -> float:
    order = np.argsort(-confidence)
    confidence, right = confidence[order], right[order]
    wrong = np.cumsum(~right) / np.arange(1, len(right) + 1)
    # Equal ones are answered together or not at all.
    whole = np.append(confidence[1:] != confidence[:-1], True)
    kept = np.flatnonzero((wrong <= risk) & whole)
    if not len(kept):
        return float(np.nextafter(confidence[0], 2))
    # Where all may be answered, the least sure of them is no limit: another source's may be as right.
    return 0.0 if kept[-1] == len(right) - 1 else float(confidence[kept[-1]])
