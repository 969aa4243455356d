"""What bundle.json says of a trained model: its classes, how it was made, how good it is."""

import importlib.metadata
from dataclasses import asdict

import numpy as np

from model.dataset import Dataset
from model.names import label_of
from model.settings import Settings, command, public_settings
from model.verdict import Thresholds


def describe(
    argv: list[str],
    settings: Settings,
    photos: Dataset,
    splits: dict[str, np.ndarray],
    state: dict,
    temperature: float,
    thresholds: Thresholds,
    figures: dict[str, dict],
) -> dict:
    """Return what a bundle is to say, made by the command `argv`. `state` is its checkpoint's."""
    libraries = ("tensorflow", "keras", "numpy", "pillow", "ai-edge-litert")
    return {
        "classes": [{"folder": folder, "label": label_of(folder)} for folder in photos.classes],
        "image_size": settings.image_size,
        "temperature": temperature,
        "thresholds": asdict(thresholds),
        "training": {
            "command": command(argv),
            "settings": public_settings(settings),
            "outputs": photos.outputs,
            "photos": photos.counts(splits),
            "sources": photos.counts_by_source(),
            "fingerprint": photos.fingerprint(),
            "held_out": photos.fingerprint(splits["test"]),
            "epochs": state["epochs"],
            "best_epoch": state["best_epoch"],
            "minutes": round(state["seconds"] / 60, 1),
            "libraries": {name: importlib.metadata.version(name) for name in libraries},
        },
        "figures": figures,
    }
