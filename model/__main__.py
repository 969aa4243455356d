"""Diagnose photos from the command line.

    python -m model PHOTO_OR_FOLDER... [--csv FILE]

Uses the model that MODEL_REPO names (a Hub id, optionally @revision, or a folder), or the default one.
"""

import argparse
import csv
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from model import hub, photo
from model.answers import columns, row
from model.bundle import BundleError, read
from model.classifier import Classifier, Diagnosis
from model.plant import joint_answer

MOST_TOGETHER = 100  # photos; more are hardly of one plant or field


def photos_in(paths: list[str]) -> Iterator[Path]:
    """List the photos named, and those in the folders named. Raises FileNotFoundError."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in photo.SUFFIXES)
        elif path.exists():
            yield path
        else:
            raise FileNotFoundError(f"There is no photo or folder {path}.")


def main(argv: list[str]) -> int:
    """Print, or write as CSV, a row for each photo; return 1 if a photo could not be read."""
    parser = argparse.ArgumentParser(prog="python -m model", description="Diagnose photos of potato leaves.")
    parser.add_argument("photos", nargs="+", metavar="PHOTO_OR_FOLDER")
    parser.add_argument("--csv", metavar="FILE", help="write the answers to a CSV file")
    options = parser.parse_args(argv)
    paths = list(photos_in(options.photos))
    found = hub.find(os.environ.get("MODEL_REPO"))
    classifier = Classifier(read(found.folder, found.name))
    if found.notice:
        print(found.notice, file=sys.stderr)

    def answer(path: Path) -> Diagnosis | Exception:
        try:
            return classifier.diagnose(path).words()
        except (photo.PhotoError, OSError) as error:
            return error

    diagnoses, errors = [], 0
    with ThreadPoolExecutor(os.cpu_count()) as pool, _output(options.csv) as file:
        table = csv.DictWriter(file, columns(classifier.labels))
        table.writeheader()
        answers = zip(paths, pool.map(answer, paths), strict=True)
        # The bar shows only on a terminal (None), and never among the rows.
        for path, answered in tqdm(
            answers, total=len(paths), unit="photo", disable=None if options.csv else True
        ):
            table.writerow(row(str(path), answered))
            if isinstance(answered, Exception):
                errors += 1
            elif len(paths) <= MOST_TOGETHER:
                diagnoses.append(answered)
    if len(diagnoses) > 1:
        joint = joint_answer(diagnoses)
        print(f"Together: {joint.label} ({joint.voters} of {joint.photos} photos had a say)", file=sys.stderr)
    return int(errors > 0)


def _output(path: str | None) -> TextIO:
    return Path(path).open("w", newline="") if path else open(sys.stdout.fileno(), "w", closefd=False)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BundleError, hub.HubError, OSError) as error:
        sys.exit(f"python -m model: {error}")
