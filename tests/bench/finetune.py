"""Measure what a few photos of a new camera do for a bundle that has never seen it.

    python tests/bench/finetune.py BUNDLE FOLDER [--photos 20] [--seed 1] [arguments of train.py...]

Draws whole leaves from FOLDER until there are that many photos of each of the bundle's classes, goes on
training from BUNDLE with them (`train.py --start-from`, at most five minutes) and asks both models about the
rest of FOLDER. BUNDLE must not have been trained on FOLDER. Other arguments, say --not-potato SOURCE, go to
train.py, which runs in the project's folder.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from evaluate import diagnose_all, leaves_of, measure

from model import bundle, data
from model.classifier import Classifier

ROOT = Path(__file__).parents[2]
LONGEST = 300  # seconds
FEW_PHOTOS = ["--epochs", "100", "--patience", "100", "--batch-size", "16", "--learning-rate", "5e-4"]


def draw(
    found: Sequence[data.LabelledPhoto], leaves: np.ndarray, classes: Sequence[str], photos: int, seed: int
) -> np.ndarray:
    """Draw whole leaves until there are `photos` of each class; return which photos are theirs, bool [n]."""
    drawn = np.full(len(found), False)
    random = np.random.default_rng(seed)
    for name in classes:
        of_class = np.array([p.folder == name for p in found])
        for leaf in random.permutation(np.unique(leaves[of_class])):
            if (drawn & of_class).sum() >= photos:
                break
            drawn |= leaves == leaf
    return drawn


def fine_tune(
    start: Path, photos: Sequence[data.LabelledPhoto], classes: Sequence[str], more: list[str], scratch: Path
) -> Path:
    """Train from a bundle on photos; return the new bundle."""
    for i, p in enumerate(photos):
        folder = scratch / "photos" / str(i) / p.folder
        folder.mkdir(parents=True)
        (folder / p.path.name).symlink_to(p.path.resolve())
    arguments = ["--data", scratch / "photos", "--classes", *classes, "--start-from", start]
    arguments += ["--image-size", bundle.read(start).image_size]
    arguments += ["--cache", scratch / "cache", "--out", scratch / "tuned", *FEW_PHOTOS, *more]
    command = [sys.executable, "train.py", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, check=False, timeout=LONGEST, stdout=subprocess.DEVNULL)
    if ended.returncode:
        sys.exit("finetune.py: the training failed, as it says above.")
    return scratch / "tuned"


def report(name: str, folder: Path, photos: Sequence[data.LabelledPhoto]) -> None:
    """Print how good a bundle is on photos."""
    classifier = Classifier(bundle.read(folder))
    figures = measure(classifier, photos, diagnose_all(classifier, [p.path for p in photos]))
    shown = []
    for key in ("accuracy", "macro_recall"):
        low, high = figures[key + "_interval"]
        shown.append(f"{key.replace('_', ' ')} {figures[key]:.3f} ({low:.3f} to {high:.3f})")
    print(f"{name}, {figures['photos']} photos of {figures['leaves']} leaves: {', '.join(shown)}")


def require_all(
    photos: Sequence[data.LabelledPhoto], classes: Sequence[str], options: argparse.Namespace
) -> None:
    """End the program with a sentence if a class has no photo."""
    if lacking := ", ".join(sorted(set(classes) - {p.folder for p in photos})):
        sys.exit(
            f"finetune.py: {options.folder} has too few photos of {lacking}; add some, or lower --photos."
        )


def main() -> None:
    """Print the figures of the bundle as it was, and of the one trained further."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folder", help="labelled photos of the new camera, one folder a class")
    parser.add_argument("--photos", type=int, default=20, help="of each class")
    parser.add_argument("--seed", type=int, default=1)
    options, more = parser.parse_known_args()
    start = options.bundle.absolute()
    classes = [name.folder for name in bundle.read(start).classes]
    found = [p for p in data.in_classes(data.find_photos(options.folder), classes) if p.folder in classes]
    require_all(found, classes, options)
    drawn = draw(found, leaves_of(found), classes, options.photos, options.seed)
    few = [p for p, is_drawn in zip(found, drawn, strict=True) if is_drawn]
    rest = [p for p, is_drawn in zip(found, drawn, strict=True) if not is_drawn]
    require_all(rest, classes, options)
    print("Drawn:", ", ".join(f"{count} {name}" for name, count in Counter(p.folder for p in few).items()))
    report("as it was", start, rest)
    with tempfile.TemporaryDirectory() as scratch:
        report("fine-tuned", fine_tune(start, few, classes, more, Path(scratch)), rest)


if __name__ == "__main__":
    try:
        main()
    except (bundle.BundleError, data.DataError) as error:
        sys.exit(f"finetune.py: {error}")
