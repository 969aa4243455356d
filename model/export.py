"""A fitted network -> the Keras model that answers, and one LiteRT file with everything inside.

Both take photos, uint8 [n, S, S, 3] RGB, and return
- "probabilities": [n, K], calibrated, over the K classes asked for, of whatever crop: see diseases.py,
- "leaf": [n], the probability that the photo shows one of them at all;
the LiteRT file also
- "heat": [n, h, w, K], 0 to 1, where on the photo the likeliest class was seen; 0 for all others.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras import ops

from model import selftest
from model.bundle import BundleError, actual_folder, check_files, read
from model.diseases import LEAST
from model.names import label_of, spelled
from model.quantization import with_8_bit_operators

FEATURES = "block2_pool"  # later layers see so much around a lesion that the heat would lie beside it
HEAD = ("dense", "dense_norm", "logits", "softmax", "diseases")
AROUND = 5  # cells: heat is averaged over so many squared; that of a single cell is unstable
FLOOR = 0.65  # heat below this share of a photo's hottest spot is mostly background, and left out


def answering_model(cnn: keras.Model, membership: np.ndarray, temperature: float) -> keras.Model:
    """Turn the trained network, whose first K outputs are those asked for, into one that answers.

    membership: [outputs, K], how much each output counts for each class (diseases.py). The weights of the
    last layer are divided by the temperature, so that plain Keras layers suffice.
    """
    model = keras.models.clone_model(cnn)
    model.set_weights(cnn.get_weights())
    last = model.get_layer("logits")
    last.set_weights([weight / temperature for weight in last.get_weights()])
    classes = membership.shape[1]
    diseases = keras.layers.Dense(classes, use_bias=False, trainable=False, name="diseases")
    shares = diseases(model.output) + LEAST
    diseases.set_weights([membership])
    probabilities = keras.layers.Softmax(name="probabilities")(ops.log(shares))  # they sum to 1 again
    leaf = ops.sum(model.output[:, :classes], axis=1)
    return keras.Model(model.input, {"probabilities": probabilities, "leaf": leaf}, name=cnn.name)


class HeatMap(keras.layers.Layer):
    """LayerCAM (Jiang et al. 2021, IEEE Trans. Image Processing 30, p. 5875, equation 5), written forwards.

    A class's evidence is the log of the sum of exp(logit) over all outputs, weighted by their membership in
    the class, minus the mean over the classes. Its heat is ReLU(gradient of the evidence with respect to
    FEATURES) times the features, summed over channels and averaged over AROUND x AROUND cells.
    From FEATURES to the logits the network is piecewise linear, so the gradient is a product of weights and
    masks, and serving needs no automatic differentiation. The rounding to 8 bits passes gradients through
    unchanged.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        names = [layer.name for layer in model.layers]
        self.block = model.layers[names.index(FEATURES) : names.index("global_pool") + 1]
        self.head = [model.get_layer(name) for name in HEAD]

    def call(self, outputs: list) -> keras.KerasTensor:
        """Outputs of the block's layers and of the head's, in order -> heat [n, h, w, K].

        All classes but the likeliest have none.
        """
        *block_outputs, _, hidden, _, softmax, shares = outputs
        dense, norm, last, _, diseases = self.head
        likeliest = ops.cast(ops.equal(shares, ops.max(shares, axis=1, keepdims=True)), "float32")
        gradient = (likeliest - 1 / shares.shape[1]) / (shares + LEAST)
        gradient = softmax * ops.matmul(gradient, ops.transpose(diseases.kernel))
        gradient = ops.matmul(gradient, ops.transpose(last.kernel))
        gradient = gradient * ops.cast(hidden > 0, "float32") * _scale(norm)
        gradient = ops.matmul(gradient, ops.transpose(dense.kernel))
        gradient = ops.reshape(gradient, (-1, *block_outputs[-1].shape[1:]))
        steps = zip(self.block[1:], block_outputs[:-1], block_outputs[1:], strict=True)
        for layer, before, after in reversed(list(steps)):
            gradient = _backwards(layer, gradient, before, after)
        heat = ops.sum(ops.relu(gradient) * block_outputs[0], axis=3, keepdims=True)
        heat = ops.average_pool(heat, AROUND, strides=1, padding="same")
        heat = heat / (ops.max(heat, axis=(1, 2, 3), keepdims=True) + 1e-6)
        return ops.relu(heat - FLOOR) / (1 - FLOOR) * likeliest[:, None, None, :]


def _backwards(layer: keras.layers.Layer, gradient, before, after):
    """Return the gradient with respect to a layer's input, `before`, given that to its output, `after`."""
    match layer:
        case keras.layers.MaxPooling2D():
            size = before.shape[1:3]
            largest, gradient = (
                ops.image.resize(x, size, interpolation="nearest") for x in (after, gradient)
            )
            return gradient * ops.cast(ops.equal(before, largest), "float32")
        case keras.layers.GlobalMaxPooling2D():
            return gradient * ops.cast(ops.equal(before, after), "float32")
        case keras.layers.ReLU():
            return gradient * ops.cast(after > 0, "float32")
        case keras.layers.BatchNormalization():
            return gradient * _scale(layer)
        case keras.layers.Conv2D():
            turned = ops.transpose(ops.flip(layer.kernel, axis=(0, 1)), (0, 1, 3, 2))
            return ops.conv(gradient, turned, padding="same")
        case _:
            raise TypeError(layer)


def _scale(norm: keras.layers.BatchNormalization):
    return norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)


def load_keras(folder: Path) -> keras.Model:
    """Load the Keras model of a bundle. Raises BundleError if it is not whole or brings code."""
    check_files(folder)
    try:
        return keras.saving.load_model(actual_folder(folder), safe_mode=True)
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(
            f"The Keras model in {folder.name} is damaged or not made of plain Keras layers; "
            "start from another one."
        ) from error


def load_fitted(folder: Path) -> keras.Model:
    """Load a bundle's network, photos -> softmax, without its temperature: to learn from it.

    Block 4 stays rounded, as when it answers (quantization.py). With a temperature below 1 a training would
    start with a loss a quarter higher, and a teacher's answers would be nearly one-hot. Raises BundleError as
    load_keras does, or if it is another network than those of cnn.py.
    """
    model = load_keras(folder)
    try:
        logits, softmax = model.get_layer("logits"), model.get_layer("softmax")
    except ValueError as error:
        raise BundleError(
            f"The Keras model in {folder.name} is another network than this project's; choose another model."
        ) from error
    temperature = read(folder).description.get("temperature", 1)
    logits.set_weights([weights * temperature for weights in logits.get_weights()])
    return keras.Model(model.input, softmax.output)


def copy_weights(
    model: keras.Model, known: Sequence[str], network: keras.Model, outputs: Sequence[str]
) -> list[str]:
    """Give a new network a trained one's weights, of the last layer those of outputs of one label.

    known, outputs: the class folders of the model's and of the network's outputs, in order. Returns those
    outputs that start from random weights. Raises BundleError if the model is another network.
    """
    try:
        for layer in network.layers:
            if layer.name != "logits":
                layer.set_weights(model.get_layer(layer.name).get_weights())
    except ValueError as error:
        raise BundleError(
            "The model to start from is another network than this project's; choose another."
        ) from error
    old, logits = model.get_layer("logits").get_weights(), network.get_layer("logits")
    new = logits.get_weights()
    columns = {spelled(label_of(name)): k for k, name in enumerate(known)}
    columns |= {name: k for k, name in enumerate(known)}  # of two such, the one of the very name
    anew = []
    for k, name in enumerate(outputs):
        column = columns.get(name, columns.get(spelled(label_of(name))))
        if column is None:
            anew.append(name)
            continue
        for after, before in zip(new, old, strict=True):
            after[..., k] = before[..., column]
    logits.set_weights(new)
    return anew


def explaining_model(model: keras.Model) -> keras.Model:
    """Add heat maps to an answering model."""
    heat_map = HeatMap(model)
    heat = heat_map([layer.output for layer in heat_map.block + heat_map.head])
    return keras.Model(model.input, {**model.output, "heat": heat})


def export_litert(model: keras.Model) -> bytes:
    """Return an answering model, with heat maps, as a LiteRT file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        explaining_model(model).export(path, format="litert", verbose=False)
        return with_8_bit_operators(path.read_bytes())


def self_test(litert: bytes, size: int) -> dict:
    """Return the self-test of a LiteRT file, for bundle.json."""
    run = Interpreter(model_content=litert).get_signature_runner()
    return selftest.record(lambda pixels: run(input=pixels[None]), size)


def save_keras(model: keras.Model, folder: Path) -> None:
    """Save config.json, metadata.json and model.weights.h5, Keras 3's unzipped form, in `folder`."""
    model.save(folder, zipped=False)
    (folder / "assets").rmdir()  # always empty: no layer of ours has any
