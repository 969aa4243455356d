from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from drawing import draw_set

import train
from model import bundle, cnn, export
from model.bundle import BundleError
from model.distillation import load_teacher, taught

OUTPUTS, SIZE = ["early", "late", "healthy", "scenes"], 64
ORDER = [2, 0, 3, 1]  # of the outputs, in the model that is taught


@pytest.fixture
def trained(tmp_path) -> tuple[Path, np.ndarray]:
    """A bundle's folder, and what its network says of some photos."""
    network = cnn.build_cnn((SIZE, SIZE, 3), len(OUTPUTS))
    export.save_keras(export.answering_model(network, np.eye(4, 3), 1.0), tmp_path)
    (tmp_path / bundle.LITERT_MODEL).write_bytes(b"none")
    description = {
        "classes": [{"folder": name, "label": name} for name in OUTPUTS[:3]],
        "image_size": SIZE,
        "thresholds": {"leaf": 0.5, "confidence": 0.5},
        "training": {"outputs": OUTPUTS},
    }
    bundle.seal(tmp_path, description)
    return tmp_path, network


def test_targets_become_mostly_what_the_teachers_say_of_the_same_pixels(trained):
    folder, network = trained
    photos = np.random.default_rng(1).integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
    targets, weights = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]], np.arange(6, dtype=np.float32)
    outputs = [OUTPUTS[i] for i in ORDER]
    teacher = load_teacher(folder, "one", outputs, SIZE, "float32")
    batches = tf.data.Dataset.from_tensor_slices((photos, targets, weights)).batch(3)
    learnt = [np.concatenate(part) for part in zip(*taught(batches, [teacher, teacher]), strict=True)]
    np.testing.assert_array_equal(learnt[0], photos)
    expected = 0.3 * targets + 0.7 * network.predict_on_batch(photos)[:, ORDER]
    np.testing.assert_allclose(learnt[1], expected, atol=1e-5)
    np.testing.assert_array_equal(learnt[2], weights)


def test_one_that_does_not_say_what_it_knows_can_t_teach(trained):
    description = bundle.read(trained[0]).description
    bundle.seal(trained[0], {key: value for key, value in description.items() if key != "training"})
    with pytest.raises(BundleError, match=r"^bundle.json names no outputs, so nothing can be learnt"):
        load_teacher(trained[0], "one", OUTPUTS, SIZE, "float32")


def test_a_damaged_one_is_told_as_damaged(trained):
    (trained[0] / "config.json").write_text("{}")
    name = trained[0].name
    with pytest.raises(BundleError, match=f"^config.json in {name} is not the file it was written with"):
        load_teacher(trained[0], "one", OUTPUTS, SIZE, "float32")


def test_one_that_knows_other_folders_can_t_teach(trained):
    with pytest.raises(
        BundleError,
        match=r"^one can't teach this one: it does not know soil; it also knows scenes; its photos are 64 "
        r"pixels wide, not 32 \(--image-size\)\.$",
    ):
        load_teacher(trained[0], "one", [*OUTPUTS[:3], "soil"], 32, "float32")


def test_a_teacher_that_does_not_fit_is_refused_before_the_photos_are_prepared(trained, tmp_path):
    draw_set(tmp_path / "set", 1, ("early", "late", "healthy"))
    told = ["--data", str(tmp_path / "set"), "--image-size", str(SIZE), "--classes", *OUTPUTS[:3]]
    told += ["--teacher", str(trained[0]), "--cache", str(tmp_path / "cache")]
    with pytest.raises(BundleError, match="can't teach this one: it also knows scenes"):
        train.main([*told, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "cache").exists()
