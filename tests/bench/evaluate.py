"""Measure a bundle, as it is served, on labelled folders.

    python tests/bench/evaluate.py [--model FOLDER] [--masks FOLDER] NAME=FOLDER...

Photos whose folder is not one of the model's classes count as "not a potato leaf". With --masks (a folder a
class, PNGs named as the photos: black is background, the LEAF colour healthy tissue, any other a lesion) it
also tells how much of the positive heat of blight diagnoses falls on the leaf and on lesions.
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[2]))

from model import bundle, data, evaluation, photo
from model.classifier import Classifier, Diagnosis
from model.verdict import DIAGNOSIS

LEAF = (170, 85, 0)


def diagnose_all(classifier: Classifier, paths: list[Path]) -> list[Diagnosis]:
    """Diagnose photos on all cores, in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(tqdm(pool.map(classifier.diagnose, paths), total=len(paths), leave=False))


def measure(classifier: Classifier, found: list[data.LabelledPhoto], answers: list[Diagnosis]) -> dict:
    """Return the figures of one set."""
    folders = [name.folder for name in classifier.bundle.classes]
    labels = np.array([folders.index(p.folder) if p.folder in folders else -1 for p in found])
    hashes = np.array([data.difference_hash(photo.prepare(p.path, 64)) for p in found])
    probabilities = np.array([list(answer.probabilities.values()) for answer in answers])
    leaf = np.array([answer.leaf for answer in answers])
    leaves = data.merge_near_identical(data.leaves_by_name(found)[0], hashes)
    return evaluation.measure(
        probabilities, leaf, labels, leaves, classifier.labels, classifier.bundle.thresholds
    )


def heat_shares(answer: Diagnosis, mask: Image.Image) -> tuple[float, float]:
    """Return the shares of the positive heat that fall on the leaf and on lesions, 0 to 1."""
    colours = np.asarray(mask.convert("RGB"))
    leaf, lesion = colours.any(axis=2), colours.any(axis=2) & (colours != LEAF).any(axis=2)
    heat = np.asarray(Image.fromarray(answer.heat).resize(mask.size, Image.Resampling.BILINEAR))
    total = heat.sum() or 1.0
    return float(heat[leaf].sum() / total), float(heat[lesion].sum() / total)


def main() -> None:
    """Print the figures of every set named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER", help="the bundle")
    parser.add_argument("--masks", metavar="FOLDER", help="lesion masks of some of the photos")
    parser.add_argument("sets", nargs="+", metavar="NAME=FOLDER")
    options = parser.parse_args()
    classifier = Classifier(bundle.read(Path(options.model)))
    for name, folder in (named.split("=", 1) for named in options.sets):
        found = data.find_photos(folder)
        answers = diagnose_all(classifier, [p.path for p in found])
        print("\n" + evaluation.table(name, measure(classifier, found, answers)))
        shares = [
            heat_shares(answer, Image.open(mask))
            for p, answer in zip(found, answers, strict=True)
            if options.masks and answer.verdict == DIAGNOSIS and answer.label != "Healthy"
            if (mask := Path(options.masks) / p.folder / f"{p.path.stem}.png").exists()
        ]
        if shares:
            on_leaf, on_lesion = np.mean(shares, axis=0)
            print(f"  heat of {len(shares)} diagnoses on the leaf {on_leaf:.3f}, on lesions {on_lesion:.3f}")


if __name__ == "__main__":
    main()
