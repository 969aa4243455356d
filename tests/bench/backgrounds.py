"""Measure a bundle on held-out lab leaves laid on other backgrounds.

    python tests/bench/backgrounds.py [--model FOLDER]

Cuts every held-out leaf with a plain background out and lays it on a held-out photo of something else, so
that the leaf alone can tell. The sources must lie where the bundle's training command says.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from evaluate import ask, model_and_held_out

from model import evaluation
from model.data import OTHER


def main() -> None:
    """Print the figures of the leaves of each source, and of the other lab leaves."""
    classifier, photos, held_out = model_and_held_out(__doc__)
    backgrounds = photos.backgrounds(held_out)
    leaves = held_out[photos.masks[held_out].any(axis=(1, 2))]
    chosen = np.random.default_rng(1).choice(backgrounds, len(leaves))

    def laid(leaf: int, background: int) -> np.ndarray:
        mask = Image.fromarray(np.uint8(photos.masks[leaf]) * 255).resize(photos.images.shape[2:0:-1])
        picture = Image.fromarray(photos.images[background].copy())
        picture.paste(Image.fromarray(photos.images[leaf]), mask=mask)
        return np.asarray(picture)

    said = ask(classifier, map(laid, leaves, chosen), photos, leaves)
    labels, sources = said.labels, said.sources
    parts = {source: (labels != OTHER) & (sources == source) for source in np.unique(sources)}
    for name, part in (parts | {"other lab leaves": labels == OTHER}).items():
        if part.any():
            figures = evaluation.measure(said.part(part), classifier.labels)
            print("\n" + evaluation.table(name, figures))


if __name__ == "__main__":
    main()
