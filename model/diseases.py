"""Which class folders show the same disease, on whatever crop: told by their names.

A pathogen's lesions look much alike on related plants, and a network that takes a potato for a tomato, as it
easily does with another camera than it learnt on, may still name the disease rightly.
"""

import re
from collections.abc import Sequence

import numpy as np

from model.names import spelled

NOT = {"not", "non"}
KIN = 0.1  # how much they count: more helps with cameras never seen, and harms on known ones
LEAST = 1e-30  # added to what outputs sum up to for a class, so that its log is a number


def class_membership(outputs: Sequence[str], classes: int) -> np.ndarray:
    """Return how much each output counts for each class, float32 [len(outputs), classes].

    It is 1 if it is that class, KIN if it shows the same disease on another crop, else 0. outputs:
    class folders, the `classes` asked for first. Early blight of potato is that of "Tomato___Early_blight",
    "Tomato_Early_blight" or "Tomato__early_blight_leaf" as well, a healthy leaf any crop's.
    """
    firsts = {tuple(_words(folder)[:1]) for folder in outputs[:classes]}
    wanted = [_disease(folder, named_after_crop=len(firsts) == 1) for folder in outputs[:classes]]
    membership = np.eye(len(outputs), classes, dtype=np.float32)
    for row, folder in zip(membership[classes:], outputs[classes:], strict=True):
        disease = _disease(folder, named_after_crop=True)
        row[:] = [KIN * (disease is not None and disease == other) for other in wanted]
    return membership


def is_healthy(name: str) -> bool:
    """Tell from its folder's name, or its label, whether a class is one without symptoms.

    It has the word "healthy", and not "unhealthy" or "not healthy".
    """
    words = _words(name)
    return "healthy" in words and not NOT & set(words)


def related_folders(outputs: Sequence[str], classes: int) -> str:
    """Say in one sentence which other folders show which class's disease; nothing if none does."""
    membership = class_membership(outputs, classes)[classes:]
    kin = {
        name: ", ".join(np.array(outputs[classes:])[membership[:, k] > 0])
        for k, name in enumerate(outputs[:classes])
    }
    told = "; ".join(f"{name}: {others}" for name, others in kin.items() if others)
    rule = f"Folders that show the same on other crops count for a class's probability, {KIN:g} times:"
    return told and f"{rule} {told}."


def _disease(folder: str, named_after_crop: bool) -> frozenset[str] | None:
    """Return the words that name the disease in a folder's name, or "healthy"; None if there are none.

    What stands before two underscores or more is the crop. In a name without them it is the first word, if
    the name starts with a crop at all. A name with "not" in it names no disease.
    """
    *crop, rest = re.split("__+", folder)
    words = _words(rest)
    if named_after_crop and not crop:
        words = words[1:]
    if NOT & set(_words(folder)):
        return None
    disease = frozenset(words) - {"leaf"}
    unnamed = crop and rest.strip("_ ").lower() in ("", "leaf")  # such as "Tomato__leaf"
    return disease or (frozenset({"healthy"}) if unnamed else None)


def _words(name: str) -> list[str]:
    return re.findall(r"[^\d ]+", spelled(name))
