"""How fast train.py learns, beside the usual way to train the same network; and the memory of larger sets.

python tests/bench/train.py [--photos 100] [--epochs 3] [--rounds 5] [--precision mixed_bfloat16]
                            [--leaves FOLDER]

The usual way is ImageDataGenerator (pip install scipy, which it needs): every photo is decoded and augmented
anew in every epoch, on one core. The photos are drawn, of 256 pixels and of a phone's 2 megapixels. Photos a
second are those of the epochs after the first, which compiles. With --leaves, a set such as PlantVillage,
its potato photos are split by leaf, and each way is timed from its start until it tells 97 % of the leaves
that it does not train on (validation macro recall), with another seed in each round. All are medians of the
rounds. Memory is what the process itself took at most (RssAnon): the cache of pixels is the operating
system's.
"""

import argparse
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from conftest import ROOT
from drawing import CLASSES, OTHERS, draw
from evaluate import leaves_of

from model import data
from model.splits import SPLITS, split_by_leaf

BATCH = 32
SIZES = {"256 pixels": (256, 256), "2 megapixels": (1632, 1224)}
REACHED, PATIENCE = 0.97, 60  # macro recall; epochs to reach it in
USUAL = """
import sys
import keras
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from model import cnn
keras.utils.set_random_seed(int(sys.argv[4]))
photos = ImageDataGenerator(rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, zoom_range=0.2,
                            brightness_range=(0.7, 1.3), horizontal_flip=True)
def flow(photos, folder, **more):
    return photos.flow_from_directory(folder, target_size=(160, 160), batch_size=int(sys.argv[3]), **more)
batches = flow(photos, sys.argv[1])
network = cnn.build_cnn((160, 160, 3), batches.num_classes)
network.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
def validate(epoch, logs):
    held_out = flow(ImageDataGenerator(), sys.argv[5], shuffle=False)
    guess = network.predict(held_out, verbose=0).argmax(1)
    recall = np.mean([(guess[held_out.classes == k] == k).mean() for k in range(held_out.num_classes)])
    print(f"Validation macro recall {recall:.4f}", flush=True)
after = [keras.callbacks.LambdaCallback(on_epoch_end=validate)] if len(sys.argv) > 5 else []
network.fit(batches, epochs=int(sys.argv[2]), verbose=2, callbacks=after)
"""


@dataclass
class Run:
    """Of a training: photos a second, megabytes it took at most, seconds until it had REACHED enough."""

    photos_a_second: float
    memory: float
    seconds: float | None


def draw_photos(folder: Path, photos: int, size: tuple[int, int]) -> Path:
    """Draw that many photos of each kind."""
    for kind in CLASSES + OTHERS:
        (folder / kind).mkdir(parents=True)
        for seed in range(photos):
            drawn = draw(kind, seed, size=256).resize(size)
            drawn.save(folder / kind / f"{seed:05}.jpg", quality=90)
    return folder


def split(source: str, folder: Path) -> Path:
    """Deal the potato photos of a set by leaf into `folder`, as sets that come split are laid out."""
    photos = [p for p in data.find_photos(source) if p.folder.startswith("Potato___")]
    classes = sorted({p.folder for p in photos})
    for name, indices in split_by_leaf(photos, leaves_of(photos), classes, 0.15, 0.15, seed=1).items():
        for i in indices:
            link = folder / name / photos[i].folder / photos[i].path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(photos[i].path.resolve())
    return folder


def train(*command: object, until: float = 2) -> Run:
    """Run a training to its end, or until its validation macro recall is there."""
    with tempfile.TemporaryFile("w+") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        most, reached = 0, None
        while process.poll() is None and reached is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            if found := re.search(r"RssAnon:\s+(\d+)", status):
                most = max(most, int(found[1]))
            said = Path(f"/proc/self/fd/{log.fileno()}").read_text()
            if any(float(recall) >= until for recall in re.findall(r"macro recall ([\d.]+)", said)):
                reached = time.monotonic() - started
                process.kill()
            time.sleep(0.1)
        process.wait()
        said = Path(f"/proc/self/fd/{log.fileno()}").read_text()
    if process.returncode and reached is None:
        raise RuntimeError(said)
    told = re.findall(r"(\d+)/\d+ - (\d+)s - (?:(\d+)ms)?", said)  # milliseconds unless they are too many
    rates = [BATCH / (int(ms) / 1000 if ms else int(seconds) / int(steps)) for steps, seconds, ms in told[1:]]
    return Run(statistics.mean(rates) if rates else 0, most / 1000, reached)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=100, help="of each of five kinds")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="float32", help="of ours")
    parser.add_argument(
        "--leaves", metavar="FOLDER", help="a labelled set, to time how soon 97 %% is reached"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch, number = Path(folder), iter(range(10_000))

        def ours(photos: Path, epochs: int, until: float = 2, seed: int = 0) -> Run:
            arguments = ["--epochs", epochs, "--patience", epochs, "--batch-size", BATCH]
            arguments += ["--precision", options.precision, "--cache", scratch / "cache", "--seed", seed]
            out = scratch / f"bundle {next(number)}"
            return train("train.py", "--data", photos, *arguments, "--out", out, until=until)

        def usual(photos: Path, epochs: int, *held_out: Path, until: float = 2, seed: int = 0) -> Run:
            return train("-c", USUAL, photos, epochs, BATCH, seed, *held_out, until=until)

        for name, size in SIZES.items():
            photos = draw_photos(scratch / name, options.photos, size)
            runs = [
                (ours(photos, options.epochs), usual(photos, options.epochs)) for _ in range(options.rounds)
            ]
            mine, theirs = (
                statistics.median(r.photos_a_second for r in side) for side in zip(*runs, strict=True)
            )
            print(
                f"{name}, photos a second: ours {mine:.0f}, usual {theirs:.0f}, "
                f"{mine / theirs:.1f} times better"
            )
        for times in (1, 4, 16):
            each = options.photos // 2 * times
            some = draw_photos(scratch / f"{times} times", each, SIZES["256 pixels"])
            memory = ours(some, options.epochs).memory
            print(f"memory with {5 * each} photos: {memory:.0f} MB")
        if options.leaves:
            parts = split(options.leaves, scratch / "split")
            train_on, held_out = (parts / name for name in SPLITS[:2])
            times = {"ours": [], "usual": []}
            for seed in range(options.rounds):
                times["ours"].append(ours(parts, PATIENCE, REACHED, seed).seconds or math.inf)
                run = usual(train_on, PATIENCE, held_out, until=REACHED, seed=seed)
                times["usual"].append(run.seconds or math.inf)
            for name, seconds in times.items():
                told = ", ".join(f"{one:.0f}" for one in seconds)  # inf: not in PATIENCE epochs
                print(f"to {REACHED:.0%} of the leaves held out, {name}: median of {told} s")


if __name__ == "__main__":
    main()
