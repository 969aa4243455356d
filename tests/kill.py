"""Kill what writes at random moments, with SIGKILL, and look at what is left: nothing broken, nothing lost.

python tests/kill.py [--times 50] [--seed 1] training|saving|pushing|swapping|writing

training: train.py, resumed; once it is whole, the next one is to replace its bundle
saving: the same of a network that takes no time, so that most kills come while something is written
pushing: a push of a bundle to the Hub
swapping: an app that fetches a newer model and lets it answer, or that starts, also without the Hub
writing: the folder of a bundle

Stops with an error at the first thing that is broken.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import h5py
import httpx2
from children import ended, forked, kill_all, killed
from conftest import HTTP, free_port
from drawing import draw, draw_set
from hostile import saved
from loopback_hub import LoopbackHub
from loopback_repo import Repo
from making import DESCRIPTION, write

from model import bundle

# TensorFlow, the Hub's client and the app are imported where they are needed: a process that has used
# TensorFlow can't be forked, and the others read the environment when they are imported.

REPO = "someone/leaf"
Kills = collections.Counter[str]  # by what was going on


def writing(folder: Path, times: int, choose: random.Random) -> Kills:
    """Kill what writes a bundle over and over."""
    leaf = folder / "leaf"
    write(leaf, b"0")

    def over_and_over(number: int) -> None:
        while True:
            write(leaf, str(number).encode() * 100_000)

    for kill in range(times):
        assert killed(forked(partial(over_and_over, kill)), choose.uniform(0, 0.03))
        bundle.check_files(bundle.actual_folder(leaf))
    assert len(list(folder.iterdir())) <= 3  # the bundle, and what the last one may have left beside it
    return Kills(writing=times)


def training(folder: Path, times: int, choose: random.Random) -> Kills:
    """Kill train.py."""
    import train

    photos = draw_set(folder / "set", leaves=6)

    def run(out: Path, seed: int) -> None:
        told = ["--data", photos, "--cache", folder / "cache", "--image-size", 32, "--batch-size", 8]
        told += ["--epochs", 6, "--seed", seed, "--out", out, "--resume"]
        train.main([str(word) for word in told])

    return _killed_trainings(folder / "leaf", times, choose, run, epochs=6)


def saving(folder: Path, times: int, choose: random.Random) -> Kills:
    """Kill a training that does little but save."""
    epochs = 15
    import keras
    import numpy as np

    from model.checkpoint import Checkpoint, discard

    def run(out: Path, seed: int) -> None:
        network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(100)])
        network.compile(keras.optimizers.AdamW(), "mse")
        checkpoint = Checkpoint(
            out.with_name("leaf.training"),
            {"seed": seed},
            lambda: {"cross_entropy": 0.5, "recall": 0.5},
            epochs,
        )
        checkpoint.restore(network)
        one = np.zeros((1, 64)), np.zeros((1, 100))
        network.fit(
            *one, epochs=epochs, initial_epoch=checkpoint.state["epochs"], callbacks=[checkpoint], verbose=0
        )
        network.load_weights(checkpoint.best_weights)
        with bundle.writing(out) as draft:
            network.save_weights(draft / "model.weights.h5")
            (draft / bundle.LITERT_MODEL).write_bytes(b"model")
            bundle.seal(draft, DESCRIPTION | {"training": {"settings": {"seed": seed}}})
        discard(checkpoint.folder)

    return _killed_trainings(folder / "leaf", times, choose, run, epochs)


def _killed_trainings(
    out: Path, times: int, choose: random.Random, run: Callable[[Path, int], None], epochs: int
) -> Kills:
    """Kill `run`, which trains with a seed, goes on where it was killed, and writes a bundle."""
    log, kills, seed, done = out.with_name("log"), Kills(), 1, 0
    started = time.monotonic()
    assert ended(forked(partial(run, out, 0), log)), "the first one, which nobody kills"
    whole = time.monotonic() - started
    while kills.total() < times:
        child = forked(partial(run, out, seed), log)
        stopped = killed(child, choose.uniform(0, whole))
        done += log.read_text().count("Validation macro recall")  # epochs that were told of
        kept, replaced = epochs_kept(out.with_name("leaf.training")), _seed(out) == seed
        assert replaced or _seed(out) == seed - 1, "the bundle is another one"
        assert kept >= done or replaced, "an epoch is lost that was told of"
        if stopped:
            where = "before" if kept == 0 else "between" if kept < epochs else "behind"
            kills["with the new bundle there" if replaced else f"{where} the epochs"] += 1
        done = kept
        if replaced and not kept:
            seed += 1
    return kills


def _seed(out: Path) -> int:
    """Check a bundle; return the seed it was trained with."""
    place = bundle.actual_folder(out)
    bundle.check_files(place)
    return bundle.read(place).description["training"]["settings"]["seed"]


def epochs_kept(folder: Path) -> int:
    """Check that the weights that a checkpoint names are whole; return after how many epochs."""
    if not (folder / "state.json").exists():
        return 0
    state = json.loads((folder / "state.json").read_text())
    for name in (f"last-{state['epochs']:04}", f"best-{state['best_epoch']:04}"):
        with h5py.File(folder / f"{name}.weights.h5") as weights:
            weights.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)
    return state["epochs"]


def pushing(folder: Path, times: int, choose: random.Random) -> Kills:
    """Kill a push."""
    with LoopbackHub() as hub:
        os.environ |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "HF_TOKEN": "hf_loopback"}
        from model import publish
        from model.hub import download

        def push(number: int) -> None:
            publish.push(folder / str(number), REPO, force=True)

        def check() -> None:
            bundle.check_files(download(REPO, None, "model"))

        _numbered(folder / "0", 0)
        started, kills = time.monotonic(), Kills()
        assert ended(forked(partial(push, 0)))
        whole = time.monotonic() - started
        repo = hub.repos["model", REPO]

        def there() -> int:
            """Return which bundle is there, whole."""
            files = repo.at("main").files
            number = json.loads(files[bundle.DESCRIPTION])["number"]
            ours = {
                path.relative_to(folder / str(number)).as_posix() for path in _files(folder / str(number))
            }
            assert files.keys() - {".gitattributes"} == ours
            assert ended(forked(check))
            return number

        number = 1
        while kills.total() < times:
            _numbered(folder / str(number), number)
            stopped = killed(forked(partial(push, number)), choose.uniform(0, whole))
            now = there()
            assert now == number if not stopped else now in (number - 1, number)
            if stopped:
                tagged = repo.branches["main"] in repo.tags.values()
                kills["before the commit" if now < number else "behind the tag" if tagged else "between"] += 1
            assert ended(forked(partial(push, number))), "it can't be pushed again"
            assert there() == number
            assert list(repo.tags) == [f"v{version}" for version in range(1, number + 2)]
            shutil.rmtree(folder / str(number - 1))
            number += 1
        return kills


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _numbered(folder: Path, number: int) -> None:
    """Make the default bundle a new one: another number, and more behind the end of its models."""
    shutil.copytree(bundle.DEFAULT, folder)
    for name in (bundle.LITERT_MODEL, "model.weights.h5"):
        with (folder / name).open("ab") as file:
            file.write(random.Random(number).randbytes(2_000_000))
    description = json.loads((folder / bundle.DESCRIPTION).read_text())
    del description["files"], description["format_version"]
    bundle.seal(folder, description | {"number": number})


def swapping(folder: Path, times: int, choose: random.Random) -> Kills:
    """Kill an app that fetches a newer model and lets it answer, or that starts."""
    photo, port, cache = saved(draw("Potato___Late_blight", 5), "PNG"), free_port(), folder / "hf"
    with LoopbackHub() as hub:
        os.environ |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache), "TMPDIR": str(folder)}
        os.environ |= {"MODEL_REPO": REPO, "MODEL_REFRESH_MINUTES": "0.0003", "GRADIO_SERVER_PORT": str(port)}
        import app

        repo = hub.repos["model", REPO] = Repo("model", REPO)

        def publish(number: int) -> str:
            new = folder / "new"
            _numbered(new, number)
            names = (bundle.DESCRIPTION, bundle.LITERT_MODEL)
            commit = repo.commit("main", str(number), {name: (new / name).read_bytes() for name in names})
            shutil.rmtree(new)
            return commit.sha

        def answering(wanted: tuple[str, ...]) -> float:
            """Wait until one of these revisions answers; return the seconds that took."""
            started, revision = time.monotonic(), None
            while revision not in wanted:
                assert time.monotonic() < started + 60, revision
                with contextlib.suppress(httpx2.TransportError):
                    sent = {"file": photo}
                    answer = HTTP.post(f"http://127.0.0.1:{port}/predict", files=sent)
                    assert answer.status_code == 200
                    revision = answer.json()["model"]["revision"]
            return time.monotonic() - started

        kills, before, child = Kills(), publish(0), forked(app.main)
        starting = answering((before,))
        now = publish(1)
        swapping = answering((now,))
        while kills.total() < times:
            before, now = now, publish(2 + kills.total())
            assert killed(child, choose.uniform(0, swapping))
            fetched, begun = _fetched(cache, now)
            kills["fetched" if fetched else "while fetching" if begun else "before fetching"] += 1
            if choose.random() < 0.3:
                assert killed(forked(app.main), choose.uniform(0, starting))
                kills["while starting"] += 1
            fetched, _ = _fetched(cache, now)
            if choose.random() < 0.3:
                hub.fail("GET", "/api/models/", 503, times=9999)
                child = forked(app.main)
                answering((before, now) if fetched else (before,))
                hub.recover()
            else:
                child = forked(app.main)
            answering((now,))
        return kills


def _fetched(cache: Path, revision: str) -> tuple[bool, bool]:
    """Tell whether a revision's model is in the cache, and whether one is there in part."""
    whole = [path for path in cache.rglob(bundle.LITERT_MODEL) if path.parent.name == revision]
    return bool(whole), any(cache.rglob("*.incomplete"))


def main() -> None:
    """Kill and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["training", "saving", "pushing", "swapping", "writing"])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        try:
            kills = globals()[options.what](Path(folder), options.times, random.Random(options.seed))
        finally:
            kill_all()
    told = ", ".join(f"{count} {when}" for when, count in kills.most_common())
    print(f"{kills.total()} kills, nothing broken: {told}")


if __name__ == "__main__":
    main()
