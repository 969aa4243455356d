"""Measure a bundle, as it is served, on labelled folders.

    python tests/bench/evaluate.py [--model FOLDER] [--held-out] [--masks FOLDER] NAME=FOLDER_OR_PATTERN...

Photos whose folder is not one of the model's classes count as "not a potato leaf". A pattern such as
'field/*/plantdoc_potato__*' names photos one by one. With --held-out only the leaves count that the bundle's
training kept for the test: run it where that was run, since relative sources are looked for from here. With
--masks (a folder a class, PNGs named as the photos: black is background, the LEAF colour healthy tissue, any
other a lesion) it also tells how much of the positive heat of blight diagnoses falls on the leaf and on
lesions.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[2]))

from model import bundle, data, evaluation, photo
from model.classifier import Classifier, Diagnosis
from model.cores import CORES
from model.diseases import is_healthy
from model.leaves import difference_hashes, leaves_by_name, merge_alike
from model.settings import DEFAULT_CACHE, Settings
from model.splits import split_by_leaf
from model.verdict import DIAGNOSIS, verdicts

LEAF = (170, 85, 0)


def diagnose_all(classifier: Classifier, paths: list[Path], explain: bool = False) -> list[Diagnosis]:
    """Diagnose photos on all cores, in order."""
    answer = partial(classifier.diagnose, explain=explain)
    with ThreadPoolExecutor(CORES) as pool:
        return list(tqdm(pool.map(answer, paths), total=len(paths), leave=False))


def find(named: str) -> list[data.LabelledPhoto]:
    """Return the photos of a folder, or those that match a pattern."""
    if "*" not in named:
        return data.find_photos(named)
    pattern = Path(named)
    found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    return [data.LabelledPhoto(p, p.parent.name, named) for p in sorted(found)]


def split_again(description: dict):
    """Split a training's photos again; return them, a Dataset, and the indices it kept for the test."""
    from model import dataset  # TensorFlow only where it is needed

    known = description["training"]
    settings = Settings(**known["settings"])
    try:
        photos = dataset.prepare(*dataset.gather(settings), settings.image_size, DEFAULT_CACHE)
    except data.DataError as error:
        sys.exit(f"evaluate.py: {error}")
    if photos.fingerprint() != known["fingerprint"]:
        sys.exit("evaluate.py: the sources are not the photos that the model was trained on.")
    split = split_by_leaf(
        photos.photos, photos.leaves, photos.classes, settings.validation, settings.test, settings.seed
    )
    if known.get("held_out") not in (None, photos.fingerprint(split["test"])):
        sys.exit("evaluate.py: the sources have other names than in the training, and are split otherwise.")
    return photos, split["test"]


def ask(classifier: Classifier, pictures: Iterable[np.ndarray], photos, indices: np.ndarray):
    """Return the evaluation.Answers to pictures made of some photos, a Dataset's: uint8 [S, S, 3] each."""
    with ThreadPoolExecutor(CORES) as pool:
        answers = list(pool.map(partial(classifier.answer, explain=False), pictures))
    probabilities, leaf = (np.concatenate([a[key] for a in answers]) for key in ("probabilities", "leaf"))
    return evaluation.Answers(
        probabilities=probabilities,
        leaf=leaf,
        verdict=verdicts(probabilities, leaf, classifier.bundle.thresholds),
        labels=photos.class_or_other(indices),
        leaves=photos.leaves[indices],
        sources=photos.sources(indices),
    )


def model_and_held_out(description: str):
    """Read --model, the only option; return its classifier, its training's photos and those held out."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER", help="the bundle")
    classifier = Classifier(bundle.read(Path(parser.parse_args().model)))
    return classifier, *split_again(classifier.bundle.description)


def held_out(description: dict) -> set[Path]:
    """Return the photos that a training kept for the test."""
    photos, test = split_again(description)
    return {photos.photos[i].path.resolve() for i in test}


def leaves_of(found: list[data.LabelledPhoto]) -> np.ndarray:
    """Number the leaf that each photo shows, int [n]."""
    hashes = np.array([difference_hashes(photo.prepare(p.path, 64)) for p in found])
    return merge_alike(leaves_by_name(found)[0], found, hashes)


def measure(classifier: Classifier, found: list[data.LabelledPhoto], answers: list[Diagnosis]) -> dict:
    """Return the figures of one set."""
    folders = [name.folder for name in classifier.bundle.classes]
    labels = np.array([folders.index(p.folder) if p.folder in folders else -1 for p in found])
    said = evaluation.Answers(
        probabilities=np.array([list(answer.probabilities.values()) for answer in answers]),
        leaf=np.array([answer.leaf for answer in answers]),
        verdict=np.array([answer.verdict for answer in answers]),
        labels=labels,
        leaves=leaves_of(found),
        sources=np.array([p.source for p in found]),
    )
    return evaluation.measure(said, classifier.labels)


def read_mask(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return where a mask shows leaf, lesions included, and where lesions: bool [h, w] each."""
    colours = np.asarray(Image.open(path).convert("RGB"))
    leaf = colours.any(axis=2)
    return leaf, leaf & (colours != LEAF).any(axis=2)


def heat_shares(heat: np.ndarray, leaf: np.ndarray, lesion: np.ndarray) -> tuple[float, float]:
    """Return the shares of the positive heat that fall on the leaf and on lesions, 0 to 1."""
    heat = np.asarray(Image.fromarray(heat).resize(leaf.shape[::-1], Image.Resampling.BILINEAR))
    total = heat.sum() or 1.0
    return float(heat[leaf].sum() / total), float(heat[lesion].sum() / total)


def against_masks(found: list[data.LabelledPhoto], answers: list[Diagnosis], masks: Path) -> Iterator[str]:
    """Tell how the heat and the severity of the blight diagnoses agree with lesions drawn by hand."""
    heat, measured, drawn = [], [], []
    for p, answer in zip(found, answers, strict=True):
        path = masks / p.folder / f"{p.path.stem}.png"
        if answer.verdict == DIAGNOSIS and not is_healthy(answer.label) and path.exists():
            leaf, lesion = read_mask(path)
            heat.append(heat_shares(answer.heat, leaf, lesion))
            if answer.severity is not None:
                measured.append(answer.severity)
                drawn.append(lesion.sum() / leaf.sum())
    if heat:
        on_leaf, on_lesion = np.mean(heat, axis=0)
        yield f"heat of {len(heat)} diagnoses on the leaf {on_leaf:.3f}, on lesions {on_lesion:.3f}"
    if measured:
        off = np.subtract(measured, drawn)
        ranks = [np.argsort(np.argsort(values)) for values in (measured, drawn)]
        yield (
            f"severity of {len(measured)} of them: off by {np.abs(off).mean():.3f} on average, by "
            f"{np.quantile(np.abs(off), 0.9):.3f} at most in nine of ten, on the whole by {off.mean():+.3f}; "
            f"rank correlation {np.corrcoef(*ranks)[0, 1]:.2f}"
        )


def name_and_place(named: str) -> tuple[str, str]:
    """Split NAME=FOLDER_OR_PATTERN."""
    name, sign, place = named.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{named} is not NAME=FOLDER")
    return name, place


def command_line(description: str) -> argparse.ArgumentParser:
    """Return the command line of a bench that measures a bundle on sets of photos."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER", help="the bundle")
    parser.add_argument("--held-out", action="store_true", help="only leaves that training kept for the test")
    parser.add_argument("sets", nargs="+", type=name_and_place, metavar="NAME=FOLDER_OR_PATTERN")
    return parser


def named_sets(
    options: argparse.Namespace, description: dict
) -> Iterator[tuple[str, list[data.LabelledPhoto]]]:
    """Return the name and the photos of every set that the command line names."""
    kept = held_out(description) if options.held_out else None
    for name, place in options.sets:
        yield name, [p for p in find(place) if kept is None or p.path.resolve() in kept]


def main() -> None:
    """Print the figures of every set named."""
    parser = command_line(__doc__)
    parser.add_argument("--masks", metavar="FOLDER", help="lesion masks of some of the photos")
    options = parser.parse_args()
    classifier = Classifier(bundle.read(Path(options.model)))
    for name, found in named_sets(options, classifier.bundle.description):
        if not found:
            sys.exit(f"evaluate.py: no photos in {name}.")
        answers = diagnose_all(classifier, [p.path for p in found], explain=bool(options.masks))
        print("\n" + evaluation.table(name, measure(classifier, found, answers)))
        if options.masks:
            for sentence in against_masks(found, answers, Path(options.masks)):
                print(f"  {sentence}")


if __name__ == "__main__":
    main()
