"""Labelled photos made ready to train and measure on: prepared pixels, labels, leaves."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model import data, pixels
from model.diseases import is_healthy
from model.leaves import leaves_by_name, merge_alike
from model.names import LONGEST_LABEL, is_label, label_of, spelled
from model.settings import Settings, public_names

FEW = 5  # files named; a broken set has thousands
SHOWN = 8  # folders named


@dataclass(frozen=True)
class Dataset:
    """Labelled photos, prepared.

    images: uint8 [n, S, S, 3], memory-mapped; masks: where the leaf is if known, bool [n, h, w]; outputs:
    class folders, those asked for, `classes`, first; labels: int [n] into the outputs; leaves: int [n], which
    leaf each shows; digests: the sha256 of each file.
    """

    photos: list[data.LabelledPhoto]
    images: np.ndarray
    masks: np.ndarray
    outputs: list[str]
    classes: list[str]
    labels: np.ndarray
    leaves: np.ndarray
    digests: list[str]

    @property
    def class_labels(self) -> list[str]:
        """What people call the classes."""
        return [label_of(folder) for folder in self.classes]

    def class_or_other(self, indices: np.ndarray) -> np.ndarray:
        """Return the labels of some photos, OTHER in place of any class that was not asked for."""
        labels = self.labels[indices]
        return np.where(labels < len(self.classes), labels, data.OTHER)

    def fingerprint(self, indices: np.ndarray | None = None) -> str:
        """Identify these photos, or some, by their contents and class folders, in any order: a sha256."""
        some = range(len(self.photos)) if indices is None else indices
        labelled = sorted(f"{self.digests[i]} {self.photos[i].folder}" for i in some)
        return hashlib.sha256("\n".join(labelled).encode(errors="surrogateescape")).hexdigest()

    def counts(self, splits: dict[str, np.ndarray]) -> list[dict]:
        """Count the photos, leaves and photos by split of each class asked for, and of all others."""
        others = self.labels >= len(self.classes)
        members = {name: self.labels == k for k, name in enumerate(self.classes)}
        if others.any():
            folders = len(self.outputs) - len(self.classes)
            members[f"{folders} other folder{'s' * (folders > 1)}"] = others
        return [
            {"class": name, "photos": int(mask.sum()), "leaves": len(np.unique(self.leaves[mask]))}
            | {split: int(mask[indices].sum()) for split, indices in splits.items()}
            for name, mask in members.items()
        ]

    def counts_by_source(self) -> list[dict]:
        """Count the photos and leaves of each source."""
        rows, of = [], self.sources(np.arange(len(self.photos)))
        for source, name in public_names(of.tolist()).items():
            leaves = self.leaves[of == source]
            rows.append({"source": name, "photos": len(leaves), "leaves": len(np.unique(leaves))})
        return rows

    def backgrounds(self, indices: np.ndarray) -> np.ndarray:
        """Return which of some photos can be backgrounds: those of other things, with no leaf to cut out."""
        other = self.labels[indices] >= len(self.classes)
        return indices[other & ~self.masks[indices].any(axis=(1, 2))]

    def sources(self, indices: np.ndarray) -> np.ndarray:
        """Return where each of some photos comes from, as str."""
        return np.array([self.photos[i].source for i in indices])


def gather(settings: Settings) -> tuple[list[data.LabelledPhoto], list[str]]:
    """Find the photos of all sources; return them, and the classes asked for."""
    sources = [data.find_photos(source) for source in settings.data]
    classes = data.class_folders([photo for photos in sources for photo in photos], settings.classes)
    for folder in classes:
        if not is_label(label := label_of(folder)):
            raise data.DataError(
                f"A class can't be called {label!r:.60}; rename its folder, {folder!r:.60}, to at most "
                f"{LONGEST_LABEL} letters, all of which can be printed."
            )
    found = [photo for photos in sources for photo in labelled(photos, classes)]
    for source in settings.not_potato:
        found += [data.as_other(photo, classes) for photo in data.find_photos(source)]
    if not any(is_healthy(folder) for folder in classes):
        print(
            "Warning: no class is called healthy, so each counts as a disease, with a severity and a "
            "warning; let the name of the folder of healthy leaves hold the word healthy, as in "
            "Potato_healthy."
        )
    others = Counter(photo.folder for photo in found if photo.folder not in classes)
    if others:
        print(f"Used as examples of what is none of {', '.join(classes)}: {_counted(others)}.")
    else:
        print(
            "Warning: without photos of other things, every picture will be taken for one of the classes; "
            "python -m model.drawn nothing draws some, for --not-potato nothing."
        )
    return found, classes


def _warn_of_misspelt(others: Counter, classes: list[str]) -> None:
    """Warn of other folders whose first word is a class's. Raises DataError if all but the spelling is."""
    known = {spelled(name): name for name in classes}
    for name in others:
        if alike := known.get(spelled(name)):
            raise data.DataError(f"{name} and {alike} seem to be one class; give both folders the same name.")
    first_words = {name.partition(" ")[0] for name in known}
    like = [name for name in others if spelled(name).partition(" ")[0] in first_words]
    if like:
        print(
            "Warning: called almost like a class, but taken for something else: "
            f"{_counted(Counter({name: others[name] for name in like}))}; rename what is one, or choose it "
            "with --classes."
        )


def outputs_of(photos: Sequence[data.LabelledPhoto], classes: list[str]) -> list[str]:
    """Return what a network is to tell apart: `classes`, then all other folders."""
    return classes + sorted({photo.folder for photo in photos} - set(classes))


def labelled(photos: list[data.LabelledPhoto], classes: list[str]) -> list[data.LabelledPhoto]:
    """Return the photos of one source, labelled with their classes; warn if none, or almost one, has one.

    Raises DataError if a class is written otherwise.
    """
    photos = data.in_classes(photos, classes)
    _warn_of_misspelt(Counter(photo.folder for photo in photos if photo.folder not in classes), classes)
    if not {photo.folder for photo in photos} & set(classes):
        print(
            f"Warning: all photos of {photos[0].source} count as something else, since no folder there is "
            f"called like a class ({_counted(Counter(photo.folder for photo in photos))})."
        )
    return photos


def _counted(folders: Counter) -> str:
    named = ", ".join(f"{name} ({photos})" for name, photos in folders.most_common(SHOWN))
    return named + (f" and {len(folders) - SHOWN} folders more" if len(folders) > SHOWN else "")


def _list_few(lines: Sequence[str]) -> None:
    print(*(f"  {line}" for line in lines[:FEW]), sep="\n")
    if len(lines) > FEW:
        print(f"  ... and {len(lines) - FEW} more")


def prepare(found: Sequence[data.LabelledPhoto], classes: list[str], size: int, cache: Path) -> Dataset:
    """Prepare photos at `size` (cached) and tell what each shows; list and leave out the unreadable ones."""
    made = pixels.load_pixels([photo.path for photo in found], size, cache)
    if made.skipped:
        print(f"Skipped {len(made.skipped)} of {len(found)} files that can't be read:")
        _list_few([f"{path}: {why}" for path, why in made.skipped.items()])
    if not made.readable:
        raise data.DataError(f"None of the {len(found)} photos can be read; are they whole?")
    leaves, warnings = leaves_by_name(found)
    for warning in warnings:
        print("Warning:", warning)
    photos = [found[i] for i in made.readable]
    copies = defaultdict(list)
    for photo, digest in zip(photos, made.digests, strict=True):
        copies[digest].append(photo)
    if twice := [same for same in copies.values() if len({photo.folder for photo in same}) > 1]:
        print(f"Warning: {sum(map(len, twice))} photos also lie in another class's folder:")
        _list_few([" and ".join(str(photo.path) for photo in same) for same in twice])
    outputs = outputs_of(photos, classes)
    labels = np.array([outputs.index(photo.folder) for photo in photos])
    leaves = merge_alike(leaves[made.readable], photos, made.hashes)
    return Dataset(photos, made.images, made.masks, outputs, classes, labels, leaves, made.digests)


def table(counts: Sequence[dict]) -> str:
    """Return what `Dataset.counts` gives as lines for a terminal."""
    rows = [list(counts[0]), *([str(value) for value in row.values()] for row in counts)]
    first, *widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"  {name:<{first}}"
        + "".join(f"{cell:>{width + 2}}" for cell, width in zip(cells, widths, strict=True))
        for name, *cells in rows
    )
