"""The network, layer by layer, and the augmentation it is trained with."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

# (filters, convolutions) of each block. Channels are expensive at full resolution, so the first block is thin
# and strided; the later ones, where a few pixels see a whole lesion, are deeper, and end in 2x2 max pooling.
# Multiples of 16 fill the processor's vectors.
BLOCKS = ((16, 1), (32, 1), (64, 1), (128, 2), (192, 1))
HIDDEN_UNITS = 64
DROPOUT = 0.3
FADE_FROM, FADE_TO = 0.6, 0.4  # augmentation fades after this share of the epochs, down to this strength
RANDOM_NUMBERS = (12, 20)  # for each photo, to move and to paint it; a few are not used
NOISE = 20.0  # of 255, the standard deviation of the most that photos get
MOVED_LEAVES = 0.5  # the share of leaves, of those cut out, that are trained on another background
WORTH_COMPILING = 96  # pixels; compiling takes seconds, which smaller photos never make up for


def build_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    momentum: float = 0.9,
    normalization: type[layers.BatchNormalization] = layers.BatchNormalization,
) -> keras.Model:
    """Build the textbook CNN: uint8 photos [n, *input_shape], RGB 0 to 255, in; softmax [n, classes] out.

    Blocks of 3x3 convolution, ReLU and 2x2 max pooling (a stride, in the first) extract the features. Of each
    only the largest value on the whole photo is kept, so that a lesion counts alike wherever it is (Oquab et
    al., CVPR 2015); flattening and two fully connected layers classify them. Batch normalisation follows
    Ioffe & Szegedy (2015), dropout Srivastava et al. (2014). Computes in the global dtype policy, but for the
    probabilities, which are float32. `momentum` is that of the normalising layers' moving averages, and
    matters in training only; `normalization` normalises the features.
    """
    photos = keras.Input(input_shape, dtype="uint8", name="input")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(photos)
    for b, (filters, convolutions) in enumerate(BLOCKS, 1):
        first = b == 1
        for c in range(1, convolutions + 1):
            x = layers.Conv2D(
                filters,
                3,
                strides=2 if first else 1,
                padding="same",
                use_bias=first,
                name=f"block{b}_conv{c}",
            )(x)
            if not first:  # at its size normalising would cost more than the convolution
                x = normalization(momentum=momentum, name=f"block{b}_norm{c}")(x)
            x = layers.ReLU(name=f"block{b}_relu{c}")(x)
        if not first:
            x = layers.MaxPooling2D(2, name=f"block{b}_pool")(x)
    x = layers.GlobalMaxPooling2D(keepdims=True, name="global_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(DROPOUT, name="dropout1")(x)
    x = layers.Dense(HIDDEN_UNITS, use_bias=False, name="dense")(x)
    x = layers.BatchNormalization(momentum=momentum, name="dense_norm")(x)
    x = layers.ReLU(name="dense_relu")(x)
    x = layers.Dropout(DROPOUT, name="dropout2")(x)
    x = layers.Dense(classes, name="logits", dtype="float32")(x)
    return keras.Model(photos, layers.Softmax(name="softmax", dtype="float32")(x), name="blightcheck")


def augment(
    photos: tf.Tensor, masks: tf.Tensor, backgrounds: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor
) -> tf.Tensor:
    """Vary a batch as other cameras, fields and hands would: uint8 [n, S, S, 3] -> the same, other pixels.

    `seed`, int [2], decides everything; `progress`, float32, 0 to 1, is how much of the training is done.
    Turned any way, mirrored, cropped, stretched; half of the leaves whose place is known by their masks, bool
    [n, h, w], laid on the backgrounds, uint8 [n, S, S, 3], whole or smaller; blurred; warmer or cooler,
    brighter or darker, with and without contrast, a shadow and grain; patches hidden (cutout, DeVries &
    Taylor 2017). Colours move less than lesions differ. Towards the end all is gentler: the last epochs see
    photos much like those that will be asked about (Touvron et al. 2019, arXiv:1906.06423).
    """
    n, size = tf.shape(photos)[0], photos.shape[1]
    strength = 1 - (1 - FADE_TO) * tf.clip_by_value((progress - FADE_FROM) / (1 - FADE_FROM), 0, 1)
    # Drawn here: compiled code would draw other ones.
    drawn = tf.random.stateless_uniform((n, sum(RANDOM_NUMBERS)), seed)
    moving, painting = tf.split(drawn, RANDOM_NUMBERS, axis=1)
    grain = tf.random.stateless_normal((size, size, 3), tf.random.experimental.stateless_fold_in(seed, 1))
    uniform = _scaled(moving)
    known = tf.reduce_any(masks, axis=(1, 2))
    moved = tf.logical_and(known, uniform(0, 1) < MOVED_LEAVES)
    leaves = tf.where(moved[:, None, None, None], tf.cast(masks, tf.float32)[..., None], 1.0)
    shrink = tf.where(moved, uniform(0, 0.6), 0.0) * strength
    x, leaves = _move(tf.cast(photos, tf.float32), leaves, shrink, strength, uniform)
    paint = _compiled_paint if size >= WORTH_COMPILING else _paint
    return paint(x, leaves, backgrounds, grain, painting, strength)


def _paint(
    x: tf.Tensor,
    leaves: tf.Tensor,
    backgrounds: tf.Tensor,
    grain: tf.Tensor,
    numbers: tf.Tensor,
    strength: tf.Tensor,
) -> tf.Tensor:
    """Lay leaves, [n, h, w, 1], on backgrounds; blur, light, roughen, hide parts: uint8 [n, S, S, 3]."""
    size, uniform = x.shape[1], _scaled(numbers)
    behind = tf.cast(backgrounds, tf.float32)
    behind = tf.where(uniform(0, 1, 1, 1, 1) < 0.5, behind, behind[:, :, ::-1])
    x = behind + tf.image.resize(leaves, (size, size)) * (x - behind)
    x = _blur(x, strength, uniform)
    x = _light(x, strength, uniform)
    # As small sensors do in the dark, half of the photos: the network took grain for early blight's dots.
    x += grain * strength * tf.maximum(0.0, uniform(-NOISE, NOISE, 1, 1, 1))
    x = _cut_out(x, strength, uniform)
    return tf.cast(tf.clip_by_value(x, 0, 255), tf.uint8)


_compiled_paint = tf.function(_paint, jit_compile=True)  # one pass over the pixels instead of thirty


def _scaled(numbers: tf.Tensor) -> Callable[..., tf.Tensor]:
    """Return a function that scales the next of some numbers, [n, m] from 0 to 1, to [n, *shape]."""
    taken = 0

    def uniform(low: float, high: float, *shape: int) -> tf.Tensor:
        nonlocal taken
        first, taken = taken, taken + math.prod(shape)
        return low + (high - low) * tf.reshape(numbers[:, first:taken], (-1, *shape))

    return uniform


def _move(
    photos: tf.Tensor, leaves: tf.Tensor, shrink: tf.Tensor, strength: tf.Tensor, uniform
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turn, mirror, zoom, stretch, shift and tilt each photo, and its leaf, by one projective transform.

    Around a photo made smaller its mirror images show: several leaves.
    """
    angle = uniform(-3.1416, 3.1416)
    zoom = tf.exp(strength * uniform(-0.5, 0.3) + shrink)  # below 1 magnifies: a crop
    stretch = tf.exp(strength * uniform(-0.15, 0.15))
    mirror = tf.sign(uniform(-1, 1))
    a, b = zoom * stretch * tf.cos(angle) * mirror, -zoom / stretch * tf.sin(angle)
    c, d = zoom * stretch * tf.sin(angle) * mirror, zoom / stretch * tf.cos(angle)
    # A magnified photo may show any part of itself, as long as the part lies inside.
    reach = 0.08 + 0.5 * tf.maximum(0.0, 1 - zoom)
    right, down = (uniform(-1, 1) * reach for _ in range(2))
    tilt_x, tilt_y = (strength * uniform(-0.2, 0.2) for _ in range(2))

    def moved(pictures: tf.Tensor) -> tf.Tensor:
        size = pictures.shape[1]
        centre = (size - 1) / 2
        x0 = centre + right * size - (a + b) * centre
        y0 = centre + down * size - (c + d) * centre
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=pictures,
            transforms=tf.stack([a, b, x0, c, d, y0, tilt_x / size, tilt_y / size], axis=1),
            output_shape=tf.constant([size, size]),
            interpolation="BILINEAR",
            fill_mode="REFLECT",
            fill_value=0.0,
        )

    return moved(photos), moved(leaves)


def _blur(x: tf.Tensor, strength: tf.Tensor, uniform) -> tf.Tensor:
    """Soften some of the photos, as a hasty hand or a small sensor does."""
    soft = tf.nn.avg_pool2d(x, 3, 1, "SAME")
    amount = strength * tf.maximum(0.0, uniform(-1.5, 1, 1, 1, 1))
    return x + amount * (soft - x)


def _light(x: tf.Tensor, strength: tf.Tensor, uniform) -> tf.Tensor:
    """Change white balance, saturation, brightness and contrast, and let light fall unevenly."""

    def vary(most: float, channels: int = 1) -> tf.Tensor:
        return strength * uniform(-most, most, 1, 1, channels)

    grey = tf.reduce_mean(x, axis=3, keepdims=True)
    x = (grey + (x - grey) * (1 + vary(0.3))) * tf.exp(vary(0.15, 3))
    mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
    x = (mean + (x - mean) * (1 + vary(0.3))) * tf.exp(vary(0.35))
    ramp = tf.linspace(-1.0, 1.0, x.shape[1])
    return x * (1 + vary(0.3) * ramp[None, None, :, None] + vary(0.3) * ramp[None, :, None, None])


def _cut_out(x: tf.Tensor, strength: tf.Tensor, uniform) -> tf.Tensor:
    """Hide a rectangle of a quarter of the photos behind an even colour."""
    size = x.shape[1]
    at = tf.range(size, dtype=tf.float32)[None]
    half_x, half_y = (strength * uniform(-0.2, 0.2, 1) * size for _ in range(2))  # negative: nothing hidden
    inside_x = tf.abs(at - uniform(0, 1, 1) * size) < half_x
    inside_y = tf.abs(at - uniform(0, 1, 1) * size) < half_y
    hidden = tf.logical_and(inside_x[:, None, :], inside_y[:, :, None])[..., None]
    return tf.where(hidden, uniform(0, 255, 1, 1, 3), x)
