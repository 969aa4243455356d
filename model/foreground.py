"""Where the leaf is on a photo with a plain background: paper, a board, concrete.

Trained on such photos as they are, a network learns the paper (on PlantVillage's potato photos eight border
pixels tell 85 % of the classes). With the leaf known, training can lay it on other backgrounds.
"""

import numpy as np
from PIL import Image, ImageFilter

SIZE = 64  # the side of a mask
GAP = 7  # how wide a break in the leaf is closed, in pixels of the mask

PLAIN = 0.022  # a background's chromaticities stray no further than this from their median, on average,
DISTINCT = 0.65  # the leaf and it explain at least this share of the photo's variation,
BORDER = 0.25  # the leaf covers no more of the border than this,
LEAST, MOST = 0.15, 0.8  # and this much of the photo,
WHOLE = 0.85  # and had at least this share of its area before gaps were closed.


def leaf_mask(pixels: np.ndarray) -> np.ndarray:
    """Return where the leaf is, bool [SIZE, SIZE]; all False if it can't be told.

    pixels: uint8 [S, S, 3]. A pixel belongs to the leaf if its chromaticity is far from the border's, by
    Otsu's threshold (1979, IEEE Trans. SMC 9, p. 62). Brightness would take shadows for leaf. What the leaf
    encloses belongs to it: lesions can be as grey as the paper.
    """
    nothing = np.zeros((SIZE, SIZE), bool)
    small = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    rgb = np.asarray(small, np.float32)
    chromaticity = rgb / (rgb.sum(2, keepdims=True) + 60)  # the constant calms dark pixels, all noise
    border = _border(chromaticity, 2)
    background = np.median(border, axis=0)
    if np.abs(border - background).mean() > PLAIN:
        return nothing
    distance = np.sqrt(((chromaticity - background) ** 2).sum(2))
    distance = np.minimum(distance, np.quantile(distance, 0.98))
    threshold, explained = _otsu(distance)
    if explained < DISTINCT:
        return nothing
    # A little under the threshold: a missing edge of the leaf harms more than a rim of paper.
    leaf = _share_around(distance > 0.8 * threshold, 1) > 127  # a median filter
    room = np.zeros((SIZE + 2 * GAP, SIZE + 2 * GAP), bool)
    inside = (slice(GAP, -GAP), slice(GAP, -GAP))
    room[inside] = leaf
    closed = _share_around(_share_around(room, GAP // 2) > 0, GAP // 2) == 255
    around = _outside(~closed)
    mask, before = ~around[inside], ~_outside(~room, around)[inside]  # holes are filled
    fits = LEAST <= mask.mean() <= MOST and _border(mask[..., None], 1).mean() <= BORDER
    return mask if fits and before.sum() >= WHOLE * mask.sum() else nothing


def _share_around(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return how much of the square around each pixel a mask covers, 0 to 255.

    A box blur costs a tenth of a rank filter, and is one for masks: more than half is the median, anything
    the maximum, all the minimum.
    """
    return np.asarray(Image.fromarray(np.uint8(mask) * 255).filter(ImageFilter.BoxBlur(radius)))


def _border(x: np.ndarray, width: int) -> np.ndarray:
    edges = (x[:width], x[-width:], x[:, :width], x[:, -width:])
    return np.concatenate([edge.reshape(-1, x.shape[2]) for edge in edges])


def _outside(free: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Return what of the free pixels lies around a shape drawn with a margin, bool; `known` is some of it."""
    # All that a straight line reaches from an edge; what is left floods what is free, step by step.
    outside = np.logical_and.accumulate(free, axis=0) | np.logical_and.accumulate(free, axis=1)
    outside |= np.logical_and.accumulate(free[::-1], axis=0)[::-1]
    outside |= np.logical_and.accumulate(free[:, ::-1], axis=1)[:, ::-1]
    if known is not None:
        outside |= known
    size = 0
    while outside.sum() > size:
        size = outside.sum()
        for _ in range(GAP):
            outside[1:] |= outside[:-1]
            outside[:-1] |= outside[1:]
            outside[:, 1:] |= outside[:, :-1]
            outside[:, :-1] |= outside[:, 1:]
            outside &= free
    return outside


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """Return the threshold that parts values best in two, and the share of their variance this explains."""
    counts, edges = np.histogram(values, 64)
    share = counts / counts.sum()
    centres = (edges[1:] + edges[:-1]) / 2
    below, mean_below = np.cumsum(share), np.cumsum(share * centres)
    mean = mean_below[-1]
    between = (mean * below - mean_below) ** 2 / np.maximum(below * (1 - below), 1e-9)
    best = int(between.argmax())
    return float(edges[best + 1]), float(between[best] / max((share * (centres - mean) ** 2).sum(), 1e-9))
