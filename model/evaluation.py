"""Figures: how good a model is, on which photos, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.data import OTHER
from model.verdict import DIAGNOSIS, NOT_POTATO, certainty

CONFIDENT = 0.9  # "confidently wrong" is wrong with more than this
BINS = 15  # of the calibration error
HELD_OUT = "held-out leaves"  # the figures of a training's own test photos
DRAWS = 20_000  # from a posterior, for an interval


@dataclass(frozen=True)
class Answers:
    """What a model said of n photos, and what they show.

    probabilities: [n, K], over the classes; leaf: [n], the probability of "a potato leaf"; verdict: str [n],
    as `verdict.verdicts` gives it; labels: int [n], the class or OTHER; leaves: int [n], which leaf a photo
    shows: photos of one leaf are not independent trials; sources: str [n], where a photo comes from.
    """

    probabilities: np.ndarray
    leaf: np.ndarray
    verdict: np.ndarray
    labels: np.ndarray
    leaves: np.ndarray
    sources: np.ndarray

    def part(self, mask: np.ndarray) -> "Answers":
        """Return the answers where `mask`, bool [n], is true."""
        return Answers(**{name: values[mask] for name, values in vars(self).items()})


def pool(parts: Sequence[Answers]) -> Answers:
    """Concatenate answers."""
    return Answers(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])})


def measure_held_out(answers: Answers, classes: Sequence[str]) -> dict[str, dict]:
    """Return the figures of all held-out photos and, if there are several, of each source, by name."""
    figures, sources = {HELD_OUT: measure(answers, classes)}, np.unique(answers.sources)
    if len(sources) > 1:
        for source in sources:
            part = answers.part(answers.sources == source)
            figures[f"{HELD_OUT} of {source}"] = measure(part, classes)
    return figures


def measure(answers: Answers, classes: Sequence[str]) -> dict:
    """Return the figures of one set as plain numbers, with 95 % intervals under "..._interval".

    All figures but those under "not_potato" are of the photos that show one of `classes`.
    """
    potato = answers.labels != OTHER
    random = np.random.default_rng(0)
    figures = _of_potato(answers.part(potato), classes, random) if potato.any() else {}
    if not potato.all():
        others = answers.part(~potato)
        figures["not_potato"] = _size(others.leaves)
        _put(figures["not_potato"], "declined", others.verdict != DIAGNOSIS, others.leaves, random)
    return figures


def _size(leaves: np.ndarray) -> dict:
    return {"photos": len(leaves), "leaves": len(np.unique(leaves))}


def _of_potato(answers: Answers, classes: Sequence[str], random: np.random.Generator) -> dict:
    probabilities, labels, leaves = answers.probabilities, answers.labels, answers.leaves
    answered = answers.verdict == DIAGNOSIS
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    correct = predicted == labels
    figures = _size(leaves)
    _put(figures, "accuracy", correct, leaves, random)
    of_classes = _of_classes(predicted, labels, leaves, classes, random)
    figures["macro_recall"] = macro_recall(predicted, labels)
    figures["macro_recall_interval"] = _mean_interval(list(of_classes.values()), "recall")
    figures["classes"] = of_classes
    figures["labels"] = list(classes)
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (labels, predicted), 1)
    figures["confusion"] = counts[counts.any(1)].tolist()
    _put(figures, "answered", answered, leaves, random)
    if answered.any():
        _put(figures, "accuracy_answered", correct[answered], leaves[answered], random)
        figures["calibration_error"] = calibration_error(confidence[answered], correct[answered])
        figures["reliability"] = reliability(confidence[answered], correct[answered])
    _put(figures, "confidently_wrong", answered & ~correct & (confidence > CONFIDENT), leaves, random)
    _put(figures, "wrongly_declined", answers.verdict == NOT_POTATO, leaves, random)
    return figures


def _of_classes(
    predicted: np.ndarray,
    labels: np.ndarray,
    leaves: np.ndarray,
    classes: Sequence[str],
    random: np.random.Generator,
) -> dict[str, dict]:
    """Return support, precision, recall and F1 of each class present, by name."""
    figures = {}
    for k in np.unique(labels):
        true, positive = labels == k, predicted == k
        precision = float(true[positive].mean()) if positive.any() else 0.0
        row = figures[classes[k]] = {"support": int(true.sum()), "precision": precision}
        _put(row, "recall", positive[true], leaves[true], random)
        both = precision + row["recall"]
        row["f1"] = 2 * precision * row["recall"] / both if both else 0.0
    return figures


def _put(figures: dict, name: str, hits: np.ndarray, leaves: np.ndarray, random: np.random.Generator) -> None:
    figures[name] = float(hits.mean())
    figures[name + "_interval"] = _interval(_posterior(hits, leaves, random), figures[name])


def _posterior(hits: np.ndarray, leaves: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw from what `hits` tell about a proportion.

    Jeffreys' prior (Brown, Cai & DasGupta 2001, Statistical Science 16, p. 108) stays honest where the
    bootstrap gives up: at 100 % right. Photos of one leaf stand or fall together, so that the trials are the
    effective sample size of clusters of unequal size (Kish 1965, Survey Sampling, section 8.2).
    """
    photos = np.unique(leaves, return_counts=True)[1]
    trials = photos.sum() ** 2 / (photos**2).sum()
    successes = hits.mean() * trials
    return random.beta(successes + 0.5, trials - successes + 0.5, DRAWS)


def _interval(draws: np.ndarray, estimate: float) -> list[float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return [float(min(low, estimate)), float(max(high, estimate))]


def _mean_interval(rows: Sequence[dict], name: str) -> list[float]:
    """Return the interval of the mean of independent proportions from theirs (MOVER).

    Zou & Donner 2008, Statistics in Medicine 27, p. 1693. The mean of draws from their posteriors would be
    too low where a class has few leaves: of 30, 30 and 4 it covers a recall of 0.99 in 82 instead of 96 %.
    """
    means = np.array([row[name] for row in rows])
    low, high = np.transpose([row[f"{name}_interval"] for row in rows])
    reach = [np.sqrt(((means - bounds) ** 2).sum()) / len(rows) for bounds in (low, high)]
    return [float(means.mean() - reach[0]), float(min(1, means.mean() + reach[1]))]


def macro_recall(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean recall over the classes present, 0 to 1."""
    return float(np.mean([(predicted[labels == k] == k).mean() for k in np.unique(labels)]))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy in nats: probabilities, [n, K]; labels, int [n], -1 for the last."""
    return float(-np.log(probabilities[np.arange(len(labels)), labels].clip(1e-12)).mean())


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Return the expected calibration error over 15 equal bins, 0 to 1 (Guo et al. 2017, equation 3)."""
    bins = reliability(confidence, correct)
    return sum(row["photos"] * abs(row["confidence"] - row["right"]) for row in bins) / len(confidence)


def reliability(confidence: np.ndarray, correct: np.ndarray) -> list[dict]:
    """Return, of each of the 15 bins that holds any photos, their number, mean confidence and share right."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [bins == b for b in np.unique(bins)]
    return [
        {"photos": int(m.sum()), "confidence": float(confidence[m].mean()), "right": float(correct[m].mean())}
        for m in members
    ]


def worst_mistakes(answers: Answers) -> np.ndarray:
    """Return the indices of wrong answers, the most confident first, int [m].

    A photo of one of the classes is a mistake if another is likelier, one of anything else if it got a
    diagnosis.
    """
    predicted = answers.probabilities.argmax(1)
    wrong = np.where(answers.labels != OTHER, predicted != answers.labels, answers.verdict == DIAGNOSIS)
    order = np.argsort(-certainty(answers.probabilities, answers.leaf), kind="stable")
    return order[wrong[order]]


def table(name: str, figures: dict) -> str:
    """Return the figures of one set as lines for a terminal."""
    others = figures.get("not_potato", {})
    sizes = [f"{figures['photos']} photos of {figures['leaves']} leaves"] if "photos" in figures else []
    sizes += [f"{others['photos']} other picture{'s' * (others['photos'] != 1)}"] if others else []
    lines = [f"{name}: {' and '.join(sizes)}"]
    if "classes" in figures:
        lines.append(
            f"  {'class':<24}{'precision':>10}{'recall':>8}{'95 % interval':>17}{'F1':>8}{'photos':>8}"
        )
        lines += [
            f"  {label:<24}{row['precision']:>10.3f}{row['recall']:>8.3f}{_range(row, 'recall'):>17}"
            f"{row['f1']:>8.3f}{row['support']:>8}"
            for label, row in figures["classes"].items()
        ]
    titles = {
        "accuracy": "accuracy",
        "macro_recall": "macro recall",
        "answered": "share answered",
        "accuracy_answered": "accuracy among the answered",
        "confidently_wrong": "confidently wrong",
        "wrongly_declined": 'wrongly "not a potato leaf"',
    }
    rows = [(title, figures, key) for key, title in titles.items()]
    rows.append(("other pictures declined", others, "declined"))
    lines += [
        f"  {title:<34}{row[key]:>8.3f}{_range(row, key):>17}" for title, row, key in rows if key in row
    ]
    if "calibration_error" in figures:
        lines.append(f"  {'calibration error (ECE)':<34}{figures['calibration_error']:>8.3f}")
    return "\n".join(lines)


def _range(row: dict, key: str) -> str:
    low, high = row[key + "_interval"]
    return f"{low:.3f} to {high:.3f}"
