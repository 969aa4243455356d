import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_set

from model import data, dataset, photo, pixels


@pytest.fixture
def paths(tmp_path):
    found = data.find_photos(str(draw_set(tmp_path / "set", leaves=3)))
    return [p.path for p in found]


def test_the_cache_holds_what_photo_prepares(paths, tmp_path):
    loaded = pixels.load_pixels(paths, 32, tmp_path / "cache")
    assert isinstance(loaded.images, np.memmap)
    for path, image in zip(paths, loaded.images, strict=True):
        np.testing.assert_array_equal(image, photo.prepare(path, 32))


def test_a_second_run_decodes_nothing_and_a_changed_photo_is_seen(paths, tmp_path, monkeypatch):
    decoded, prepare = [], photo.prepare

    def counting(source: bytes, size: int) -> np.ndarray:
        decoded.append(source)
        return prepare(source, size)

    monkeypatch.setattr(photo, "prepare", counting)
    for _ in range(2):
        pixels.load_pixels(paths, 32, tmp_path / "cache")
    assert len(decoded) == len(paths)
    paths[0].write_bytes(paths[1].read_bytes())
    changed = pixels.load_pixels(paths, 32, tmp_path / "cache")
    assert len(decoded) == 2 * len(paths)
    np.testing.assert_array_equal(changed.images[0], changed.images[1])


@pytest.mark.parametrize("file", ["images.npy", "masks.npy", "hashes.npy", "index.json"])
@pytest.mark.parametrize("left", [None, 0, 40, 200])
def test_a_damaged_cache_is_made_anew(paths, tmp_path, file, left):
    whole = pixels.load_pixels(paths, 32, tmp_path / "cache")
    made = next(tmp_path.glob(f"cache/*/{file}"))
    if left is None:
        made.unlink()
    else:
        os.truncate(made, left)
    again = pixels.load_pixels(paths, 32, tmp_path / "cache")
    np.testing.assert_array_equal(again.images, np.stack([photo.prepare(path, 32) for path in paths]))
    assert (again.digests, again.readable) == (whole.digests, whole.readable)


def test_what_a_killed_preparation_left_is_deleted_after_a_day(paths, tmp_path):
    cache = tmp_path / "cache"
    for name, days in (("making-killed", 2), ("making-another", 0)):
        images = cache / name / "key" / "images.npy"
        images.parent.mkdir(parents=True)
        images.touch()
        for path in (images, images.parent, cache / name):
            os.utime(path, (0, time.time() - days * 24 * 3600))
    pixels.load_pixels(paths, 32, cache)
    assert [path.name for path in cache.glob("making-*")] == ["making-another"]


def test_unreadable_photos_are_listed_and_skipped(paths, tmp_path):
    paths[2].write_bytes(b"no photo")
    loaded = pixels.load_pixels(paths, 32, tmp_path / "cache")
    assert list(loaded.skipped) == [str(paths[2])]
    assert loaded.readable == [i for i in range(len(paths)) if i != 2]
    assert (
        len(loaded.images) == len(loaded.masks) == len(loaded.hashes) == len(loaded.digests) == len(paths) - 1
    )
    np.testing.assert_array_equal(loaded.images[2], photo.prepare(paths[3], 32))


def test_what_a_disk_has_is_not_kept_as_a_damaged_photo(paths, tmp_path, monkeypatch):
    def failing(self: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error", str(self))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output"):
        patch.setattr(Path, "read_bytes", failing)
        pixels.load_pixels(paths, 32, tmp_path / "cache")
    assert not pixels.load_pixels(paths, 32, tmp_path / "cache").skipped


def test_a_photo_without_the_right_to_read_it_is_skipped_until_there_is_one(tmp_path):
    with tempfile.TemporaryDirectory() as open_to_all:  # tmp_path lies in a folder that is root's alone
        Path(open_to_all).chmod(0o777)
        found = data.find_photos(str(draw_set(Path(open_to_all) / "set", leaves=2)))
        paths = [p.path for p in found]
        paths[1].chmod(0)
        with nobody():
            loaded = pixels.load_pixels(paths, 32, Path(open_to_all) / "cache")
        assert loaded.skipped == {str(paths[1]): "We have no right to read it."}
        paths[1].chmod(0o644)
        with nobody():
            assert not pixels.load_pixels(paths, 32, Path(open_to_all) / "cache").skipped


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Give up root's rights meanwhile, who may read anything."""
    user = os.getresuid()
    if user[1] == 0:
        os.setresuid(12345, 12345, 0)
    try:
        yield
    finally:
        os.setresuid(*user)


def test_the_fingerprint_is_of_contents_and_labels_not_order():
    def fingerprint(digests: str, folders: list[str]) -> str:
        photos = [data.LabelledPhoto(Path(), folder, "x") for folder in folders]
        nothing = np.array([])
        made = dataset.Dataset(photos, nothing, nothing, folders, folders, nothing, nothing, list(digests))
        return made.fingerprint()

    made = fingerprint("ab", ["healthy", "blight"])
    assert made == fingerprint("ba", ["blight", "healthy"])
    assert made != fingerprint("ac", ["healthy", "blight"])
    assert made != fingerprint("ab", ["blight", "healthy"])


def test_the_fingerprint_of_some_photos_is_of_these_alone():
    photos = [data.LabelledPhoto(Path(), "healthy", "x")] * 3
    nothing = np.array([])
    made = dataset.Dataset(photos, nothing, nothing, ["healthy"], ["healthy"], nothing, nothing, list("aba"))
    assert made.fingerprint(np.array([0])) == made.fingerprint(np.array([2]))
    assert len({made.fingerprint(np.array(some)) for some in ([0], [1], [0, 1], [0, 1, 2])}) == 4
    assert made.fingerprint(np.array([0, 1, 2])) == made.fingerprint()


def test_backgrounds_are_other_things_without_a_leaf_to_cut_out():
    nothing, masks = np.array([]), np.zeros((4, 2, 2), bool)
    masks[[1, 3], 0, 1] = True
    outputs, labels = ["healthy", "scenes"], np.array([0, 0, 1, 1])
    made = dataset.Dataset([], nothing, masks, outputs, outputs[:1], labels, nothing, [])
    assert list(made.backgrounds(np.array([3, 2, 1, 0]))) == [2]
