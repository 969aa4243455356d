"""Measure a bundle on held-out leaves as worse cameras, light and hands would show them.

    python tests/bench/corruptions.py [--model FOLDER]

Every held-out photo of the classes, changed in one way at a time (after Hendrycks & Dietterich 2019,
arXiv:1903.12261). Each source weighs the same. The sources must lie where the bundle's training command says.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

sys.path.insert(0, str(Path(__file__).parents[2]))

from evaluate import ask, model_and_held_out

from model import evaluation

SHOWN = {
    "accuracy": "accuracy",
    "answered": "answered",
    "wrongly_declined": "no potato leaf",
    "confidently_wrong": "confidently wrong",
}


def grain(deviation: float) -> Callable[[Image.Image], Image.Image]:
    """Return a function that adds noise, the same to each photo."""
    random = np.random.default_rng(0)

    def add(photo: Image.Image) -> Image.Image:
        return _picture(np.asarray(photo) + random.normal(0, deviation, (*photo.size[::-1], 3)))

    return add


def tinted(*channels: float) -> Callable[[Image.Image], Image.Image]:
    """Return a function that multiplies red, green and blue."""
    return lambda photo: _picture(np.asarray(photo) * np.array(channels))


def coarse(photo: Image.Image) -> Image.Image:
    """Save a photo with a quality of 10 of 100."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=10)
    return Image.open(file)


def far(photo: Image.Image) -> Image.Image:
    """Show a photo at half its size, on the mean colour of its first rows."""
    size = photo.width
    picture = Image.new("RGB", photo.size, tuple(np.asarray(photo)[:3].mean((0, 1)).astype(int)))
    picture.paste(photo.resize((size // 2, size // 2)), (size // 4, size // 4))
    return picture


def near(photo: Image.Image) -> Image.Image:
    """Show the middle of a photo, twice as large."""
    quarter = photo.width // 4
    return photo.crop((quarter, quarter, 3 * quarter, 3 * quarter)).resize(photo.size)


def shaded(photo: Image.Image) -> Image.Image:
    """Let it grow light from left to right."""
    return _picture(np.asarray(photo) * np.linspace(0.35, 1.2, photo.width)[:, None])


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


WAYS = {
    "as it is": lambda photo: photo,
    "blurred, 2 pixels": lambda photo: photo.filter(ImageFilter.GaussianBlur(2)),
    "grain of 10": grain(10),
    "grain of 20": grain(20),
    "JPEG of quality 10": coarse,
    "warm": tinted(1.25, 1, 0.7),
    "cold": tinted(0.75, 1, 1.25),
    "dark": tinted(0.45, 0.45, 0.45),
    "bright": tinted(1.5, 1.5, 1.5),
    "half the contrast": lambda photo: ImageEnhance.Contrast(photo).enhance(0.5),
    "vivid": lambda photo: ImageEnhance.Color(photo).enhance(1.8),
    "pale": lambda photo: ImageEnhance.Color(photo).enhance(0.4),
    "far": far,
    "near": near,
    "shaded": shaded,
}


def main() -> None:
    """Print a row for each way."""
    classifier, photos, held_out = model_and_held_out(__doc__)
    leaves = held_out[photos.class_or_other(held_out) >= 0]
    sources = photos.sources(leaves)
    print(f"{len(leaves)} photos of {len(np.unique(sources))} sources")
    print(f"{'':<20}" + "".join(f"{title:>19}" for title in SHOWN.values()))
    rows = []
    for name, change in WAYS.items():
        changed = (np.asarray(change(Image.fromarray(photos.images[i]))) for i in leaves)
        said = ask(classifier, changed, photos, leaves)
        parts = [evaluation.measure(said.part(sources == s), classifier.labels) for s in np.unique(sources)]
        rows.append([np.mean([figures[key] for figures in parts]) for key in SHOWN])
        print(f"{name:<20}" + "".join(f"{value:>19.3f}" for value in rows[-1]))
    print(f"{'on average':<20}" + "".join(f"{value:>19.3f}" for value in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
