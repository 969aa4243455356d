"""How fast `python -m model` goes through a folder, beside a loop of keras.Model.predict; and its memory.

python tests/bench/folder.py [--photos 2000] [--rounds 5] [--model FOLDER]

The photos are drawn, 256 pixels, in as many copies as it takes. Start-up is left out: it is
measured with one photo and subtracted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from conftest import ROOT
from drawing import draw

from model import bundle

LOOP = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from PIL import Image
from usual import load
predict = load(sys.argv[2])
for path in sorted(Path(sys.argv[1]).iterdir()):
    predict(Image.open(path))
"""


MEMORY = """
import os, resource, sys
from model.__main__ import main
main([sys.argv[1], "--csv", os.devnull])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)
"""


def seconds(*command: str | Path, **environment: str) -> float:
    """Run a Python command to its end; return the seconds it took."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started


def fill(folder: Path, photos: int) -> Path:
    """Put that many photos into a folder."""
    folder.mkdir()
    drawn = [draw("Potato___Late_blight", seed, size=256) for seed in range(10)]
    for i in range(photos):
        drawn[i % len(drawn)].save(folder / f"{i:05}.jpg", quality=90)
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        one, few, many = (
            fill(Path(scratch) / str(photos), photos) for photos in (1, options.photos // 10, options.photos)
        )

        def ours(folder: Path) -> float:
            out = Path(scratch) / "out.csv"
            return seconds("-m", "model", folder, "--csv", out, MODEL_REPO=options.model)

        def usual(folder: Path) -> float:
            return seconds("-c", LOOP, folder, options.model, Path(__file__).parent)

        rates = {"ours": [], "usual": []}
        for _ in range(options.rounds):
            rates["ours"].append((options.photos - 1) / (ours(many) - ours(one)))
            rates["usual"].append((options.photos // 10 - 1) / (usual(few) - usual(one)))
        mine, theirs = (statistics.median(rates[name]) for name in ("ours", "usual"))
        print(f"photos a second: ours {mine:.0f}, usual {theirs:.0f}, {mine / theirs:.1f} times better")
        for folder in (few, many):
            memory = subprocess.run(
                [sys.executable, "-c", MEMORY, str(folder)],
                cwd=ROOT,
                env={**os.environ, "MODEL_REPO": options.model},
                check=True,
                capture_output=True,
                text=True,
            )
            print(f"peak memory with {len(list(folder.iterdir()))} photos: {memory.stdout.strip()} MB")


if __name__ == "__main__":
    main()
