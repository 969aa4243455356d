import keras
import numpy as np
import pytest
import tensorflow as tf

from model import cnn
from model.normalization import FusedNormalization


def learn(normalization: type, features: np.ndarray, training: bool) -> list[np.ndarray]:
    """Return the layer's answer, its gradients and, after it, its weights."""
    layer = normalization(momentum=0.7)
    layer.build(features.shape)
    layer.set_weights([values + i / 10 for i, values in enumerate(layer.get_weights())])
    x = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(x)
        answer = layer(x, training=training)
        mixed = tf.reduce_sum(answer * tf.sin(answer))
    gradients = tape.gradient(mixed, [x, *(v.value for v in layer.trainable_variables)])
    return [answer.numpy(), *(g.numpy() for g in gradients), *layer.get_weights()]


@pytest.mark.parametrize("training", [True, False])
def test_it_learns_and_answers_as_keras_s_own_does(training):
    features = np.random.default_rng(1).normal(2, 3, (8, 40, 40, 5)).astype(np.float32)
    both = (learn(kind, features, training) for kind in (keras.layers.BatchNormalization, FusedNormalization))
    for own, fused in zip(*both, strict=True):
        np.testing.assert_allclose(fused, own, rtol=2e-3, atol=2e-3)


def test_the_network_takes_over_its_weights():
    photos = np.random.default_rng(2).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    trained = cnn.build_cnn((64, 64, 3), 5, normalization=FusedNormalization)
    trained(photos, training=True)
    kept = cnn.build_cnn((64, 64, 3), 5)
    kept.set_weights(trained.get_weights())
    np.testing.assert_allclose(kept(photos), trained(photos), atol=1e-5)
