"""Training and serving see the same pixels and give the same answer."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Server, serve

from model import bundle, data, pixels
from model.names import label_of


def assert_parity(server, folder: Path, paths: list[Path], cache: Path) -> None:
    """Compare Keras on the training pipeline's pixels with LiteRT behind POST /predict."""
    size = bundle.read(folder).image_size
    prepared = pixels.load_pixels(paths, size, cache)
    assert len(prepared.readable) == len(paths)
    expected = keras.saving.load_model(folder).predict_on_batch(np.asarray(prepared.images))
    for path, probabilities, leaf in zip(paths, expected["probabilities"], expected["leaf"], strict=True):
        answer = server.predict(path).json()
        assert list(answer["probabilities"].values()) == pytest.approx(list(probabilities), abs=1e-3)
        assert answer["leaf_probability"] == pytest.approx(leaf, abs=1e-3)


@pytest.fixture(scope="module")
def default_server() -> Iterator[Server]:
    """A server with the default model."""
    with serve() as running:
        yield running


def test_on_drawn_photos(server, tiny, drawn_photos, cache):
    assert_parity(server, tiny, [p.path for p in data.find_photos(str(drawn_photos))][::10], cache)


def test_on_real_photos_with_the_default_model(real_photos, default_server, cache):
    paths = sorted((real_photos / "PlantVillage").glob("Potato*/*"))[::50]
    paths += sorted((real_photos / "field").glob("Potato*/*"))[::20]
    assert len(paths) >= 45
    paths += sorted((real_photos / "not_potato" / "scenes").glob("*"))[::100]
    assert_parity(default_server, bundle.DEFAULT, paths, cache)


def test_on_real_photos_the_default_model_is_mostly_right(real_photos, default_server):
    """A coarse guard against a broken bundle; the figures are in its card."""
    right = 0
    paths = sorted((real_photos / "PlantVillage").glob("Potato*/*"))[::40]
    for path in paths:
        right += default_server.predict(path).json()["class"] == label_of(path.parent.name)
    assert right / len(paths) > 0.8
