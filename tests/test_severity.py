from dataclasses import replace

import numpy as np
import pytest
from drawing import draw
from making import encode
from PIL import Image, ImageDraw

from model import bundle, photo
from model.classifier import Classifier
from model.severity import severity
from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE, Thresholds


def spotted(share: float, paper: tuple[int, int, int] = (160, 150, 155)) -> np.ndarray:
    """A round green leaf on paper, a share of it brown."""
    picture = Image.new("RGB", (160, 160), paper)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((25, 25, 135, 135), fill=(70, 130, 50))
    radius = 55 * share**0.5
    pen.ellipse((80 - radius, 80 - radius, 80 + radius, 80 + radius), fill=(90, 65, 45))
    return np.asarray(picture)


@pytest.mark.parametrize("share", [0, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("warmth", [1, 1.15])
def test_the_brown_share_of_the_leaf_is_measured_under_any_light(share, warmth):
    light = np.array([warmth, 1, 1 / warmth])
    pixels = (spotted(share) * light).clip(0, 255).astype(np.uint8)
    assert severity(pixels) == pytest.approx(share, abs=0.06)


def test_what_can_t_be_cut_out_is_not_measured():
    tiles = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert severity(np.kron(tiles, np.ones((20, 20, 1), np.uint8))) is None


def test_severity_agrees_with_lesions_drawn_by_hand(real_photos):
    measured, truth = [], []
    for path in sorted((real_photos / "lesion_masks").glob("*/*.png"))[::6]:
        shot = next((real_photos / "PlantVillage" / path.parent.name).glob(path.stem + ".*"))
        share = severity(photo.prepare(shot, 160))
        if share is not None:
            colours = np.asarray(Image.open(path).convert("RGB"))
            leaf = colours.any(axis=2)
            measured.append(share)
            truth.append((leaf & (colours != (170, 85, 0)).any(axis=2)).sum() / leaf.sum())
    assert len(measured) > 150
    assert np.abs(np.subtract(measured, truth)).mean() < 0.08
    ranks = [np.argsort(np.argsort(values)) for values in (measured, truth)]
    assert np.corrcoef(*ranks)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("thresholds", "verdict", "is_told"),
    [((0, 0), DIAGNOSIS, True), ((0, 1.005), UNSURE, False), ((1.005, 1.005), NOT_POTATO, False)],
)
def test_without_a_diagnosis_there_is_no_severity(tiny, thresholds, verdict, is_told):
    classifier = Classifier(replace(bundle.read(tiny), thresholds=Thresholds(*thresholds)))
    diagnosis = classifier.diagnose(encode(draw("Potato___Late_blight", seed=99)))
    assert (diagnosis.verdict, diagnosis.severity is not None) == (verdict, is_told)


def test_a_shadow_on_the_leaf_is_no_symptom():
    shaded = spotted(0.2).copy()
    shaded[:, 80:] = shaded[:, 80:] * 0.4
    assert severity(shaded) == pytest.approx(0.2, abs=0.06)
