"""How fast train.py learns, beside the usual way to train the same network; and the memory larger sets take.

python tests/bench/train.py [--photos 400] [--epochs 3] [--precision mixed_bfloat16]

The usual way is ImageDataGenerator: every photo is decoded and augmented anew in every epoch, on one core.
The photos are drawn, 256 pixels. Photos a second are those of the epochs after the first, which compiles.
Memory is what the process itself took at most (RssAnon): the cache of pixels is the operating system's.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import ROOT
from drawing import CLASSES, OTHERS, draw

BATCH = 32
USUAL = """
import sys
import keras
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from model import cnn
photos = ImageDataGenerator(rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, zoom_range=0.2,
                            brightness_range=(0.7, 1.3), horizontal_flip=True)
batches = photos.flow_from_directory(sys.argv[1], target_size=(160, 160), batch_size=int(sys.argv[3]))
network = cnn.build_cnn((160, 160, 3), batches.num_classes)
network.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
network.fit(batches, epochs=int(sys.argv[2]), verbose=2)
"""


def draw_photos(folder: Path, photos: int) -> Path:
    """Draw that many photos of each kind."""
    for kind in CLASSES + OTHERS:
        (folder / kind).mkdir(parents=True)
        for seed in range(photos):
            draw(kind, seed, size=256).save(folder / kind / f"{seed:05}.jpg", quality=90)
    return folder


def train(*command: str | Path) -> tuple[float, float]:
    """Run a training to its end; return its photos a second and the most memory it took, in megabytes."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        most = 0
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            if found := re.search(r"RssAnon:\s+(\d+)", status):
                most = max(most, int(found[1]))
            time.sleep(0.1)
        log.seek(0)
        said = log.read()
    steps = [int(ms) for ms in re.findall(r"- (\d+)ms/step", said)]
    if process.returncode or len(steps) < 2:
        raise RuntimeError(said)
    return BATCH / (sum(steps[1:]) / len(steps[1:]) / 1000), most / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=400, help="of each of five kinds")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--precision", default="float32", help="of ours")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "cache"

        def ours(photos: Path) -> tuple[float, float]:
            out = Path(scratch) / f"bundle of {photos.name}"
            arguments = ["--epochs", options.epochs, "--batch-size", BATCH, "--cache", cache, "--out", out]
            arguments += ["--precision", options.precision]
            return train("train.py", "--data", photos, *arguments)

        photos = draw_photos(Path(scratch) / "photos", options.photos)
        mine, _ = ours(photos)
        theirs, _ = train("-c", USUAL, photos, options.epochs, BATCH)
        print(f"photos a second: ours {mine:.0f}, usual {theirs:.0f}, {mine / theirs:.1f} times better")
        for times in (1, 4, 16):
            some = draw_photos(Path(scratch) / f"{times} times", options.photos // 16 * times)
            print(f"memory with {5 * (options.photos // 16 * times)} photos: {ours(some)[1]:.0f} MB")


if __name__ == "__main__":
    main()
