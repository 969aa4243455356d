import itertools
import json
import os
import re
import signal

import keras
import numpy as np
import pytest
from conftest import run, run_here, weights_of

import train
from model import data, foreground
from model.checkpoint import Checkpoint, ResumeError, place_of_checkpoints, what_next


def assert_same_weights(a, b) -> None:
    ours, theirs = weights_of(a), weights_of(b)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


# In one process, since TensorFlow takes long to come up.
ONE_THEN_ANOTHER_KILLED_IN_EPOCH_2 = """
import os, signal, sys
import train
from model.checkpoint import Checkpoint
begin = Checkpoint.on_epoch_begin
def killing(self, epoch, logs=None):
    begin(self, epoch, logs)
    if epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
one, killed, logs, *arguments = sys.argv[1:]
train.main([*arguments, "--out", one])
Checkpoint.on_epoch_begin = killing
train.main([*arguments, "--out", killed, "--logs", logs])
"""


REFUSED_TWICE_THEN_RESUMED = """
import sys
import train
for more in ([], ["--resume", "--seed", "9"]):
    try:
        train.main(sys.argv[1:] + more)
    except ValueError as error:
        print("Refused:", error)
train.main([*sys.argv[1:], "--resume"])
"""


def test_a_killed_training_resumes_to_the_weights_of_an_uninterrupted_one(drawn_photos, cache, tmp_path):
    arguments = ["--data", drawn_photos, "--cache", cache, "--image-size", "32", "--epochs", "3"]
    places = [tmp_path / name for name in ("one", "killed", "logs")]
    killed = run("-c", ONE_THEN_ANOTHER_KILLED_IN_EPOCH_2, *places, *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "killed").exists()

    arguments += ["--logs", tmp_path / "logs"]
    resumed = run("-c", REFUSED_TWICE_THEN_RESUMED, *arguments, "--out", tmp_path / "killed")
    assert resumed.returncode == 0, resumed.stderr
    unfinished = tmp_path / "killed.training"
    assert re.findall("Refused: (.*)", resumed.stdout) == [
        f"{unfinished} holds an unfinished training: add --resume, or delete it to start again.",
        f"The unfinished training in {unfinished} had other settings (seed, split); give the same ones, or "
        "delete that folder to start again.",
    ]
    assert "Going on after epoch 1." in resumed.stdout
    assert len(re.findall(r"lowest .* in epoch \d; \d+ minutes left at most", resumed.stdout)) == 2
    assert_same_weights(tmp_path / "one", tmp_path / "killed")
    assert not unfinished.exists()
    # One file a run, for one line in TensorBoard.
    assert len(list((tmp_path / "logs" / "killed").iterdir())) == 2
    assert str(tmp_path) not in (tmp_path / "killed" / "bundle.json").read_text()


def test_one_that_is_terminated_says_how_to_go_on_and_leaves_nothing_half_done(
    drawn_photos, tmp_path, monkeypatch
):
    mask, calls = foreground.leaf_mask, itertools.count()

    def terminated(pixels: np.ndarray) -> np.ndarray:
        if next(calls) == 0:  # a second signal would break off what the first brings about
            os.kill(os.getpid(), signal.SIGTERM)
        return mask(pixels)

    monkeypatch.setattr(foreground, "leaf_mask", terminated)
    cache = tmp_path / "cache"
    ended = run_here("train.py", "--data", drawn_photos, "--cache", cache, "--out", tmp_path / "out")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "Stopped; the same command starts anew, since no epoch is whole yet."
    )
    assert not list(cache.iterdir())


STOPPED_WHILE_IMPORTING = """
import os, runpy, signal, sys
module, imported = sys.argv[1:]
class Stop:
    def find_spec(name, *more):
        if name == imported:
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Stop)
sys.argv[1:] = []
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("module", "imported"), [("train", "keras"), ("model", "tqdm"), ("model.drawn", "numpy")]
)
def test_what_is_stopped_while_its_modules_load_says_so(module, imported):
    ended = run("-c", STOPPED_WHILE_IMPORTING, module, imported)
    assert ended.stderr.splitlines()[-1] == "Stopped."
    assert "Traceback" not in ended.stderr


def test_a_training_goes_on_only_from_a_whole_epoch_of_its_own(tmp_path):
    out = str(tmp_path / "out")
    assert what_next(out, folds=2) == "the same command starts anew, since no epoch is whole yet"
    state = place_of_checkpoints(out, folds=2) / "fold-1" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    assert what_next(out, folds=2) == "the same command with --resume goes on after the last whole epoch"
    assert what_next(out, folds=0) == "the same command starts anew, since no epoch is whole yet"


@pytest.mark.parametrize(("unfinished", "more"), [("out.training", []), ("out.folds", ["--folds", "2"])])
def test_one_that_would_replace_an_unfinished_one_is_told_before_the_work(tmp_path, unfinished, more):
    state = tmp_path / unfinished / "state.json"
    state.parent.mkdir()
    state.write_text("{}")
    told = ["--data", "nowhere", "--out", str(tmp_path / "out"), *more]
    with pytest.raises(ResumeError, match=rf"{unfinished} holds an unfinished training: add --resume, or "):
        train.main(told)
    with pytest.raises(data.DataError, match=r"^There is no folder nowhere"):
        train.main([*told, "--resume"])


def test_a_training_stops_when_it_gets_no_better_and_keeps_the_best_weights(tmp_path):
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    network = keras.Sequential([keras.Input((1,)), layer])
    network.compile(keras.optimizers.SGD(0.1), "mse")
    weights, cross_entropies = [], [0.9, 0.5, 0.7, 0.6, 0.1]

    def validate() -> dict[str, float]:
        weights.append(network.get_weights()[0])
        return {"cross_entropy": cross_entropies[len(weights) - 1], "recall": 0.5}

    checkpoint = Checkpoint(tmp_path, {"seed": 1}, validate, patience=2)
    ones = np.ones((1, 1))
    network.fit(ones, 5 * ones, epochs=5, callbacks=[checkpoint], shuffle=False, verbose=0)
    assert (len(weights), checkpoint.state["best_epoch"], checkpoint.finished()) == (4, 2, True)
    network.load_weights(checkpoint.best_weights)
    assert network.get_weights()[0] == weights[1] != weights[3]


def test_a_damaged_state_is_one_sentence(tmp_path):
    for damaged in ("", "[]", '{"epochs": 1}', '{"settings": {}, "epochs": 1}', '{"settings": 1}'):
        (tmp_path / "state.json").write_text(damaged)
        with pytest.raises(ResumeError, match=r"^state.json in \S+ is damaged; delete that folder to start"):
            Checkpoint(tmp_path, {}, dict, 1).restore(None)


def test_dropout_draws_other_numbers_in_each_step_of_each_epoch(tmp_path):
    keras.utils.set_random_seed(1)  # which TensorFlow asks for once a training has made it deterministic
    dropouts = [keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)]
    network = keras.Sequential([keras.Input((1,)), *dropouts, keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    drawn = []

    def look(batch: int, logs: dict | None) -> None:
        drawn.extend(tuple(layer.seed_generator.state.numpy()) for layer in dropouts)

    checkpoint = Checkpoint(tmp_path, {"seed": 1}, lambda: {"cross_entropy": 0.5, "recall": 0.5}, patience=9)
    callbacks = [checkpoint, keras.callbacks.LambdaCallback(on_train_batch_begin=look)]
    ones = np.ones((6, 1))
    network.fit(ones, ones, batch_size=2, epochs=3, callbacks=callbacks, verbose=0)
    assert len(set(drawn)) == len(drawn) == 2 * 3 * 3  # layers, steps, epochs


@pytest.mark.parametrize("name", ["last-0001.weights.h5", "best-0001.weights.h5"])
def test_weights_that_are_cut_or_gone_are_one_sentence(tmp_path, name):
    def begun() -> tuple[keras.Model, Checkpoint]:
        network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(100)])
        network.compile(keras.optimizers.AdamW(), "mse")
        return network, Checkpoint(tmp_path, {"seed": 1}, lambda: {"cross_entropy": 0.5, "recall": 0.5}, 9)

    keras.utils.set_random_seed(1)
    network, checkpoint = begun()
    network.fit(np.zeros((1, 64)), np.zeros((1, 100)), callbacks=[checkpoint], verbose=0)
    network, checkpoint = begun()
    checkpoint.restore(network)
    weights = tmp_path / name
    weights.write_bytes(weights.read_bytes()[:-1000])
    for _ in range(2):
        network, checkpoint = begun()
        with pytest.raises(
            ResumeError, match=rf"^{name} in \S+ is damaged; delete that folder to start again"
        ):
            checkpoint.restore(network)
        weights.unlink(missing_ok=True)


def test_folds_test_every_leaf_once_and_go_on_where_they_were_interrupted(
    drawn_photos, cache, tmp_path, monkeypatch, capsys
):
    begin, begun = Checkpoint.on_epoch_begin, []

    def interrupted(self: Checkpoint, epoch: int, logs: dict | None = None) -> None:
        begin(self, epoch, logs)
        begun.append(self.folder.name)
        if len(begun) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "on_epoch_begin", interrupted)
    arguments = ["--data", str(drawn_photos), "--cache", str(cache), "--image-size", "32", "--epochs", "1"]
    arguments += ["--folds", "2", "--out", str(tmp_path / "mine")]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()  # in nobody's way: folds write no bundle
    with pytest.raises(KeyboardInterrupt):
        train.main(arguments)
    train.main([*arguments, "--resume"])
    assert begun == ["fold-1", "fold-2", "fold-2"]
    assert {path.name for path in tmp_path.rglob("*")} == {"mine", "notes.txt", "mine.folds.json"}
    made = json.loads((tmp_path / "mine.folds.json").read_text())
    assert [fold["held-out leaves"]["photos"] for fold in made["folds"]] == [60, 60]
    pooled = made["pooled"]["held-out leaves"]
    assert (pooled["photos"], pooled["not_potato"]["photos"]) == (120, 80)
    right = [fold["held-out leaves"]["accuracy"] for fold in made["folds"]]
    assert pooled["accuracy"] == pytest.approx(np.mean(right))
    printed = capsys.readouterr().out
    assert "all folds, held-out leaves: 120 photos of 120 leaves and 80 other pictures" in printed


def test_a_training_that_diverges_is_one_sentence_and_leaves_nothing_to_resume(drawn_photos, cache, tmp_path):
    ended = run_here(
        *("train.py", "--data", drawn_photos, "--cache", cache, "--image-size", "32"),
        *("--learning-rate", "1e6", "--epochs", "1", "--out", tmp_path / "out"),
    )
    assert ended.returncode == 1
    sentence = "The training diverged in epoch 1: start again with a lower --learning-rate."
    assert ended.stderr.strip().splitlines()[-1] == f"train.py: {sentence}"
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
