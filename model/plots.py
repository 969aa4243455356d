"""Plots of a training and its figures, as PNG files."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")  # no screen needed
from matplotlib import pyplot


def draw(folder: Path, figures: dict[str, dict], history: list[dict]) -> None:
    """Draw the learning curves and the confusion matrix of each set into `folder`."""
    folder.mkdir(parents=True)
    if history:
        _learning_curves(folder / "learning-curves.png", history)
    labelled = {name: row for name, row in figures.items() if "classes" in row}
    _confusion_matrices(folder / "confusion.png", labelled)


def _save(figure: pyplot.Figure, path: Path) -> None:
    figure.savefig(path, dpi=80, bbox_inches="tight")
    pyplot.close(figure)


def _learning_curves(path: Path, history: list[dict]) -> None:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3))
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [row["loss"] for row in history])
    left.set(title="training loss", xlabel="epoch")
    right.plot(epochs, [row["recall"] for row in history])
    right.set(title="validation macro recall", xlabel="epoch")
    _save(figure, path)


def _confusion_matrices(path: Path, figures: dict[str, dict]) -> None:
    columns = min(3, len(figures))
    rows = -(-len(figures) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(3.4 * columns, 3.4 * rows), squeeze=False)
    for axis in axes.flat[len(figures) :]:
        axis.remove()
    for axis, (name, row) in zip(axes.flat, figures.items(), strict=False):
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
