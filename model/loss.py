"""The training loss: cross-entropy of the class folder, plus that of the disease on any crop."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from model.diseases import class_membership


def folder_and_disease(
    outputs: Sequence[str], classes: int, label_smoothing: float
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return a Keras loss of labels and softmax, both float32 [n, len(outputs)]: float32 [n].

    It is the cross-entropy of the folders plus that of what they show: one of the classes asked for, the
    first `classes` of the outputs, on whatever crop, or none of them. To take a potato's late blight for a
    tomato's is then a smaller mistake than to take it for early blight, which helps most on cameras never
    seen (EXPERIMENTS.md).
    """
    shown = class_membership(outputs, classes) > 0
    shown = np.column_stack([shown, ~shown.any(1)])
    shown = shown[:, shown.any(0)].astype(np.float32)  # without other folders, there is no "none of them"

    def loss(labels: tf.Tensor, softmax: tf.Tensor) -> tf.Tensor:
        of_folder = keras.losses.categorical_crossentropy(labels, softmax, label_smoothing=label_smoothing)
        of_disease = keras.losses.categorical_crossentropy(
            labels @ shown, softmax @ shown, label_smoothing=label_smoothing
        )
        return of_folder + of_disease

    return loss
