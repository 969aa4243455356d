"""Cross-validation: whole leaves dealt into folds, each of which tests a model trained on the others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from model import evaluation
from model.data import DataError, LabelledPhoto
from model.dataset import Dataset
from model.evaluation import Answers
from model.splits import split_by_leaf, strata_of


def cross_validate(
    photos: Dataset,
    folds: int,
    validation: float,
    seed: int,
    train: Callable[[dict[str, np.ndarray], str], Answers],
) -> dict:
    """Return the figures of each fold, and those of the answers of all folds together; print them.

    `train(splits, name)` trains on a split and returns the answers for its test.
    """
    for source in sorted({p.source for p in photos.photos if p.split}):
        print(f"{source} comes split, but cross-validation deals all its photos anew.")
    answers, labels = [], photos.class_labels
    # All before the first training: one fold may leave too little to train on.
    parts = list(split_into_folds(photos.photos, photos.leaves, photos.classes, folds, validation, seed))
    for number, splits in enumerate(parts, 1):
        print(f"\nFold {number} of {folds}")
        answers.append(train(splits, f"fold-{number}"))
        print("\n" + evaluation.table(f"fold {number}", evaluation.measure(answers[-1], labels)))
    pooled = evaluation.measure_held_out(evaluation.pool(answers), labels)
    for name, figures in pooled.items():
        print("\n" + evaluation.table(f"all folds, {name}", figures))
    return {"folds": [evaluation.measure_held_out(part, labels) for part in answers], "pooled": pooled}


def split_into_folds(
    photos: Sequence[LabelledPhoto],
    leaves: np.ndarray,
    classes: Sequence[str],
    folds: int,
    validation: float,
    seed: int,
) -> Iterator[dict[str, np.ndarray]]:
    """Yield one split per fold. The fold is its test set, so together the splits test each photo once.

    Each class of each source is dealt apart; `validation` is a fraction of the leaves that are not tested.
    How a source comes split doesn't matter here. Raises DataError if a class has fewer leaves than folds.
    """
    strata = strata_of(photos, leaves)
    for folder in classes:
        total = sum(len(leaves) for (_, of), leaves in strata.items() if of == folder)
        if total < folds:
            raise DataError(f"{folder} has only {total} leaves; {folds} folds need one each.")
    random = np.random.default_rng(seed)
    by_class = sorted(strata, key=lambda stratum: stratum[::-1])
    dealt = [leaf for stratum in by_class for leaf in random.permutation(strata[stratum])]
    fold = {leaf: i % folds for i, leaf in enumerate(dealt)}  # from stratum to stratum: small ones take turns
    for k in range(folds):
        given = [
            replace(p, split="test" if fold[leaf] == k else "train")
            for p, leaf in zip(photos, leaves, strict=True)
        ]
        yield split_by_leaf(given, leaves, classes, validation, 0, seed)
