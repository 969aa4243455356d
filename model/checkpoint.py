"""Keeping a training's progress: each epoch is validated and saved, so that a kill loses one at most."""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from model import bundle, disk
from model.dataset import Dataset
from model.settings import Settings

STATE = "state.json"


class ResumeError(ValueError):
    """The unfinished training is another one, or damaged; the message is one sentence for the user."""


class DivergedError(ArithmeticError):
    """The weights are no longer finite; the message is one sentence for the user."""


def place_of_checkpoints(out: str, folds: int) -> Path:
    """Return where a training to the folder `out` keeps its checkpoints: each fold in a folder there."""
    return disk.beside(Path(out).absolute(), ".folds" if folds else ".training")


def discard(folder: Path) -> None:
    """Delete the checkpoints in `folder` and below; a kill meanwhile leaves none that could be resumed."""
    for state in folder.rglob(STATE):
        state.unlink()
    shutil.rmtree(folder)


def resumable(folder: Path) -> bool:
    """Tell whether `folder`, or one below, holds a training of which an epoch is whole."""
    return any(folder.rglob(STATE))


def check_unfinished(folder: Path, resume: bool) -> None:
    """Raise ResumeError if `folder` holds a training that can be resumed, unless it is to be resumed."""
    if resumable(folder) and not resume:
        raise ResumeError(
            f"{folder} holds an unfinished training: add --resume, or delete it to start again."
        )


def what_next(out: str, folds: int) -> str:
    """Tell how a training to the folder `out` goes on that was broken off, from a whole epoch if possible."""
    if resumable(place_of_checkpoints(out, folds)):
        return "the same command with --resume goes on after the last whole epoch"
    return "the same command starts anew, since no epoch is whole yet"


def identify(
    settings: Settings, trained: dict[str, Path], photos: Dataset, splits: dict[str, np.ndarray]
) -> dict:
    """Return all that a training must have in common with the one that it resumes."""
    split = hashlib.sha256(np.concatenate(list(splits.values())).tobytes()).hexdigest()
    identity = asdict(settings) | {"fingerprint": photos.fingerprint(), "split": split}
    if trained:
        identity["weights it learns from"] = [bundle.weights_digest(model) for model in trained.values()]
    return identity


class Checkpoint(keras.callbacks.Callback):
    """Validate after each epoch; keep the best weights and the last; stop when it gets no better.

    `folder` holds state.json, which names the weights that belong to it and is replaced in one move, so that
    it always tells of files that are whole. A training that is resumed must have the same `settings`; their
    `seed`, with the step's number, is also that of dropout. `validate` returns "cross_entropy", which tells
    the best epoch, and "recall", which is only shown: it varies by more than late epochs differ.
    """

    def __init__(self, folder: Path, settings: dict, validate: Callable[[], dict[str, float]], patience: int):
        super().__init__()
        self.folder, self.validate, self.patience = folder, validate, patience
        self.state = {"settings": settings, "epochs": 0, "best_epoch": 0, "history": [], "seconds": 0.0}

    @property
    def best_weights(self) -> Path:
        """The weights of the best epoch so far."""
        return self.folder / f"best-{self.state['best_epoch']:04}.weights.h5"

    def restore(self, model: keras.Model) -> None:
        """Take up the saved training, if there is one, and tell.

        Raises ResumeError if it was another one, or is damaged.
        """
        if not resumable(self.folder):
            print(f"There is no unfinished training in {self.folder}: this one starts anew.")
            return
        try:
            saved = json.loads((self.folder / STATE).read_text())
            saved = {key: saved[key] for key in self.state}
            before, now = saved["settings"], self.state["settings"]
            changed = [key for key in before | now if before.get(key) != now.get(key)]
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(STATE) from error
        if changed:
            raise ResumeError(
                f"The unfinished training in {self.folder} had other settings ({', '.join(changed)}); "
                "give the same ones, or delete that folder to start again."
            )
        self.state = saved
        model.optimizer.build(model.trainable_variables)
        for weights in (self.best_weights, self._last_weights()):  # the best too: better asked now than later
            try:
                model.load_weights(weights)
            except (OSError, ValueError, KeyError) as error:
                if disk.trouble(error):
                    raise
                raise self._damaged(weights.name) from error
        print(f"Going on after epoch {saved['epochs']}.")

    def _damaged(self, name: str) -> ResumeError:
        return ResumeError(f"{name} in {self.folder} is damaged; delete that folder to start again.")

    def finished(self) -> bool:
        """Tell whether it has stopped getting better."""
        return self.state["epochs"] - self.state["best_epoch"] >= self.patience

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch_started = time.monotonic()
        # Keras does not save where dropout's random numbers stand, which counts the steps. Set anew each
        # epoch, a resumed training's are those of an uninterrupted one. Each layer has its own.
        dropouts = [layer for layer in self.model.layers if isinstance(layer, keras.layers.Dropout)]
        seed, steps = self.state["settings"]["seed"], self.params["steps"]
        for k, layer in enumerate(dropouts):
            layer.seed_generator.state.assign([seed + k, epoch * steps])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        reached = self.validate()
        if not math.isfinite(reached["cross_entropy"]):
            raise DivergedError(
                f"The training diverged in epoch {epoch + 1}: start again with a lower --learning-rate"
                + (f", after deleting {self.folder}." if resumable(self.folder) else ".")
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self.state
        state["epochs"] = epoch + 1
        state["seconds"] += time.monotonic() - self._epoch_started
        state["history"].append({key: float(value) for key, value in (logs or {}).items()} | reached)
        self.model.save_weights(self._last_weights())
        best = state["history"][state["best_epoch"] - 1]  # this one, if it is the first
        if reached["cross_entropy"] <= best["cross_entropy"]:
            best, state["best_epoch"] = reached, epoch + 1
            shutil.copyfile(self._last_weights(), self.best_weights)
        unfinished = self.folder / (STATE + ".new")
        unfinished.write_text(json.dumps(state))
        unfinished.replace(self.folder / STATE)
        for weights in self.folder.glob("*.weights.h5"):
            if weights not in (self._last_weights(), self.best_weights):
                weights.unlink()
        left = state["seconds"] / state["epochs"] * (self.params["epochs"] - state["epochs"])
        print(
            f"Validation macro recall (all other things as one class) {reached['recall']:.4f}, "
            f"cross-entropy {reached['cross_entropy']:.4f}, "
            f"lowest {best['cross_entropy']:.4f} in epoch {state['best_epoch']}; "
            f"{left / 60:.0f} minutes left at most",
            flush=True,
        )
        self.model.stop_training = self.finished()

    def _last_weights(self) -> Path:
        return self.folder / f"last-{self.state['epochs']:04}.weights.h5"
