"""Learning from trained models: their answers as targets, beside the folders' names."""

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from model import bundle, cnn, export
from model.bundle import BundleError
from model.normalization import FusedNormalization

SHARE = 0.7  # of a target that comes from teachers


def check_teachers(teachers: dict[str, Path], outputs: Sequence[str], size: int) -> None:
    """Raise BundleError, naming what differs, unless bundles have these outputs, in any order, and size."""
    for name, folder in teachers.items():
        trained = bundle.read(folder)
        known, wanted = set(trained.outputs()), set(outputs)
        differences = []
        if unknown := ", ".join(sorted(wanted - known)):
            differences.append(f"it does not know {unknown}")
        if more := ", ".join(sorted(known - wanted)):
            differences.append(f"it also knows {more}")
        if trained.image_size != size:
            differences.append(f"its photos are {trained.image_size} pixels wide, not {size} (--image-size)")
        if differences:
            raise BundleError(f"{name} can't teach this one: {'; '.join(differences)}.")


def load_teacher(folder: Path, name: str, outputs: Sequence[str], size: int, precision: str) -> keras.Model:
    """Load a bundle's network: uint8 [n, size, size, 3] -> softmax over `outputs`, float32 [n, outputs].

    Raises BundleError if it does not fit, or if it is no network of ours.
    """
    check_teachers({name: folder}, outputs, size)
    known = bundle.read(folder).outputs()
    weights = export.load_fitted(folder).get_weights()
    weights[-2:] = [values[..., [known.index(name) for name in outputs]] for values in weights[-2:]]
    keras.config.set_dtype_policy(precision)
    with tf.device("CPU"):  # where batches are made
        network = cnn.build_cnn((size, size, 3), len(outputs), normalization=FusedNormalization)
    keras.config.set_dtype_policy("float32")
    try:
        network.set_weights(weights)
    except ValueError as error:
        raise BundleError(f"{name} can't teach this one: it is another network.") from error
    return network


def taught(batches: tf.data.Dataset, teachers: Sequence[keras.Model]) -> tf.data.Dataset:
    """Mix into each target the teachers' mean answer to the same augmented pixels.

    Several networks know a camera that none of them has seen better than each does, and one network learns
    that from them (Hinton et al. 2015, arXiv:1503.02531). batches: (pixels, targets, weights), as
    training_batches yields them.
    """

    def teach(photos: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        said = tf.add_n([teacher(photos, training=False) for teacher in teachers]) / len(teachers)
        return photos, targets + SHARE * (said - targets), weights

    return batches.map(teach).prefetch(2) if teachers else batches
