"""Drawn leaves and scenes: small, synthetic, and enough for a tiny network to learn."""

import io
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFilter

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


def draw_portrait(seed: int, size: int = 480) -> Image.Image:
    """Draw a potato leaf with late blight more carefully, to show to people: RGB, size x size."""
    random = np.random.default_rng(seed)
    across = np.linspace(-1, 1, 120)
    half = 0.36 * np.sqrt(np.clip(1 - across**2, 0, 1)) * (1 - 0.35 * across)  # broad below, pointed above
    half = half * (1 + random.normal(0, 0.015, 120))
    outline = [(0.5 + h, 0.5 - 0.42 * y) for y, h in zip(across, half, strict=True)]
    outline += [(0.5 - h, 0.5 - 0.42 * y) for y, h in zip(across[::-1], half[::-1], strict=True)]

    def layer(
        colour: tuple[int, int, int], points: list[tuple[float, float]], blur: float, onto: Image.Image
    ):
        mask = Image.new("L", (size, size))
        ImageDraw.Draw(mask).polygon([(x * size, y * size) for x, y in points], fill=255)
        onto.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(blur * size)))
        return mask

    def blotch(x: float, y: float, radius: float) -> list[tuple[float, float]]:
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        lengths = radius * (1 + np.convolve(random.normal(0, 0.35, 44), np.ones(5) / 5, "valid"))
        return [(x + r * np.cos(a), y + r * np.sin(a)) for a, r in zip(angles, lengths, strict=True)]

    picture = Image.new("RGB", (size, size), (158, 146, 156))
    layer((96, 88, 98), [(x + 0.025, y + 0.03) for x, y in outline], 0.012, picture)
    leaf = picture.copy()
    inside = layer((74, 122, 62), outline, 0.002, leaf)
    pen = ImageDraw.Draw(leaf)
    vein = (108, 150, 88)
    pen.line([(0.5 * size, 0.1 * size), (0.5 * size, 0.97 * size)], fill=vein, width=size // 110)
    for y in np.linspace(0.25, 0.8, 6):
        for side in (-1, 1):
            points = [(0.5, y), (0.5 + side * 0.17, y - 0.09), (0.5 + side * 0.33, y - 0.14)]
            pen.line([(x * size, y * size) for x, y in points], fill=vein, width=size // 200)
    for x, y, radius in ((0.63, 0.42, 0.13), (0.4, 0.66, 0.09)):
        layer((136, 146, 84), blotch(x, y, radius * 1.25), 0.02, leaf)
        layer((92, 70, 58), blotch(x, y, radius), 0.01, leaf)
        layer((66, 50, 46), blotch(x, y, radius * 0.6), 0.02, leaf)
    picture.paste(leaf, mask=inside.filter(ImageFilter.GaussianBlur(1)))
    grain = np.kron(random.normal(0, 5, (size // 4, size // 4)), np.ones((4, 4)))[..., None]
    noisy = np.asarray(picture) + grain + random.normal(0, 4, (size, size, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))


def photograph(width: int, height: int, orientation: int = 1) -> bytes:
    """Return a drawn leaf as a camera would: a JPEG file of that many pixels, with noise."""
    drawn = np.asarray(draw_portrait(seed=3).resize((width, height))).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 6, (height, width, 1)).astype(np.float32)
    file, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray((drawn + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90, exif=exif)
    return file.getvalue()


def draw_set(folder: Path, leaves: int, kinds: tuple[str, ...] = CLASSES + OTHERS) -> Path:
    """Draw a labelled set with `leaves` pictures a kind; return the folder."""
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for seed in range(leaves):
            draw(kind, seed).save(folder / kind / f"{seed:03}.jpg", quality=92)
    return folder


def _colour(colour: tuple[int, int, int], shade: np.ndarray) -> tuple[int, ...]:
    return tuple(int(c) for c in (np.array(colour) * shade).clip(0, 255))
