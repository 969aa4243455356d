"""What a network does with what it has never seen: another camera, other fields, other things, other crops.

    python tests/bench/unseen.py ../shared/data [--half 0] [--out unseen] [arguments of train.py]

Trains without PLD, half of the field photos (by the hash of their names; --half 1 leaves out the other one),
all scenes and four crops, and then measures on these. The photos to train on are links in the folder
OUT.photos-HALF.
"""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CROPS = ("Corn", "Grape", "Orange", "Strawberry")


def place(photo: Path, data: Path, half: int) -> Path | None:
    """Return where a photo's link goes, None if it needs none; of the field, half 0 or 1 is trained on."""
    kind, *_, folder = photo.parent.relative_to(data).parts
    if kind == "PlantVillage":
        return Path("crops" if folder.startswith(CROPS) else "lab") / folder
    if kind == "field":
        seen = hashlib.sha256(photo.name.encode()).digest()[-1] % 2 == half
        return Path("field" if seen else "other_field") / folder
    if kind == "not_potato" and folder != "scenes":
        return Path("not_potato") / folder
    return None


def main() -> None:
    """Link, train, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", type=int, choices=(0, 1), default=0)
    parser.add_argument("--out", type=Path, default="unseen")
    options, more = parser.parse_known_args()
    data, out = options.data.resolve(), options.out.resolve()
    photos = out.with_name(f"{out.name}.photos-{options.half}")
    for photo in sorted(data.glob("*/**/*.*")):
        if folder := place(photo, data, options.half):
            link = photos / folder / photo.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(photo)
    sources = ["--data", photos / "lab", "--data", photos / "field", "--not-potato", photos / "not_potato"]
    subprocess.run([sys.executable, "train.py", *sources, "--out", out, *more], cwd=ROOT, check=True)
    kinds = {
        "PLD": data / "PLD",
        "plantdoc": photos / "other_field/*/plantdoc_potato__*",
        "ethiopia": photos / "other_field/*/ethiopia__*",
        "scenes": data / "not_potato/scenes",
        "crops": photos / "crops",
    }
    named = [f"{name}={folder}" for name, folder in kinds.items()]
    subprocess.run([sys.executable, "tests/bench/evaluate.py", "--model", out, *named], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
