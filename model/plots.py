"""Plots of a training and its figures, as PNG files."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")  # no screen needed
from matplotlib import pyplot

from model import disk
from model.data import OTHER
from model.dataset import Dataset
from model.evaluation import Answers, worst_mistakes
from model.verdict import certainty

matplotlib.rcParams["text.parse_math"] = False  # names of folders and files may hold a $

MISTAKES = 24  # on the sheet of the worst


def draw(folder: Path, figures: dict[str, dict], history: list[dict]) -> None:
    """Draw the learning curves, and each set's confusion matrix and reliability diagram, into `folder`."""
    folder.mkdir(parents=True)
    if history:
        _learning_curves(folder / "learning-curves.png", history)
    labelled = {name: row for name, row in figures.items() if "classes" in row}
    _confusion_matrices(folder / "confusion.png", labelled)
    answered = {name: row for name, row in labelled.items() if "reliability" in row}
    if answered:
        _reliability_diagrams(folder / "reliability.png", answered)


def draw_mistakes(path: Path, photos: Dataset, indices: np.ndarray, answers: Answers) -> int:
    """Draw a sheet of those photos that were most confidently wrong; return how many, and draw none if 0.

    answers: what the model said of the photos that `indices` names.
    """
    path.unlink(missing_ok=True)
    worst = worst_mistakes(answers)[:MISTAKES]
    if not len(worst):
        return 0
    names, sure = photos.class_labels, certainty(answers.probabilities, answers.leaf)
    figure, axes = _panels(len(worst), columns=6, side=2.2)
    for axis, i in zip(axes, worst, strict=True):
        photo, label = photos.photos[indices[i]], answers.labels[i]
        true = photo.folder.replace("_", " ") if label == OTHER else names[label]
        said = f"{names[answers.probabilities[i].argmax()]}, {sure[i]:.0%}"
        axis.imshow(photos.images[indices[i]])
        name = disk.printable(photo.path.name[-30:])
        axis.set_title(f"{name}\ntrue: {true}\nsaid: {said}", fontsize=7)
        axis.axis("off")
    _save(figure, path)
    return len(worst)


def _save(figure: pyplot.Figure, path: Path) -> None:
    figure.savefig(path, dpi=80, bbox_inches="tight")
    pyplot.close(figure)


def _panels(number: int, columns: int = 3, side: float = 3.4) -> tuple[pyplot.Figure, np.ndarray]:
    columns = min(columns, number)
    rows = -(-number // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(side * columns, side * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[number:]:
        axis.remove()
    return figure, axes.flat[:number]


def _learning_curves(path: Path, history: list[dict]) -> None:
    curves = {
        "loss": "training loss",
        "cross_entropy": "validation cross-entropy",
        "recall": "validation macro recall, all other things as one class",
    }
    figure, axes = pyplot.subplots(1, len(curves), figsize=(12, 3), layout="constrained")
    for axis, (key, title) in zip(axes, curves.items(), strict=True):
        # A line needs two points; a single one shows as a dot.
        marker = "" if len(history) > 1 else "o"
        axis.plot(range(1, len(history) + 1), [row[key] for row in history], marker=marker)
        axis.set(title=title, xlabel="epoch")
    _save(figure, path)


def _confusion_matrices(path: Path, figures: dict[str, dict]) -> None:
    figure, axes = _panels(len(figures))
    for axis, (name, row) in zip(axes, figures.items(), strict=True):
        counts = np.array(row["confusion"])
        axis.imshow(counts / counts.sum(1, keepdims=True).clip(1), cmap="Greens", vmin=0, vmax=1)
        for (i, j), count in np.ndenumerate(counts):
            axis.text(
                j,
                i,
                count,
                ha="center",
                va="center",
                color="white" if counts[i, j] * 2 > counts[i].sum() else "k",
            )
        labels = list(row["classes"])
        axis.set_yticks(range(len(labels)), labels, fontsize=7)
        axis.set_xticks(range(counts.shape[1]), row["labels"], fontsize=7, rotation=20)
        axis.set_title(name, fontsize=8)
        axis.set(xlabel="said", ylabel="true")
    _save(figure, path)


def _reliability_diagrams(path: Path, figures: dict[str, dict]) -> None:
    """Plot how often answers are right, by how sure they are; the best are on the diagonal."""
    figure, axes = _panels(len(figures))
    for axis, (name, row) in zip(axes, figures.items(), strict=True):
        bins = row["reliability"]
        x, y = [b["confidence"] for b in bins], [b["right"] for b in bins]
        axis.plot([0, 1], [0, 1], color="gray", linewidth=1)
        axis.plot(x, y, "o-", color="tab:green")
        for b in bins:
            axis.annotate(
                b["photos"],
                (b["confidence"], b["right"]),
                xytext=(3, -9),
                textcoords="offset points",
                fontsize=6,
            )
        axis.set_title(f"{name}\ncalibration error {row['calibration_error']:.1%}", fontsize=8)
        axis.set(
            xlabel="confidence of the answer (beside: photos)",
            ylabel="share right",
            xlim=(0, 1.05),
            ylim=(-0.02, 1.05),
        )
    _save(figure, path)
