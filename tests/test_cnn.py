from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from model import bundle, calibration, cnn, export
from model.litert import without

SIZE, OUTPUTS, CLASSES = 64, 5, 3
SAME = np.eye(OUTPUTS, CLASSES, dtype=np.float32)
SAME[3, 0] = 0.25  # the fourth output is the first class's disease, on another crop


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network whose normalisations have seen something, as after training."""
    keras.utils.set_random_seed(1)
    built = cnn.build_cnn((SIZE, SIZE, 3), OUTPUTS)
    random = np.random.default_rng(1)
    for layer in built.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            draws = random.uniform(0.5, 1.5, (2, *gamma.shape))
            layer.set_weights([draws[0], beta + 0.1, mean + 0.05, variance * draws[1]])
    return built


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def answering(network) -> keras.Model:
    return export.answering_model(network, SAME, 1.7)


@pytest.fixture(scope="module")
def litert(answering) -> bytes:
    return export.export_litert(answering)


def test_it_is_the_textbook_cnn(network):
    lines = []
    network.summary(print_fn=lines.append)
    summary = "\n".join(lines)
    for step in ("input", "Conv2D", "ReLU", "MaxPooling2D", "Flatten", "Dense", "Softmax"):
        assert step in summary
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.index("Conv2D") < kinds.index("MaxPooling2D") < kinds.index("Flatten") < kinds.index("Dense")
    assert all(
        layer.kernel_size == (3, 3) for layer in network.layers if isinstance(layer, keras.layers.Conv2D)
    )
    assert all(
        layer.pool_size == (2, 2) for layer in network.layers if isinstance(layer, keras.layers.MaxPooling2D)
    )


def test_it_takes_bytes_and_gives_probabilities(network, photos):
    assert network.input.dtype == "uint8"
    np.testing.assert_allclose(network.predict_on_batch(photos).sum(1), 1, rtol=1e-5)


def test_augmentation_depends_on_its_seed_alone(photos):
    masks = np.ones((len(photos), 8, 8), bool)
    first, again, other = (
        cnn.augment(photos, masks, 255 - photos, tf.constant(seed), tf.constant(0.0)).numpy()
        for seed in ([1, 2], [1, 2], [1, 3])
    )
    assert first.shape == photos.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_augmentation_compiled_is_the_same(photos):
    leaves = np.ones((len(photos), 8, 8, 1), np.float32)
    leaves[:, :, 4:] = 0
    random = np.random.default_rng(3)
    numbers, grain = random.random((len(photos), 20), np.float32), random.normal(size=photos.shape[1:])
    inputs = (
        photos.astype(np.float32),
        leaves,
        255 - photos,
        tf.cast(grain, tf.float32),
        numbers,
        tf.constant(1.0),
    )
    plain, compiled = (paint(*inputs).numpy().astype(int) for paint in (cnn._paint, cnn._compiled_paint))
    assert np.mean(np.abs(plain - compiled) > 1) < 0.001


def test_about_half_of_the_photos_get_grain():
    grey, nothing = np.full((200, 32, 32, 3), 128, np.uint8), np.zeros((200, 8, 8), bool)
    made = cnn.augment(grey, nothing, grey, tf.constant([1, 2]), tf.constant(0.0)).numpy().astype(float)
    rough = np.abs(np.diff(made, axis=1)).mean((1, 2, 3))
    assert 70 < (rough > 2).sum() < 130


def test_augmentation_grows_gentler_towards_the_end(photos):
    many, none = np.repeat(photos, 50, axis=0), np.zeros((200, 8, 8), bool)
    brightness = [
        cnn.augment(many, none, many, tf.constant([1, 2]), tf.constant(progress)).numpy().mean((1, 2, 3))
        for progress in (0.0, 0.5, 1.0)
    ]
    np.testing.assert_array_equal(brightness[0], brightness[1])
    assert brightness[2].std() < 0.6 * brightness[0].std()


def test_about_half_of_the_leaves_known_are_laid_on_another_background():
    white, black = np.full((200, 32, 32, 3), 255, np.uint8), np.zeros((200, 32, 32, 3), np.uint8)
    left_half = np.zeros((200, 8, 8), bool)
    left_half[:100, :, :4] = True  # of the second hundred no leaf is known
    made = cnn.augment(white, left_half, black, tf.constant([1, 2]), tf.constant(0.0)).numpy()
    dark = made.mean((1, 2, 3)) < 150
    assert 30 < dark[:100].sum() < 70
    assert dark[100:].sum() < 10  # a hasty light, or a patch


def test_answers_are_the_networks_own_at_the_temperature(network, answering, photos):
    to_logits = keras.Model(network.input, network.get_layer("logits").output)
    logits = to_logits.predict_on_batch(photos) / 1.7
    answer = answering.predict_on_batch(photos)
    asked = np.exp(logits[:, :CLASSES])
    np.testing.assert_allclose(answer["leaf"], asked.sum(1) / np.exp(logits).sum(1), atol=1e-6)
    asked[:, 0] += 0.25 * np.exp(logits[:, 3])
    np.testing.assert_allclose(answer["probabilities"], asked / asked.sum(1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(answer["probabilities"], calibration.probabilities(logits, SAME), atol=1e-6)


def written(folder: Path, model: keras.Model) -> Path:
    """Write a bundle of a model at temperature 1.7; return its folder."""
    with bundle.writing(folder) as draft:
        export.save_keras(model, draft)
        (draft / bundle.LITERT_MODEL).write_bytes(b"")
        thresholds = {"leaf": 0.25, "confidence": 0.5}
        bundle.seal(draft, {"classes": [], "image_size": SIZE, "temperature": 1.7, "thresholds": thresholds})
    return folder


def test_who_learns_from_it_learns_from_the_network_without_its_temperature(
    network, answering, photos, tmp_path
):
    folder = written(tmp_path / "bundle", answering)
    fitted = export.load_fitted(folder)
    np.testing.assert_allclose(fitted(photos), network(photos), atol=1e-6)


def test_nothing_is_learnt_from_another_kind_of_network(tmp_path):
    foreign = keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(bundle.BundleError, match=r"^The Keras model in foreign is another network than "):
        export.load_fitted(written(tmp_path / "foreign", foreign))


def test_without_kin_it_is_the_softmax_over_the_classes(network, photos):
    to_logits = keras.Model(network.input, network.get_layer("logits").output)
    asked = np.exp(to_logits.predict_on_batch(photos)[:, :CLASSES])
    answer = export.answering_model(network, np.eye(OUTPUTS, CLASSES), 1.0).predict_on_batch(photos)
    np.testing.assert_allclose(answer["probabilities"], asked / asked.sum(1, keepdims=True), atol=1e-6)


def test_of_what_is_certainly_something_else_all_classes_are_alike(network, photos):
    sure = keras.models.clone_model(network)
    sure.set_weights(network.get_weights())
    kernel, bias = sure.get_layer("logits").get_weights()
    sure.get_layer("logits").set_weights([kernel, bias + np.array([0, 0, 0, 0, 500])])
    model = export.explaining_model(export.answering_model(sure, SAME, 1.0))
    answer = model.predict_on_batch(photos)
    np.testing.assert_allclose(answer["probabilities"], 1 / CLASSES, atol=1e-6)
    assert not answer["leaf"].any()
    assert np.isfinite(answer["heat"]).all()


def test_heat_is_what_automatic_differentiation_gives(network, photos):
    model = export.answering_model(network, SAME, 1.0)
    heat = export.explaining_model(model).predict_on_batch(photos)["heat"]
    names = [layer.name for layer in model.layers]
    pool = [name for name in names if name.endswith("_pool")][-5]
    x = features = tf.constant(keras.Model(model.input, model.get_layer(pool).output)(photos))
    with tf.GradientTape() as tape:
        tape.watch(features)
        for name in names[names.index(pool) + 1 : names.index("logits") + 1]:
            x = model.get_layer(name)(x, training=False) if "dropout" not in name else x
        evidence = tf.math.log(tf.exp(x) @ SAME)
        likeliest = tf.argmax(evidence, axis=1)
        evidence = tf.gather(evidence, likeliest, batch_dims=1) - tf.reduce_mean(evidence, axis=1)
    expected = tf.reduce_sum(tf.nn.relu(tape.gradient(evidence, features)) * features, axis=3)
    expected = tf.nn.avg_pool2d(expected[..., None], export.AROUND, 1, "SAME")[..., 0].numpy()
    expected /= expected.max((1, 2), keepdims=True)
    expected = np.maximum(expected - export.FLOOR, 0) / (1 - export.FLOOR)
    for n, k in enumerate(likeliest):
        np.testing.assert_allclose(heat[n, :, :, k], expected[n], atol=1e-3)
        assert not np.delete(heat[n], k, axis=2).any()


def test_the_litert_file_answers_as_keras_does(answering, litert, photos):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=litert).get_signature_runner()
    expected = export.explaining_model(answering).predict_on_batch(photos)
    for n in (1, 4):
        answer = runner(input=photos[:n])
        for name in ("probabilities", "leaf", "heat"):
            np.testing.assert_allclose(answer[name], expected[name][:n], atol=1e-4)


def test_without_heat_the_litert_file_answers_the_same(litert, photos):
    from ai_edge_litert.interpreter import Interpreter

    plain = without(litert, "heat")
    assert without(plain, "heat") == plain
    both = (Interpreter(model_content=model).get_signature_runner() for model in (litert, plain))
    expected, answer = (run(input=photos[:2]) for run in both)
    assert answer.keys() == {"probabilities", "leaf"}
    for name, values in answer.items():
        np.testing.assert_array_equal(values, expected[name])


def test_a_plain_keras_user_can_load_it(answering, photos, tmp_path):
    export.save_keras(answering, tmp_path / "saved")
    loaded = keras.saving.load_model(tmp_path / "saved")
    for name, values in answering.predict_on_batch(photos).items():
        np.testing.assert_allclose(loaded.predict_on_batch(photos)[name], values, atol=1e-6)


def logits_of(network: keras.Model, photos: np.ndarray) -> np.ndarray:
    return keras.Model(network.input, network.get_layer("logits").output).predict_on_batch(photos)


def test_no_network_starts_from_one_of_other_layers(network):
    other = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(bundle.BundleError, match="The model to start from is another network"):
        export.copy_weights(other, ["a"], network, ["a"])


def test_a_network_that_starts_from_another_takes_over_the_outputs_they_share(network, photos):
    known = ["Potato___early", "late", "healthy", "scenes", "tomato"]
    outputs = ["Potato___Late", "rust", "early"]
    new = cnn.build_cnn((SIZE, SIZE, 3), len(outputs))
    model = export.answering_model(network, SAME, temperature=1)
    assert export.copy_weights(model, known, new, outputs) == ["rust"]
    before, after = logits_of(network, photos), logits_of(new, photos)
    np.testing.assert_allclose(after[:, [2, 0]], before[:, [0, 1]], atol=1e-5)
    assert np.abs(after[:, [1]] - before).max(0).min() > 0.01


def test_of_two_outputs_of_one_label_the_one_of_the_very_name_is_taken_over(network, photos):
    known = ["Potato___late", "late", "Late", "scenes", "tomato"]
    new = cnn.build_cnn((SIZE, SIZE, 3), 2)
    model = export.answering_model(network, SAME, temperature=1)
    assert export.copy_weights(model, known, new, ["Potato___late", "late"]) == []
    before, after = logits_of(network, photos), logits_of(new, photos)
    np.testing.assert_allclose(after, before[:, :2], atol=1e-5)
