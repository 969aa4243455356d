"""Where the leaf is on a photo with a plain background: paper, a board, concrete.

Trained on such photos as they are, a network learns the paper (on PlantVillage's potato photos eight border
pixels tell 85 % of the classes). With the leaf known, training can lay it on other backgrounds.
"""

import numpy as np
from PIL import Image, ImageFilter

SIZE = 64  # the side of a mask
GAP = 7  # breaks in the leaf that are narrower are closed, in pixels of the mask
MARGIN = 8  # of free pixels around a mask while it is drawn, more than a gap; and rows of whole bytes
ROOM = SIZE + 2 * MARGIN
BINS = 64  # of the histogram that a threshold is found in

PLAIN = 0.022  # a background's chromaticities stray no further than this from their median, on average,
DISTINCT = 0.65  # the leaf and it explain at least this share of the photo's variation,
BORDER = 0.25  # the leaf covers no more of the border than this,
LEAST, MOST = 0.15, 0.8  # and this much of the photo,
WHOLE = 0.85  # and had at least this share of its area before gaps were closed.


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """Return a photo, uint8 [S, S, 3], as small planes of red, green and blue: float32 [3, SIZE, SIZE].

    Each plane lies in one piece: thrice as quick to compute with.
    """
    small = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1).astype(np.float32, order="C")


def leaf_mask(rgb: np.ndarray) -> np.ndarray:
    """Return where the leaf is on a shrunk photo, bool [SIZE, SIZE]; all False if it can't be told.

    A pixel belongs to the leaf if its chromaticity is far from the border's, by Otsu's threshold (1979, IEEE
    Trans. SMC 9, p. 62). Brightness would take shadows for leaf. What the leaf encloses belongs to it:
    lesions can be as grey as the paper.
    """
    nothing = np.zeros((SIZE, SIZE), bool)
    chromaticity = rgb / (rgb[0] + rgb[1] + rgb[2] + 60)  # the constant calms dark pixels, all noise
    border = _border(chromaticity, 2)
    middle = border.shape[1] // 2
    background = np.sort(border, axis=1)[:, middle - 1 : middle + 1].mean(1, keepdims=True)  # its median
    if np.abs(border - background).mean() > PLAIN:
        return nothing
    red, green, blue = (chromaticity - background[..., None]) ** 2
    distance = np.sqrt(red + green + blue)
    distance = np.minimum(distance, quantile(distance, 0.98))
    threshold, explained = _otsu(distance)
    if explained < DISTINCT:
        return nothing
    # A little under the threshold: a missing edge of the leaf harms more than a rim of paper.
    above = Image.fromarray(np.uint8(distance > 0.8 * threshold) * 255)
    leaf = np.asarray(above.filter(ImageFilter.BoxBlur(1))) > 127  # a median filter
    mask, before = _close_and_fill(leaf)
    fits = LEAST <= mask.mean() <= MOST and _border(mask[None], 1).mean() <= BORDER
    return mask if fits and before >= WHOLE * mask.sum() else nothing


def quantile(values: np.ndarray, share: float) -> float:
    """Return what numpy.quantile does, in a third of its time."""
    place = share * (values.size - 1)
    rank = int(place)
    low, high = np.partition(values, (rank, rank + 1), axis=None)[rank : rank + 2]
    return low + (place - rank) * (high - low)


def _bits(shape: np.ndarray) -> int:
    """Return a shape as one whole number, a bit for each of its pixels: so all of them shift at once."""
    return int.from_bytes(np.packbits(shape).tobytes())


INSIDE = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))  # the mask, in the room
EVERYWHERE = _bits(np.ones((ROOM, ROOM), bool))
AROUND = EVERYWHERE ^ _bits(np.pad(np.ones((SIZE, SIZE), bool), MARGIN))


def _close_and_fill(leaf: np.ndarray) -> tuple[np.ndarray, int]:
    """Close gaps in a leaf, bool [SIZE, SIZE], and fill its holes; return also its area with open gaps.

    Closing is dilation, then erosion: to erode a shape is to dilate what is around it.
    """
    room = np.zeros((ROOM, ROOM), bool)
    room[INSIDE] = leaf
    bits = _bits(room)
    closed = ~_dilate(~_dilate(bits))
    around = _flood_fill(AROUND, EVERYWHERE & ~closed)
    before = EVERYWHERE & ~_flood_fill(around, EVERYWHERE & ~bits)
    rows = np.frombuffer(around.to_bytes(ROOM * ROOM // 8), np.uint8)
    return np.unpackbits(rows).reshape(ROOM, ROOM)[INSIDE] == 0, before.bit_count()


def _dilate(bits: int) -> int:
    """Dilate a shape, or the room around it, by half a gap on all sides."""
    for step in (1, ROOM):
        for _ in range(GAP // 2):
            bits |= bits << step | bits >> step
    return bits


def _flood_fill(water: int, free: int) -> int:
    """Flood-fill all that is free and connected to what is under water, also across corners."""
    before = 0
    while water != before:
        before = water
        water |= water << 1 | water >> 1
        water = (water | water << ROOM | water >> ROOM) & free
    return water


def _border(x: np.ndarray, width: int) -> np.ndarray:
    """Return the pixels along the edges of some planes, [C, H, W] -> [C, n]."""
    edges = (x[:, :width], x[:, -width:], x[:, :, :width], x[:, :, -width:])
    return np.concatenate([edge.reshape(len(x), -1) for edge in edges], axis=1)


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """Return the threshold that parts values best in two, and the share of their variance this explains."""
    low = values.min()
    width = max((values.max() - low) / BINS, 1e-9)
    bins = np.minimum((values - low) / width, BINS - 1).astype(np.intp)
    share = np.bincount(bins.ravel(), minlength=BINS) / bins.size
    centres = low + width * (np.arange(BINS) + 0.5)
    below, mean_below = np.cumsum(share), np.cumsum(share * centres)
    mean = mean_below[-1]
    between = (mean * below - mean_below) ** 2 / np.maximum(below * (1 - below), 1e-9)
    best = int(between.argmax())
    variance = (share * (centres - mean) ** 2).sum()
    return float(low + width * (best + 1)), float(between[best] / max(variance, 1e-9))
