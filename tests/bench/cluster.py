"""Diagnose a folder of photos on the machines of a Ray cluster, with the answers of `python -m model`.

    pip install "ray[data]>=2.60,<2.61"               on each machine, beside requirements.txt
    ray start --head                                  on one of them; it says what to run on the others
    python tests/bench/cluster.py FOLDER --address auto --workers 4 > answers.csv
    python tests/bench/cluster.py [--photos 2000]     or, alone: drawn photos, both ways, on this machine

The code travels by itself; FOLDER, and the model if it is a folder, must be where all machines can read them.
A worker takes all cores of its machine, as `python -m model` does. Two on one machine share them, so that
the second one's gain here is not what a second machine gains. Start-up, measured with a fifth of the photos,
is left out. Exits with 1 if the answers differ. Ray and not Spark: an actor loads the model once and keeps
it, in a plain Python process, without a JVM. Whoever reaches a cluster's ports can run code on it: before
`ray start`, set RAY_AUTH_MODE=token everywhere, run `ray get-auth-token --generate` on one machine and copy
its ~/.ray/auth_token to the others.
"""

import argparse
import csv
import logging
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report each run to its makers

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

import ray
from conftest import ROOT
from drawing import CLASSES, OTHERS, draw_set
from folder import seconds

from model import hub, photo
from model.__main__ import photos_in
from model.answers import columns, row
from model.bundle import DEFAULT
from model.cores import CORES
from model.serving import load

BATCH = 32  # photos that a worker takes at a time


class Worker:
    """A model that stays loaded while batches of photos come."""

    def __init__(self, model: str | None) -> None:
        self.classifier = load(hub.find(model))
        self.threads = ThreadPoolExecutor(CORES)

    def answer(self, path: str) -> dict[str, str]:
        """Return the row of `python -m model` for a photo."""
        try:
            answered = self.classifier.diagnose(Path(path)).without_arrays()
        except (photo.PhotoError, OSError) as error:
            answered = error
        return dict.fromkeys(columns(self.classifier.labels), "") | row(path, answered)

    def __call__(self, batch: dict) -> dict[str, list[str]]:
        rows = list(self.threads.map(self.answer, batch["photo"]))
        return {column: [answered[column] for answered in rows] for column in rows[0]}


def on_cluster(folder: Path, model: str | None, workers: int) -> list[dict[str, str]]:
    """Answer the photos of a folder on so many workers; return the rows, in order."""
    paths = [{"photo": str(path)} for path in photos_in([str(folder)])]
    photos = ray.data.from_items(paths, override_num_blocks=-(-len(paths) // BATCH))
    pool = ray.data.ActorPoolStrategy(size=workers)
    return photos.map_batches(Worker, fn_constructor_args=[model], batch_size=BATCH, compute=pool).take_all()


def by_command(folder: Path, model: str | None) -> list[dict[str, str]]:
    """Answer them with `python -m model`; return the rows."""
    with tempfile.NamedTemporaryFile("r", suffix=".csv") as out:
        seconds("-m", "model", folder, "--csv", out.name, MODEL_REPO=model or str(DEFAULT))
        return list(csv.DictReader(out))


def main() -> int:
    """Print the answers to a folder, as CSV; or how fast each way is, and whether all answer the same."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photos", type=int, default=2000, help="to draw, without FOLDER")
    parser.add_argument("--model", metavar="BUNDLE", help="as MODEL_REPO (default: the one included)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--address", help="of the cluster (default: none, the workers run on this machine)")
    options = parser.parse_args()
    if options.address and not options.folder:
        parser.error("name a FOLDER: what is drawn here the cluster's other machines can't read.")
    if options.folder:
        try:
            next(photos_in([str(options.folder)]))
        except OSError as error:
            parser.error(str(error))
    logging.disable(logging.INFO)  # of which Ray has much to say
    code = {"py_modules": [str(ROOT / "model")]}
    cores = None if options.address else options.workers  # Ray counts one a worker
    ray.init(options.address or "local", num_cpus=cores, runtime_env=code, log_to_driver=False)
    settings = ray.data.DataContext.get_current()
    settings.execution_options.preserve_order, settings.enable_progress_bars = True, False
    if options.folder:
        rows = on_cluster(options.folder, options.model, options.workers)
        table = csv.DictWriter(sys.stdout, rows[0])
        table.writeheader()
        table.writerows(rows)
        return 0
    ways = {"python -m model": lambda folder: by_command(folder, options.model)}
    for n in (1, options.workers):
        ways[f"Ray, workers: {n}"] = lambda folder, n=n: on_cluster(folder, options.model, n)
    leaves, answers = options.photos // len(CLASSES + OTHERS), []
    with tempfile.TemporaryDirectory() as scratch:
        some = draw_set(Path(scratch) / "some", leaves, CLASSES[:1])
        many = draw_set(Path(scratch) / "many", leaves)
        for name, way in ways.items():
            way(some)  # starts what later runs find started
            times = [time.perf_counter()]
            for folder in (some, many):
                rows = way(folder)
                times.append(time.perf_counter())
            rate = (len(rows) - leaves) / (times[2] - times[1] - (times[1] - times[0]))
            print(f"{name}: {rate:.0f} photos a second", flush=True)
            answers.append(rows)
    same = all(rows == answers[0] for rows in answers)
    print(f"{len(answers[0])} answers each way, {'all the same' if same else 'and they DIFFER'}")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
