"""Files, bundles and sets that several tests need."""

import io
from pathlib import Path

import numpy as np
import pillow_heif
from drawing import draw
from PIL import Image

from model import bundle
from model.data import LabelledPhoto


def encode(image: Image.Image, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    if form == "HEIF":  # Pillow itself only reads it
        pillow_heif.from_pillow(image).save(file)
    else:
        image.save(file, form, **options)
    return file.getvalue()


LEAF = draw("Potato___Early_blight", seed=1, size=200)
JPEG, AVIF, HEIC, WEBP = (encode(LEAF, form) for form in ("JPEG", "AVIF", "HEIF", "WEBP"))

DESCRIPTION = {
    "classes": [{"folder": "Potato___healthy", "label": "Healthy"}, {"folder": "b", "label": "B"}],
    "image_size": 64,
    "thresholds": {"leaf": 0.5, "confidence": 0.6},
}


def write(folder: Path, model: bytes = b"model") -> None:
    """Write a bundle whose model is these bytes."""
    with bundle.writing(folder) as draft:
        (draft / "model.tflite").write_bytes(model)
        bundle.seal(draft, DESCRIPTION)


def plant_village(leaves: int, folder: str = "Potato___Late_blight") -> list[LabelledPhoto]:
    """Photos named as in PlantVillage, four a leaf, at uneven shot numbers, in the order of their UUIDs."""
    random = np.random.default_rng(1)
    shots = np.cumsum(random.integers(1, 4, leaves * 4)) + 2500
    name = "{:08x}-d1c4-4a84-bf3a-a426cdad6285___RS_LB {}.JPG"
    paths = [Path(folder) / name.format(random.integers(2**32), shot) for shot in shots]
    return sorted((LabelledPhoto(path, folder, "lab") for path in paths), key=lambda p: p.path)


def shot(p: LabelledPhoto) -> int:
    """Return the shot number in a photo's name."""
    return int(p.path.stem.split()[-1])
