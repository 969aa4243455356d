"""A bundle and a photo -> a diagnosis, with LiteRT."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from model import litert, photo
from model.bundle import Bundle, BundleError
from model.cores import CORES
from model.diseases import is_healthy
from model.severity import severity
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE, verdicts

# What to call the answers that name no class.
LABELS = {UNSURE: "Unsure", NOT_POTATO: "Not a potato leaf"}
SUSPECTED = 0.2  # the least probability of a disease that nobody should overlook
PERHAPS = 0.05  # the least leaf probability of what may be a potato leaf though it was not taken for one


@dataclass(frozen=True)
class Diagnosis:
    """What the model says of a photo.

    verdict: "diagnosis", "unsure" or "not_a_potato_leaf"; label: what to show a person; confidence: of the
    likeliest class, 0 to 1; probabilities: of all classes, by label, summing to 1; leaf: the probability that
    it is a potato leaf; severity: the share of the leaf's area that shows symptoms, 0 to 1, of a diseased
    leaf on a plain background, else None; pixels: what the model saw, the photo's centre square, uint8
    [S, S, 3] RGB; heat: float32 [h, w], 0 to 1, where in it the likeliest class was seen, None if nobody
    asked or the model doesn't tell.
    """

    verdict: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    leaf: float
    severity: float | None
    pixels: np.ndarray | None
    heat: np.ndarray | None

    @property
    def likeliest(self) -> str:
        """The label of the likeliest class, whatever the verdict."""
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def suspicions(self) -> list[str]:
        """The diseases that it looks like without a diagnosis, likeliest first, if it may be a potato."""
        if self.verdict == DIAGNOSIS or (self.verdict == NOT_POTATO and self.leaf < PERHAPS):
            return []
        least = min(SUSPECTED, self.probabilities[self.likeliest])
        likely = sorted(self.probabilities, key=self.probabilities.get, reverse=True)
        return [label for label in likely if self.probabilities[label] >= least and not is_healthy(label)]

    def without_arrays(self) -> "Diagnosis":
        """Return it without its arrays, for keeping."""
        return replace(self, pixels=None, heat=None)


class _Pool:
    """Interpreters of a model, each of which takes one photo at a time."""

    def __init__(self, bundle: Bundle, model: bytes) -> None:
        # One interpreter per core keeps all cores busy. One more uses all cores, and answers a photo that
        # comes alone in half the time.
        self.cores = CORES
        self.idle, self.alone = queue.SimpleQueue(), queue.SimpleQueue()
        for _ in range(self.cores):
            self.idle.put(_load(bundle, model, threads=1))
        self.alone.put(_load(bundle, model, threads=self.cores))

    @contextmanager
    def lend(self) -> Iterator[Callable[..., dict[str, np.ndarray]]]:
        """Lend an interpreter, waiting until one is free."""
        pool = self.alone if self.idle.qsize() == self.cores else self.idle
        try:
            interpreter = pool.get_nowait()
        except queue.Empty:
            pool = self.idle
            interpreter = pool.get()
        try:
            yield interpreter
        finally:
            pool.put(interpreter)


class Classifier:
    """A model ready to diagnose, from any number of threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the model. Raises BundleError if it is not what the bundle's description says."""
        self.bundle = bundle
        self.labels = [name.label for name in bundle.classes]
        # The heat map takes nearly half of the model's time, so only those who ask for it wait for it.
        self._explaining = _Pool(bundle, bundle.model)
        plain = litert.without(bundle.model, "heat")
        self._plain = self._explaining if plain == bundle.model else _Pool(bundle, plain)

    def answer(self, pixels: np.ndarray, explain: bool = True) -> dict[str, np.ndarray]:
        """Return the model's bare outputs, as in model/export.py, for one prepared photo."""
        with self._pool(explain).lend() as run:
            return run(input=pixels[None])

    def diagnose(self, source: bytes | Path, explain: bool = False) -> Diagnosis:
        """Diagnose one photo, with heat if it is to be explained.

        Raises photo.PhotoError with a sentence if it can't be read, and OSError if the file can't.
        """
        with self._pool(explain).lend() as run:  # before decoding, when it shows whether it comes alone
            pixels = photo.prepare(source, self.bundle.image_size)
            answer = run(input=pixels[None])
        verdict = str(verdicts(answer["probabilities"], answer["leaf"], self.bundle.thresholds)[0])
        probabilities = answer["probabilities"][0]
        best = int(probabilities.argmax())
        healthy = is_healthy(self.labels[best])
        return Diagnosis(
            verdict=verdict,
            label=self.labels[best] if verdict == DIAGNOSIS else LABELS[verdict],
            confidence=float(probabilities[best]),
            probabilities=dict(zip(self.labels, map(float, probabilities), strict=True)),
            leaf=min(1.0, float(answer["leaf"][0])),  # a sum of float32
            severity=severity(pixels) if verdict == DIAGNOSIS and not healthy else None,
            pixels=pixels,
            heat=answer["heat"][0, :, :, best] if "heat" in answer else None,
        )

    def _pool(self, explain: bool) -> _Pool:
        return self._explaining if explain else self._plain


def _load(bundle: Bundle, model: bytes, threads: int):
    wrong = BundleError("model.tflite does not fit bundle.json; fetch or train the model again.")
    try:
        runner = Interpreter(model_content=model, num_threads=threads).get_signature_runner()
    except ValueError as error:
        raise wrong from error
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    size = bundle.image_size
    if (
        "input" not in inputs
        or list(inputs["input"]["shape"][1:]) != [size, size, 3]
        or inputs["input"]["dtype"] != np.uint8
        or not {"probabilities", "leaf"} <= outputs.keys()
        or outputs["probabilities"]["shape"][-1] != len(bundle.classes)
    ):
        raise wrong
    return runner
