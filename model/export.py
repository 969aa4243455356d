"""A fitted network -> the Keras model that answers, and one LiteRT file with everything inside.

Both take photos, uint8 [n, S, S, 3] RGB, and return
- "probabilities": [n, K], calibrated, over the K classes asked for,
- "leaf": [n], the probability that the photo shows one of them at all;
the LiteRT file also
- "heat": [n, h, w, K], 0 to 1, where on the photo each class was seen.
"""

import tempfile
from pathlib import Path

import keras
from keras import ops

from model.bundle import BundleError, check_files

FLOOR = 0.35  # heat below this share of a photo's hottest spot is mostly background, and left out


def answering_model(cnn: keras.Model, classes: int, temperature: float) -> keras.Model:
    """Turn the trained network, whose first `classes` outputs are those asked for, into one that answers.

    The temperature is divided into the weights of the last layer, so that plain Keras layers suffice.
    """
    model = keras.models.clone_model(cnn)
    model.set_weights(cnn.get_weights())
    last = model.get_layer("logits")
    last.set_weights([weight / temperature for weight in last.get_weights()])
    probabilities = keras.layers.Softmax(name="probabilities")(last.output[:, :classes])
    leaf = ops.sum(model.output[:, :classes], axis=1)
    return keras.Model(model.input, {"probabilities": probabilities, "leaf": leaf}, name=cnn.name)


class HeatMap(keras.layers.Layer):
    """HiResCAM (Draelos & Carin 2020, arXiv:2011.08891, equation 4), written forwards.

    A class's heat is its logit's gradient with respect to the last convolution's features, times the
    features, summed over channels. Behind those features lie one pooling, flattening, two dense layers, a
    normalisation and a ReLU, so that the gradient is a product of their weights, of the
    ReLU's mask and of the mask of the pixels that the pooling let through: serving needs no automatic
    differentiation.
    """

    def __init__(self, model: keras.Model, classes: int) -> None:
        super().__init__()
        self.dense, self.norm, self.logits = (model.get_layer(n) for n in ("dense", "dense_norm", "logits"))
        self.classes = classes

    def call(self, features, pooled, hidden):
        """features [n, 2h, 2w, C], pooled [n, h, w, C], hidden [n, D] before ReLU -> heat [n, 2h, 2w, K]."""
        h, w, channels = pooled.shape[1:]
        open_ = ops.cast(hidden > 0, "float32")[:, :, None]
        scale = self.norm.gamma / ops.sqrt(self.norm.moving_variance + self.norm.epsilon)
        to_hidden = open_ * (scale[:, None] * self.logits.kernel[:, : self.classes])  # [n, D, K]
        gradient = ops.matmul(self.dense.kernel, to_hidden)  # [n, h * w * C, K]
        gradient = ops.reshape(gradient, (-1, h * w, channels, self.classes))
        quads = ops.reshape(features, (-1, h, 2, w, 2, channels))
        quads = ops.reshape(ops.transpose(quads, (0, 1, 3, 2, 4, 5)), (-1, h * w, 4, channels))
        passed = ops.cast(ops.equal(quads, ops.reshape(pooled, (-1, h * w, 1, channels))), "float32")
        heat = ops.matmul(quads * passed, gradient)  # [n, h * w, 4, K]
        heat = ops.transpose(ops.reshape(heat, (-1, h, w, 2, 2, self.classes)), (0, 1, 3, 2, 4, 5))
        heat = ops.relu(ops.reshape(heat, (-1, 2 * h, 2 * w, self.classes)))
        heat = heat / (ops.max(heat, axis=(1, 2, 3), keepdims=True) + 1e-6)
        return ops.relu(heat - FLOOR) / (1 - FLOOR)


def load_keras(folder: Path) -> keras.Model:
    """Load the Keras model of a bundle. Raises BundleError if it is not whole or brings code."""
    check_files(folder)
    try:
        return keras.saving.load_model(folder, safe_mode=True)
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(
            f"The Keras model in {folder.name} is damaged or not made of plain Keras layers; "
            "start from another one."
        ) from error


def copy_features(model: keras.Model, network: keras.Model) -> None:
    """Give a new network the weights of an answering model's layers wherever their shapes agree."""
    for layer in network.layers:
        if layer.name in {known.name for known in model.layers}:
            weights = model.get_layer(layer.name).get_weights()
            if [w.shape for w in weights] == [w.shape for w in layer.get_weights()]:
                layer.set_weights(weights)


def explaining_model(model: keras.Model, classes: int) -> keras.Model:
    """Add heat maps to an answering model."""
    pool = max(
        (layer for layer in model.layers if layer.name.endswith("_pool")), key=lambda layer: layer.name
    )
    hidden = model.get_layer("dense_norm").output
    heat = HeatMap(model, classes)(pool.input, pool.output, hidden)
    return keras.Model(model.input, {**model.output, "heat": heat})


def export_litert(model: keras.Model, classes: int) -> bytes:
    """Return an answering model, with heat maps, as a LiteRT file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        explaining_model(model, classes).export(path, format="litert", verbose=False)
        return path.read_bytes()


def save_keras(model: keras.Model, folder: Path) -> None:
    """Save config.json, metadata.json and model.weights.h5, Keras 3's unzipped form, in `folder`."""
    model.save(folder, zipped=False)
