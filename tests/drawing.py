"""Drawn leaves and scenes: small, synthetic, and enough for a tiny network to learn."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("Potato___Early_blight", "Potato___Late_blight", "Potato___healthy")
OTHERS = ("Tomato___healthy", "scenes")


def draw(kind: str, seed: int, size: int = 96) -> Image.Image:
    """Draw one picture of a class folder's kind, each seed another leaf: RGB, size x size."""
    random = np.random.default_rng([seed, *kind.encode()])
    shade = random.uniform(0.8, 1.2, 3)
    picture = Image.new("RGB", (size, size), _colour((150, 140, 150), shade))
    pen = ImageDraw.Draw(picture)

    def ellipse(x: float, y: float, width: float, height: float, colour: tuple[int, int, int]) -> None:
        box = [(x - width) * size, (y - height) * size, (x + width) * size, (y + height) * size]
        pen.ellipse(box, fill=_colour(colour, shade))

    if kind == "scenes":
        for _ in range(12):
            corner = random.uniform(0, size * 0.8, 2)
            extent = corner + random.uniform(5, size * 0.5, 2)
            pen.rectangle([*corner, *extent], fill=tuple(int(c) for c in random.integers(0, 255, 3)))
        return picture
    middle = random.uniform(0.45, 0.55, 2)
    green = (170, 200, 60) if kind.startswith("Tomato") else (60, 140, 50)
    ellipse(*middle, random.uniform(0.3, 0.42), random.uniform(0.34, 0.44), green)
    if kind.endswith("Early_blight"):
        for _ in range(9):
            x, y = middle + random.uniform(-0.22, 0.22, 2)
            ellipse(x, y, 0.055, 0.055, (90, 60, 20))
            ellipse(x, y, 0.03, 0.03, (150, 110, 60))
    if kind.endswith("Late_blight"):
        x, y = middle + random.uniform(-0.12, 0.12, 2)
        ellipse(x, y, 0.2, 0.16, (60, 40, 45))
    noise = random.normal(0, 5, (size, size, 3))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def draw_set(folder: Path, leaves: int, kinds: tuple[str, ...] = CLASSES + OTHERS) -> Path:
    """Draw a labelled set with `leaves` pictures a kind; return the folder."""
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for seed in range(leaves):
            draw(kind, seed).save(folder / kind / f"{seed:03}.jpg", quality=92)
    return folder


def _colour(colour: tuple[int, int, int], shade: np.ndarray) -> tuple[int, ...]:
    return tuple(int(c) for c in (np.array(colour) * shade).clip(0, 255))
