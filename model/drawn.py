"""Draw pictures that show nothing, for a model to learn what to decline.

    python -m model.drawn FOLDER [--pictures 800]

They lie in FOLDER/Nothing then, for train.py --not-potato FOLDER; numpy and Pillow of one version draw the
same each time. A network that saw leaves alone is sure of its answer to anything; pictures of other things
teach it doubt, also of things that are not among them (outlier exposure: Hendrycks et al. 2019,
arXiv:1812.04606), and drawn ones do so too.
"""

import argparse
import sys
from colorsys import hsv_to_rgb
from pathlib import Path

from model import disk

if __name__ == "__main__":  # before what takes a while to come
    disk.tell_no_traceback()

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm

SIZE = 256  # pixels


def colours(random: np.random.Generator, count: int = 1) -> np.ndarray:
    """Choose colours, most of them of earth and plants and few of them vivid, float [count, 3], 0 to 255.

    Otherwise all there is to learn is that no leaf is pink.
    """
    hue = np.where(random.random(count) < 0.7, random.uniform(0.05, 0.38, count), random.random(count))
    saturation, value = random.uniform(0, 0.7, count), random.uniform(0.15, 1, count)
    return 255 * np.array([hsv_to_rgb(*hsv) for hsv in zip(hue, saturation, value, strict=True)])


def noise(random: np.random.Generator, colour: np.ndarray | None = None) -> np.ndarray:
    """Draw clouds, soil, paper or grain: noise whose amplitude falls with frequency, float [S, S, 3].

    Nature's pictures have such spectra, with an exponent near 1 (Field 1987, J. Opt. Soc. Am. A 4, p. 2379).
    """
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)) + 1 / SIZE
    spectrum = np.fft.rfft2(random.normal(size=(3, SIZE, SIZE))) / frequency ** random.uniform(0, 2)
    channels = np.fft.irfft2(spectrum, (SIZE, SIZE)).transpose(1, 2, 0)
    channels = channels / channels.std()
    grey = random.random()  # how much the three channels vary together
    channels = grey * channels[..., :1] + (1 - grey) * channels
    base = colours(random) if colour is None else colour
    return base + random.uniform(3, 50) * channels


def even(random: np.random.Generator) -> np.ndarray:
    """Draw an even colour that fades across the picture, and some grain, float [S, S, 3]."""
    angle, (down, right) = random.uniform(0, 2 * np.pi), np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    slope = np.cos(angle) * down + np.sin(angle) * right
    grain = random.normal(0, random.uniform(0, 6), (SIZE, SIZE, 1))
    return colours(random) + slope[..., None] * random.normal(0, 30, 3) + grain


def background(random: np.random.Generator) -> np.ndarray:
    """Draw what things lie on."""
    return (noise if random.random() < 0.5 else even)(random)


def paste(random: np.random.Generator, onto: np.ndarray, thing: np.ndarray, mask: Image.Image) -> np.ndarray:
    """Lay a thing on a picture where the mask is white, with an edge more or less sharp."""
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(random.uniform(0, 2))))[..., None] / 255
    return onto + soft * (thing - onto)


def outline(random: np.random.Generator, middle: np.ndarray, radius: float) -> Image.Image:
    """Draw a blob, a polygon or an ellipse, white on black."""
    corners = int(random.choice([3, 4, 4, 5, 8, 40, 40, 40]))
    angles = np.sort(random.uniform(0, 2 * np.pi, corners)) if corners < 40 else np.linspace(0, 2 * np.pi, 40)
    waves = 1 + random.uniform(0, 0.25) * np.sin(random.integers(1, 6) * angles + random.uniform(0, 6))
    points = np.stack([np.cos(angles), np.sin(angles) * random.uniform(0.3, 1)], 1) * waves[:, None] * radius
    turn = random.uniform(0, 2 * np.pi)
    points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + middle
    mask = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(mask).polygon([tuple(point) for point in points], fill=255)
    return mask


def things(random: np.random.Generator) -> np.ndarray:
    """Draw from one to eight round or angular things, shaded, speckled or plain, on a background."""
    picture = background(random)
    count = int(random.choice([1, 1, 1, 2, 3, 5, 8]))
    colour = colours(random)
    for _ in range(count):
        middle = random.normal(SIZE / 2, SIZE / 12 if count == 1 else SIZE / 4, 2)
        radius = random.uniform(0.25, 0.6) * SIZE / count**0.4
        thing = noise(random, colour * random.uniform(0.8, 1.2, 3))
        if random.random() < 0.6:  # lit from one side
            right, down = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
            light = middle + random.normal(0, radius / 2, 2)
            away = np.hypot(right - light[0], down - light[1]) / radius
            thing = thing * (1.15 - random.uniform(0.1, 0.5) * away)[..., None]
        for _ in range(int(random.choice([0, 0, 5, 30, 80]))):
            spot = outline(random, random.uniform(0, SIZE, 2), random.uniform(1, 9))
            thing = paste(random, thing, thing * random.uniform(0.3, 1.3), spot)
        picture = paste(random, picture, thing, outline(random, middle, radius))
    return picture


def heap(random: np.random.Generator) -> np.ndarray:
    """Draw things that hide each other ever smaller: dead leaves (Lee et al. 2001, IJCV 41, p. 35)."""
    picture, choice = background(random), colours(random, int(random.integers(2, 8)))
    for radius in np.geomspace(random.uniform(30, 100), random.uniform(3, 20), 60):
        colour = random.choice(choice) * random.uniform(0.8, 1.2)
        thing = noise(random, colour) if random.random() < 0.2 else np.broadcast_to(colour, picture.shape)
        picture = paste(random, picture, thing, outline(random, random.uniform(0, SIZE, 2), radius))
    return picture


def strokes(random: np.random.Generator) -> np.ndarray:
    """Draw grass, wires, hatching: lines, mostly in one direction."""
    picture = Image.fromarray(_bytes(background(random)))
    pen, inks = ImageDraw.Draw(picture), colours(random, int(random.integers(1, 6))).astype(int)
    angle, spread = random.uniform(0, np.pi), random.choice([0.02, 0.2, 1])
    length, width = random.uniform(15, 200), random.uniform(1, 6)
    for _ in range(int(random.choice([10, 50, 200, 600]))):
        start, turn = random.uniform(0, SIZE, 2), random.normal(angle, spread)
        end = start + length * random.uniform(0.5, 1) * np.array([np.cos(turn), np.sin(turn)])
        pen.line([*start, *end], fill=tuple(random.choice(inks)), width=max(1, int(random.normal(width))))
    return np.asarray(picture, float)


def writing(random: np.random.Generator) -> np.ndarray:
    """Draw lines of text on paper."""
    picture, size = Image.fromarray(_bytes(even(random))), random.uniform(8, 48)
    pen, ink = ImageDraw.Draw(picture), tuple(colours(random)[0].astype(int))
    for y in np.arange(0, SIZE, size * random.uniform(1.1, 2)):
        letters = "".join(map(chr, random.integers(32, 127, int(random.integers(3, 60)))))
        pen.text((random.uniform(0, 20), y), letters, fill=ink, font_size=size)
    return np.asarray(picture, float)


KINDS = (noise, even, things, things, things, heap, strokes, writing)


def draw(seed: int) -> Image.Image:
    """Draw a picture of nothing, each seed another one: RGB, 256 x 256."""
    random = np.random.default_rng(seed)
    picture = Image.fromarray(_bytes(KINDS[seed % len(KINDS)](random)))
    return picture.filter(ImageFilter.GaussianBlur(float(random.choice([0, 0, 0.7, 1.5]))))


def _bytes(picture: np.ndarray) -> np.ndarray:
    return picture.clip(0, 255).astype(np.uint8)


def main(argv: list[str]) -> None:
    """Draw into a folder."""
    parser = argparse.ArgumentParser(prog="python -m model.drawn", description="Draw pictures of nothing.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--pictures", type=int, default=800, help="how many (default: 800)")
    options = parser.parse_args(argv)
    if options.pictures < 1:
        parser.error("--pictures must be at least 1")
    place = options.folder / "Nothing"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(f"{options.folder} can't be a folder: a file is in the way.") from error
    for seed in tqdm(range(options.pictures), unit="picture", disable=None):
        draw(seed).save(place / f"{seed:05}.jpg", quality=90)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"python -m model.drawn: {disk.told(error)}")
