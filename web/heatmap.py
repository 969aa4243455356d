"""Drawing where the model looked over the photo."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from model import photo

SIZE = 320  # pixels
RED = np.array([230, 60, 20], np.float32)
STRENGTH = 0.7  # of the colour where the heat is 1
FADED = 0.6  # of the photo's own colour is taken away: red on green would look like a brown spot


def draw(source: bytes | Path, heat: np.ndarray) -> Image.Image:
    """Return the photo's centre square, paled, with the heat, [h, w] from 0 to 1, laid over it in red."""
    square = photo.prepare(source, SIZE).astype(np.float32)
    square += (square.mean(axis=-1, keepdims=True) - square) * FADED
    smooth = Image.fromarray(heat.astype(np.float32)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    alpha = np.clip(np.asarray(smooth), 0, 1)[..., None] * STRENGTH
    return Image.fromarray((square * (1 - alpha) + RED * alpha).astype(np.uint8))


def data_url(source: bytes | Path, heat: np.ndarray) -> str:
    """Return the drawing as a PNG data URL."""
    file = io.BytesIO()
    draw(source, heat).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
