"""Keras with what 8 bits leave of it, and LiteRT in 8 bits, say the same."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from model import cnn, export
from model.litert import unpack
from model.quantization import BLOCK, quantized, with_8_bit_operators

SIZE, OUTPUTS = 64, 5
SAME = np.eye(OUTPUTS, 3, dtype=np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    return cnn.build_cnn((SIZE, SIZE, 3), OUTPUTS)


@pytest.fixture(scope="module")
def litert(network) -> bytes:
    return export.export_litert(export.answering_model(quantized(network), SAME, 1.0))


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """Noise of every brightness, and the two evenest of all photos."""
    noise = np.random.default_rng(4).integers(0, 256, (30, SIZE, SIZE, 3))
    levels = np.linspace(0, 1, 30)[:, None, None, None]
    even = np.stack([np.zeros((SIZE, SIZE, 3)), np.full((SIZE, SIZE, 3), 255)])
    return np.concatenate([noise * levels, even]).astype(np.uint8)


def operators_of(model: bytes) -> list[tuple[int, list[int]]]:
    """Return what each operator of a LiteRT file does, and the types of its inputs."""
    whole, graph = unpack(model)
    return [
        (
            whole.operatorCodes[operator.opcodeIndex].builtinCode,
            [graph.tensors[i].type for i in operator.inputs if i >= 0],
        )
        for operator in graph.operators
    ]


def test_kernels_are_whole_numbers_of_steps(network):
    layers = [layer for layer in quantized(network).layers if layer.name.startswith(BLOCK)]
    assert len(layers) == 2
    for layer in layers:
        kernel = layer.get_weights()[0]
        numbers = kernel / np.abs(kernel).max((0, 1, 2)) * 127
        np.testing.assert_allclose(numbers, numbers.round(), atol=1e-3)
        off = np.abs(kernel - network.get_layer(layer.name).get_weights()[0]).max((0, 1, 2))
        assert (off <= np.abs(kernel).max((0, 1, 2)) / 127 / 2 * 1.001).all()


def test_all_else_stays_as_it_was(network):
    after = quantized(network)
    assert [layer.name for layer in after.layers] == [layer.name for layer in network.layers]
    for layer in network.layers:
        if not layer.name.startswith(BLOCK):
            now = after.get_layer(layer.name).get_weights()
            assert all(map(np.array_equal, layer.get_weights(), now))


def test_answers_move_by_little(network, photos):
    moved = np.abs(quantized(network).predict_on_batch(photos) - network.predict_on_batch(photos))
    assert 0 < moved.max() < 0.02


def test_litert_multiplies_8_bit_numbers_and_rounds_by_itself(litert):
    kinds, types = schema.BuiltinOperator, schema.TensorType
    operators = operators_of(litert)
    assert kinds.ROUND not in [code for code, _ in operators]
    assert [inputs[1] for code, inputs in operators if code == kinds.CONV_2D].count(types.INT8) == 2


@pytest.mark.parametrize("together", [1, 8])
def test_litert_answers_as_keras_does(network, litert, photos, together):
    expected = export.answering_model(quantized(network), SAME, 1.0).predict_on_batch(photos)
    run = Interpreter(model_content=litert).get_signature_runner()
    for first in range(0, len(photos), together):
        answer = run(input=photos[first : first + together])
        for name in ("probabilities", "leaf"):
            np.testing.assert_allclose(answer[name], expected[name][first : first + together], atol=1e-3)


def test_a_file_that_rounds_nothing_stays_in_floats(network):
    plain = export.export_litert(export.answering_model(network, SAME, 1.0))
    assert schema.TensorType.INT8 not in [kind for _, inputs in operators_of(plain) for kind in inputs]
    assert operators_of(with_8_bit_operators(plain)) == operators_of(plain)
