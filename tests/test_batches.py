import numpy as np
import tensorflow as tf
from conftest import run

from model.batches import training_batches


def batches(first_epoch: int, count: int, seed: int = 7) -> list[tuple[np.ndarray, ...]]:
    """Make batches of photos 1 to 7 of ten, of which odd ones have a mask.

    Their rows: of the photo, twice of what is behind it, and the mask, the key and the progress.
    """
    images = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    masks, targets = np.tile((np.arange(10) % 2 == 1)[:, None, None], (1, 2, 2)), np.eye(10, dtype=np.float32)
    weights = np.arange(10, dtype=np.float32) / 2

    def augment(x, mask, behind, key, progress):
        x, mask, behind, key = (tf.cast(values, tf.float32) for values in (x, mask, behind, key))
        step = tf.ones_like(mask[:, :1, 0]) * tf.concat([key, [progress]], axis=0)
        told = tf.concat([mask[:, :1, 0], step], axis=1)[:, None, :, None] * tf.ones(3)
        return tf.concat([x[:, :1], behind[:, 1:3], told], axis=1)

    indices, backgrounds = np.arange(1, 8), np.array([8, 9])
    stream = training_batches(
        images, masks, targets, weights, indices, backgrounds, 3, 2, seed, first_epoch, 8, augment
    )
    return [tuple(part.numpy() for part in batch) for batch in stream.take(count)]


def test_an_epoch_shows_every_training_photo_once_with_its_own_target():
    epoch = batches(first_epoch=0, count=2)
    shown = np.concatenate([x[:, 0, 0, 0] for x, _, _ in epoch])
    assert len(shown) == len(set(shown)) == 6  # of 7, two whole batches of 3
    assert set(shown) <= set(range(1, 8))
    assert all((x[:, 0, 0, 0] == y.argmax(1)).all() for x, y, _ in epoch)


def test_behind_the_leaves_are_background_photos_and_even_colours():
    behind = np.concatenate([x[:, 1:3] for x, _, _ in batches(first_epoch=0, count=20)])
    colours = {tuple(b[0, 0]) for b in behind if (b == b[0, 0]).all()}
    assert len(colours) > 10
    assert {(8, 8, 8), (9, 9, 9)} <= colours
    assert all((b == b[0, 0]).all() for b in behind)


def test_a_resumed_training_sees_what_an_uninterrupted_one_would():
    uninterrupted, resumed = batches(first_epoch=0, count=4), batches(first_epoch=1, count=2)
    for expected, seen in zip(uninterrupted[2:], resumed, strict=True):
        np.testing.assert_array_equal(expected[0], seen[0])
    pictures = [[x[:, :3] for x, _, _ in some] for some in (uninterrupted[:2], resumed)]
    assert any((a != b).any() for a, b in zip(*pictures, strict=True))


def test_each_photo_comes_with_its_own_mask_and_weight_and_each_step_with_a_key_and_progress_of_its_own():
    for step, (x, _, weights) in enumerate(batches(first_epoch=2, count=4)):
        shown = x[:, 0, 0, 0]
        np.testing.assert_array_equal(x[:, 3, 0, 0], shown % 2)
        np.testing.assert_array_equal(weights, shown / 2)
        epoch = 2 + step // 2
        np.testing.assert_array_equal(x[:, 3, 1:, 0], [[7, 4 + step, epoch / 8]] * 3)


def test_another_seed_gives_another_order():
    orders = [[x[:, 0, 0, 0].tolist() for x, _, _ in batches(0, 2, seed)] for seed in (7, 7, 8)]
    assert orders[0] == orders[1] != orders[2]


ON_TWO_DEVICES = """
import keras, numpy as np, tensorflow as tf
from model.batches import predictor, training_batches

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
random = np.random.default_rng(1)
images, labels = random.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8), np.arange(30) % 3
targets, weights, everything = np.eye(3, dtype=np.float32)[labels], np.ones(30, np.float32), np.arange(30)
masks, nothing = np.zeros((30, 8, 8), bool), np.arange(0)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.BatchNormalization()]
    network = keras.Sequential([keras.Input((32, 32, 3)), *layers, keras.layers.Dense(3, "softmax")])
    network.compile("adam", "categorical_crossentropy")
batches = training_batches(
    images, masks, targets, weights, everything, nothing, 8, 3, 1, 0, 1, lambda photos, *_: photos
)
network.fit(batches, steps_per_epoch=3, verbose=0)
predicted = predictor(network, 8)(images, everything)
np.testing.assert_allclose(predicted, network(images, training=False), atol=1e-5)
"""


def test_several_devices_train_and_predict_as_one_does():
    ended = run("-c", ON_TWO_DEVICES)
    assert ended.returncode == 0, ended.stderr
