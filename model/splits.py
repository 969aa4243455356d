"""Splits that no leaf straddles: whole leaves dealt into train, validation and test."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from model.data import SPLITS, DataError, LabelledPhoto


def split_by_leaf(
    photos: Sequence[LabelledPhoto],
    leaves: np.ndarray,
    classes: Sequence[str],
    validation: float,
    test: float,
    seed: int,
) -> dict[str, np.ndarray]:
    """Deal whole leaves into train, validation and test; return the photos' indices of each, sorted.

    Each class of each source is dealt apart, so that every split has its share of both; where a source has
    too few leaves of a class for that, together with those of other such sources. `validation` and `test` are
    fractions of the leaves; 0 deals none. Raises DataError if a class of `classes` has too few leaves to
    stand in all three; other folders ("not a potato leaf") may be as small as they like.

    A source that comes split stays so: only what it lacks, validation or test, is dealt, from what it trains
    on. If it shows one leaf in several splits, the photos in the last of them (test over validation over
    train) stay and the others are left out of all three: figures on its test photos compare with others'.
    """
    shares = {name: share for name, share in (("validation", validation), ("test", test)) if share}
    offered, given = _offered(photos), _given(photos, leaves)
    side = given | _deal(strata_of(photos, leaves), given, offered, shares, seed)
    members = {name: [] for name in SPLITS}
    for i, (p, leaf) in enumerate(zip(photos, leaves, strict=True)):
        if _stays(p, side[leaf], offered[p.source]):
            members[side[leaf]].append(i)
    splits = {name: np.array(indices, dtype=np.intp) for name, indices in members.items()}
    _check_enough(photos, leaves, classes, splits, given, shares)
    check_no_shared_leaf(leaves, splits)
    return splits


def _given(photos: Sequence[LabelledPhoto], leaves: np.ndarray) -> dict[int, str]:
    """Return, of each leaf that comes in splits, the last of them."""
    given = {}
    for p, leaf in zip(photos, leaves, strict=True):
        if p.split:
            given[leaf] = max(given.get(leaf, p.split), p.split, key=SPLITS.index)
    return given


def _deal(
    strata: dict[tuple[str, str], list],
    given: dict[int, str],
    offered: dict[str, set[str]],
    shares: dict[str, float],
    seed: int,
) -> dict[int, str]:
    """Return the split of each leaf that can be dealt, dealing each stratum apart that has leaves enough."""
    random, side = np.random.default_rng(seed), {}
    scattered = defaultdict(list)  # {(folder, splits to deal): leaves}
    for source, folder in sorted(strata):
        order = random.permutation(strata[source, folder])
        order = [leaf for leaf in order if given.get(leaf, "train") == "train"]
        names = tuple(name for name in shares if name not in offered[source])
        if len(order) > len(names):
            side |= _dealt(order, names, shares)
        else:
            scattered[folder, names] += order
    for (_, names), together in scattered.items():
        enough = len(together) > len(names)
        side |= _dealt(random.permutation(together), names if enough else (), shares)
    return side


def _dealt(order: Sequence[int], names: Sequence[str], shares: dict[str, float]) -> dict[int, str]:
    """Give each of some splits its share of the leaves, at least one, and train the rest."""
    sides = [name for name in names for _ in range(max(1, round(shares[name] * len(order))))]
    return dict(zip(order, sides + ["train"] * len(order), strict=False))


def _stays(p: LabelledPhoto, name: str, offered: set[str]) -> bool:
    """Tell whether a photo is in the split of its leaf: one that comes in another split is left out."""
    return p.split in (None, name) or (p.split == "train" and name not in offered)


def _check_enough(
    photos: Sequence[LabelledPhoto],
    leaves: np.ndarray,
    classes: Sequence[str],
    splits: dict[str, np.ndarray],
    given: dict[int, str],
    shares: dict[str, float],
) -> None:
    """Raise DataError if a class stands in less than all three splits."""
    for folder in classes:
        counts = Counter(s for s, indices in splits.items() for i in indices if photos[i].folder == folder)
        of_class = {leaf for p, leaf in zip(photos, leaves, strict=True) if p.folder == folder}
        if not counts["train"] and any(given.get(leaf, "train") == "train" for leaf in of_class):
            asked = " and ".join(f"--{name} {share:g}" for name, share in shares.items())
            raise DataError(f"{asked} leave no leaf of {folder} to train on; choose lower shares.")
        if any(not counts[name] for name in SPLITS):
            raise DataError(
                f"{folder} has too few leaves to train, validate and test on; it needs one for each, and in "
                "a set that comes split, one in each part."
            )


def strata_of(photos: Sequence[LabelledPhoto], leaves: np.ndarray) -> dict[tuple[str, str], list]:
    """Return the leaves, in order, of each class folder of each source: {(source, folder): leaves}."""
    stratum = {}
    for p, leaf in zip(photos, leaves, strict=True):
        stratum.setdefault(leaf, (p.source, p.folder))
    strata = defaultdict(list)
    for leaf, of in stratum.items():
        strata[of].append(leaf)
    return strata


def _offered(photos: Sequence[LabelledPhoto]) -> dict[str, set[str]]:
    """Return which splits each source comes with."""
    offered = defaultdict(set)
    for p in photos:
        offered[p.source] |= {p.split} - {None}
    return offered


def check_no_shared_leaf(leaves: np.ndarray, splits: dict[str, np.ndarray]) -> None:
    """Raise DataError if photos of one leaf are in two splits, which would make the figures a lie."""
    seen = {}
    for name, indices in splits.items():
        for leaf in np.unique(leaves[indices]):
            if seen.setdefault(leaf, name) != name:
                raise DataError(f"Photos of one leaf (number {leaf}) are in both {seen[leaf]} and {name}.")


def describe_given_splits(
    photos: Sequence[LabelledPhoto], leaves: np.ndarray, splits: dict[str, np.ndarray]
) -> list[str]:
    """Tell, in sentences, which sources come split, and how many of their photos that left out."""
    sentences = [
        f"{source} comes split into {', '.join(s for s in SPLITS if s in names)}, and stays so"
        + "".join(f"; {name} is dealt from train" for name in SPLITS if name not in names)
        + "."
        for source, names in _offered(photos).items()
        if names
    ]
    side = {leaves[i]: name for name, indices in splits.items() for i in indices}
    left = set(range(len(photos))).difference(*map(list, splits.values()))
    leaks = Counter((photos[i].source, photos[i].split, side[leaves[i]]) for i in sorted(left))
    sentences += [
        f"Warning: {count} photos in {given} of {source} show leaves also in {name}, and are left out."
        for (source, given, name), count in leaks.items()
    ]
    return sentences
