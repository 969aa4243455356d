"""Plots show what they are drawn of."""

import numpy as np
from PIL import Image

from model import bundle, plots

BLUE = (31, 119, 180)  # of matplotlib's first line


def test_the_curves_of_a_single_epoch_are_seen(tmp_path):
    figures = bundle.read(bundle.DEFAULT).description["figures"]
    plots.draw(tmp_path / "figures", figures, [{"loss": 1.2, "cross_entropy": 0.5, "recall": 0.9}])
    with Image.open(tmp_path / "figures" / "learning-curves.png") as image:
        drawn = (np.asarray(image.convert("RGB")) == BLUE).all(2)
    assert all(curve.sum() > 10 for curve in np.array_split(drawn, 3, axis=1))
