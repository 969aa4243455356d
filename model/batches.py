"""Batches of prepared photos: endless augmented ones to train on, and one after the other to predict."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from model.cores import CORES

Predictor = Callable[[np.ndarray, np.ndarray], np.ndarray | dict[str, np.ndarray]]


def training_batches(
    images: np.ndarray,
    masks: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    indices: np.ndarray,
    backgrounds: np.ndarray,
    batch_size: int,
    steps: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    augment: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.data.Dataset:
    """Yield (pixels, targets, weights) batches without end, epoch after epoch from `first_epoch` of `epochs`.

    images: uint8 [n, S, S, 3]; masks: where the leaf is, bool [n, h, w]; targets: float32 [n, K]; weights:
    float32 [n]; `indices` are the photos to train on, `backgrounds` those to lay leaves on (a quarter of
    the leaves, or all if there are none, get a plain colour instead). Order and augmentation depend on seed,
    epoch and step alone, so that a resumed training sees what an uninterrupted one would have. An epoch has
    `steps` batches.
    """

    def draw() -> Iterator[tuple[np.ndarray, ...]]:
        epoch = first_epoch
        while True:
            random = np.random.default_rng([seed, epoch])
            order = random.permutation(indices)
            for step in range(steps):
                batch = np.sort(order[step * batch_size : (step + 1) * batch_size])  # near-sequential reads
                behind = np.empty((len(batch), *images.shape[1:]), np.uint8)
                behind[:] = random.integers(0, 256, (len(batch), 1, 1, 3))
                if len(backgrounds):
                    scenes = random.random(len(batch)) < 0.75
                    behind[scenes] = images[random.choice(backgrounds, scenes.sum())]
                key = np.array([seed, epoch * steps + step])
                done = epoch / epochs
                yield images[batch], masks[batch], behind, targets[batch], weights[batch], key, done
            epoch += 1

    signature = (
        tf.TensorSpec([None, *images.shape[1:]], tf.uint8),
        tf.TensorSpec([None, *masks.shape[1:]], tf.bool),
        tf.TensorSpec([None, *images.shape[1:]], tf.uint8),
        tf.TensorSpec([None, targets.shape[1]], tf.float32),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([2], tf.int64),
        tf.TensorSpec([], tf.float32),
    )
    options = tf.data.Options()
    # Left to itself, tf.data keeps each operation on one core, so that the network waits for its batches; and
    # a training that ends waits for the thread that tunes tf.data, for up to a minute.
    options.threading.max_intra_op_parallelism = CORES
    options.autotune.enabled = False
    return (
        tf.data.Dataset.from_generator(draw, output_signature=signature)
        .map(
            lambda x, mask, behind, y, w, key, done: (augment(x, mask, behind, key, done), y, w),
            num_parallel_calls=CORES,
        )
        .prefetch(2)
        .with_options(options)
    )


def predictor(model: keras.Model, batch_size: int) -> Predictor:
    """Return a function (images, indices) that predicts those photos, in order.

    Only a batch of photos is in memory at a time. It is not model.predict, which on several devices gives
    other numbers once a network that normalises has been fitted.
    """

    @tf.function(reduce_retracing=True)
    def forward(batch: tf.Tensor) -> tf.Tensor | dict[str, tf.Tensor]:
        return model(batch, training=False)

    def predict(images: np.ndarray, indices: np.ndarray) -> np.ndarray | dict[str, np.ndarray]:
        starts = range(0, len(indices), batch_size)
        parts = [forward(tf.constant(images[indices[start : start + batch_size]])) for start in starts]
        return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

    return predict
