import numpy as np
import pytest
from drawing import CLASSES, draw
from PIL import Image

from model import data, photo
from model.foreground import SIZE, leaf_mask, shrunk


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    return (mask & truth).sum() / (mask | truth).sum()


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("seed", range(4))
def test_a_leaf_on_paper_is_found_with_its_lesions(kind, seed):
    drawn = draw(kind, seed, 128)
    pixels = np.asarray(drawn)
    paper = np.abs(pixels[:6].astype(int).mean((0, 1)) - pixels.astype(int)).max(2) < 30
    truth = np.asarray(Image.fromarray(~paper).resize((SIZE, SIZE)))
    assert overlap(leaf_mask(shrunk(pixels)), truth) > 0.85


@pytest.mark.parametrize("seed", range(6))
def test_a_motley_background_is_not_plain(seed):
    tiles = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert not leaf_mask(shrunk(np.kron(tiles, np.ones((16, 16, 1), np.uint8)))).any()


def test_a_blank_photo_has_no_leaf():
    assert not leaf_mask(shrunk(np.full((64, 64, 3), 200, np.uint8))).any()
    assert not leaf_mask(shrunk(np.zeros((64, 64, 3), np.uint8))).any()


def test_masks_of_real_photos_agree_with_those_drawn_by_hand(real_photos):
    drawn = sorted((real_photos / "lesion_masks").glob("*/*.png"))[::25]
    scores = []
    for path in drawn:
        shot = next((real_photos / "PlantVillage" / path.parent.name).glob(path.stem + ".*"))
        mask = leaf_mask(shrunk(photo.prepare(shot, 160)))
        truth = np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.NEAREST))
        if mask.any():
            scores.append(overlap(mask, truth.any(axis=2)))
    assert len(scores) > 0.6 * len(drawn)
    assert np.median(scores) > 0.9


def test_photos_of_fields_are_left_alone(real_photos):
    found = data.find_photos(str(real_photos / "not_potato" / "field_tomato"))[::10]
    assert np.mean([leaf_mask(shrunk(photo.prepare(p.path, 160))).any() for p in found]) < 0.25


def drawn(shapes: list[tuple[int, int, int, int]]) -> np.ndarray:
    """Green rectangles on paper."""
    pixels = np.full((128, 128, 3), (160, 150, 155), np.uint8)
    for left, top, right, bottom in shapes:
        pixels[top:bottom, left:right] = (70, 130, 50)
    return pixels


def test_what_is_too_small_too_large_or_in_pieces_is_no_leaf():
    assert leaf_mask(shrunk(drawn([(30, 30, 90, 100)]))).any()
    stripes = [(left, 20, left + 6, 110) for left in range(20, 108, 16)]
    for shapes in ([(55, 55, 75, 75)], [(6, 6, 122, 122)], stripes):
        assert not leaf_mask(shrunk(drawn(shapes))).any()
