"""Pictures that travel inside an answer, as data URLs: the photo, the heat, and both."""

import base64
import io

import numpy as np
from PIL import Image

from model import photo
from model.classifier import Diagnosis
from model.diseases import is_healthy

SIZE = 320  # pixels
RED, BLUE = np.array([[230, 60, 20], [30, 90, 230]], np.float32)  # of what looks diseased, and healthy
STRENGTH = 0.7  # of the colour where the heat is 1
FADED = 0.6  # of the photo's own colour is taken away: red on green would look like a brown spot


def thumbnail(pixels: np.ndarray) -> str:
    """Return a small photo, uint8 [h, w, 3] RGB, as a JPEG."""
    return _as_url(Image.fromarray(pixels), "jpeg", quality=80)


def heat_layer(diagnosis: Diagnosis) -> str:
    """Return a diagnosis's heat as a PNG to lay over the photo's centre square; where it is 0 it is clear."""
    alpha = _alpha(diagnosis.heat, SIZE // 4)  # smooth as it is: the browser makes it larger
    colour = np.broadcast_to(_colour(diagnosis), (*alpha.shape[:2], 3))
    return _as_url(Image.fromarray(np.concatenate([colour, alpha * 255], axis=-1).astype(np.uint8)), "png")


def heat_over(source: bytes, diagnosis: Diagnosis) -> str:
    """Return the photo's centre square, paled, with its diagnosis's heat laid over it, as a PNG.

    Hardly compressed: a fifth smaller, it would take four times as long.
    """
    square = photo.prepare(source, SIZE).astype(np.float32)
    square += (square.mean(axis=-1, keepdims=True) - square) * FADED
    alpha = _alpha(diagnosis.heat, SIZE)
    mixed = square * (1 - alpha) + _colour(diagnosis) * alpha
    return _as_url(Image.fromarray(mixed.astype(np.uint8)), "png", compress_level=1)


def _colour(diagnosis: Diagnosis) -> np.ndarray:
    return BLUE if is_healthy(diagnosis.likeliest) else RED


def _alpha(heat: np.ndarray, size: int) -> np.ndarray:
    smooth = Image.fromarray(heat.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    return np.sqrt(np.asarray(smooth).clip(0, 1))[..., None] * STRENGTH  # the root: faint heat shows, too


def _as_url(picture: Image.Image, form: str, **options: int) -> str:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return data_url(f"image/{form}", file.getvalue())


def data_url(kind: str, data: bytes) -> str:
    """Return a file, of a MIME type, as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
