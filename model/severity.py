"""How much of a leaf shows symptoms: the share of its area that is no longer green."""

import numpy as np

from model.foreground import leaf_mask, quantile, shrunk

HEALTHY_QUANTILE = 0.7  # this quantile of the leaf's greenness stands for its healthy tissue
FADED = 0.42  # tissue with less than this share of the healthy greenness is a symptom


def severity(pixels: np.ndarray) -> float | None:
    """Return the share of the leaf's area that shows symptoms, 0 to 1; None if the leaf can't be cut out.

    pixels: uint8 [S, S, 3]. A pixel is a symptom if its excess green, (2g - r - b) / (r + g + b) (Woebbecke
    et al. 1995, Transactions of the ASAE 38, p. 259), is far below that of the leaf's own healthy tissue, so
    that neither the camera's white balance nor the variety's green matter. A leaf that has all turned yellow
    is measured too low, as is one with small dark dots; one with a jagged outline, between whose teeth paper
    shows, or with bluish glare, too high. Only a single leaf on a plain background has a measurable area.
    """
    rgb = shrunk(pixels)  # which also calms the noise
    leaf = leaf_mask(rgb)
    if not leaf.any():
        return None
    red, green, blue = rgb
    greenness = ((2 * green - red - blue) / (red + green + blue + 1))[leaf]
    return float((greenness < FADED * quantile(greenness, HEALTHY_QUANTILE)).mean())
