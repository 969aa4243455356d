"""Batch normalisation in one pass over the features, for training."""

import keras
import tensorflow as tf


class FusedNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalisation of features [n, h, w, channels], by TensorFlow's fused kernels.

    Keras 3 composes it from a dozen operations that each read and write all features, which took more than
    half of the training time. The saved network uses Keras's own layer, which loads anywhere; the weights are
    the same.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        known = {} if training else {"mean": self.moving_mean, "variance": self.moving_variance}
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=bool(training), **known
        )
        if training:
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return outputs
