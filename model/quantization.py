"""Half of the network's multiplications in 8 bits, of which a processor does several at a time.

The kernels of one block become 8-bit integers, with one scale per filter. The features they are multiplied
with are rounded, photo by photo, to 255 steps of their largest value (dynamic range quantization; Jacob et
al., CVPR 2018). Keras rounds and then multiplies floats; LiteRT multiplies the integers. Their probabilities
agree to a thousandth, except on a few photos in a thousand.
"""

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from keras import ops

from model.litert import pack, unpack

# Half of all multiplications. Keras and LiteRT may round a value halfway between two steps differently; with
# more blocks in 8 bits, that now and then changes a probability by more than a thousandth.
BLOCK = "block4_conv"
STEPS, KERNEL_STEPS = 255, 127  # of features, which ReLU leaves positive; of weights on each side of 0
SMALLEST = 1e-12  # so that nothing is divided by 0


def quantized(network: keras.Model) -> keras.Model:
    """Return the network as it answers with the block in 8 bits: plain Keras layers and operations.

    Its layers have the same names, and weights of the same shapes.
    """

    def call(layer: keras.layers.Layer, features: keras.KerasTensor, **options) -> keras.KerasTensor:
        if layer.name.startswith(BLOCK):
            scale = STEPS / ops.maximum(ops.max(features, axis=(1, 2, 3), keepdims=True), SMALLEST)
            features = ops.round(features * scale) / scale
        return layer(features, **options)

    model = keras.models.clone_model(network, call_function=call)
    model.set_weights(network.get_weights())
    for layer in model.layers:
        if layer.name.startswith(BLOCK):
            kernel, *bias = layer.get_weights()
            numbers, step = _in_steps(kernel, axis=(0, 1, 2))
            layer.set_weights([numbers * step, *bias])
    return model


def _in_steps(kernel: np.ndarray, axis: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return whole numbers, -127 to 127, and the step of each filter, which they are multiplied with."""
    step = np.maximum(np.abs(kernel).max(axis, keepdims=True), SMALLEST) / KERNEL_STEPS
    return np.round(kernel / step), step


def with_8_bit_operators(model: bytes) -> bytes:
    """Return a LiteRT file whose convolutions of rounded features are done in 8 bits."""
    whole, graph = unpack(model)
    maker = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    kinds = schema.BuiltinOperator

    def kind_of(operator: schema.OperatorT) -> int:
        return whole.operatorCodes[operator.opcodeIndex].builtinCode

    def made_by(kind: int, tensor: int) -> schema.OperatorT | None:
        operator = maker.get(tensor)
        return operator if operator and kind_of(operator) == kind else None

    for convolution in graph.operators:
        if kind_of(convolution) != kinds.CONV_2D:
            continue
        scaled_back, weights, bias = convolution.inputs
        divided = made_by(kinds.DIV, scaled_back)
        rounded = made_by(kinds.ROUND, divided.inputs[0]) if divided else None
        if rounded:
            features = maker[rounded.inputs[0]].inputs[0]
            convolution.inputs = [features, weights, bias]  # the operator rounds by itself
            _quantize(graph.tensors[weights], whole.buffers)
            whole.operatorCodes[convolution.opcodeIndex].version = 5  # the first that takes such kernels
    return pack(whole, graph)


def _quantize(kernel: schema.TensorT, buffers: list[schema.BufferT]) -> None:
    """Turn a LiteRT file's kernel, float32 [filters, h, w, channels], into 8-bit numbers and their steps."""
    buffer = buffers[kernel.buffer]
    floats = np.frombuffer(bytes(buffer.data), np.float32).reshape(kernel.shape)
    numbers, step = _in_steps(floats, axis=(1, 2, 3))
    buffer.data = numbers.astype(np.int8).view(np.uint8).ravel()
    kernel.type = schema.TensorType.INT8
    kernel.quantization = schema.QuantizationParametersT()
    kernel.quantization.scale = step.ravel()
    kernel.quantization.zeroPoint = np.zeros(len(numbers), np.int64)
