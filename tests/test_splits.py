from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import plant_village, shot

from model import data, splits
from model.data import LabelledPhoto
from model.leaves import leaves_by_name


def split(photos: list[LabelledPhoto], leaves: np.ndarray, seed: int = 1) -> dict[str, np.ndarray]:
    classes = sorted({p.folder for p in photos})
    return splits.split_by_leaf(photos, leaves, classes, validation=0.15, test=0.15, seed=seed)


def test_a_split_keeps_leaves_whole_and_every_class_in_every_part():
    photos = plant_village(30) + plant_village(8, "Potato___healthy")
    leaves = leaves_by_name(photos)[0]
    splits = split(photos, leaves)
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(photos)))
    for indices in splits.values():
        assert {photos[i].folder for i in indices} == {"Potato___Late_blight", "Potato___healthy"}
        assert all(count == 4 for count in np.unique(leaves[indices], return_counts=True)[1])
    assert all((splits[name] == split(photos, leaves)[name]).all() for name in splits)
    assert any(
        len(splits[name]) != len(split(photos, leaves, seed=2)[name])
        or (splits[name] != split(photos, leaves, seed=2)[name]).any()
        for name in splits
    )


def test_the_leaf_check_fails_when_names_are_shuffled():
    photos = plant_village(30)
    leaves = leaves_by_name(photos)[0]
    order = np.random.default_rng(2).permutation(len(photos))
    shuffled = [LabelledPhoto(photos[j].path, p.folder, p.source) for p, j in zip(photos, order, strict=True)]
    blind = split(shuffled, leaves_by_name(shuffled)[0])
    with pytest.raises(data.DataError, match=r"^Photos of one leaf \(number \d+\) are in both"):
        splits.check_no_shared_leaf(leaves, blind)


def test_of_three_leaves_of_a_class_each_part_has_one():
    parts = split(two_classes(3, "set"), np.arange(6))
    assert [len(parts[name]) for name in data.SPLITS] == [2, 2, 2]


def test_a_class_with_too_few_leaves_is_one_sentence():
    photos = plant_village(10) + plant_village(2, "Potato___healthy")
    with pytest.raises(
        data.DataError, match=r"^Potato___healthy has too few leaves to train, validate and test on"
    ):
        split(photos, leaves_by_name(photos)[0])


def test_shares_that_leave_nothing_to_train_on_are_named():
    photos = two_classes(10, "set")
    with pytest.raises(
        data.DataError,
        match=r"^--validation 0.8 and --test 0.15 leave no leaf of Potato___Late_blight to train on; choose",
    ):
        splits.split_by_leaf(photos, np.arange(20), [photos[0].folder], 0.8, 0.15, 1)


def test_no_leaf_is_in_two_splits_of_the_real_photos(real_photos):
    found = data.find_photos(str(real_photos / "PlantVillage"))
    potato = [p for p in found if p.folder.startswith("Potato")]
    leaves = leaves_by_name(potato)[0]
    assert len(np.unique(leaves)) == 200 + 200 + 30
    splits = split(potato, leaves)
    for p, q in ((a, b) for a in splits for b in splits if a < b):
        assert not set(leaves[splits[p]]) & set(leaves[splits[q]])
    # Told apart from the code under test: shots of one leaf follow each other without another leaf between.
    side = {i: name for name, indices in splits.items() for i in indices}
    for folder in {p.folder for p in potato}:
        in_order = sorted(
            (i for i, p in enumerate(potato) if p.folder == folder), key=lambda i: shot(potato[i])
        )
        assert all(len({side[i] for i in in_order[k : k + 4]}) == 1 for k in range(0, len(in_order), 4))


def given(split: str, photos: list[LabelledPhoto]) -> list[LabelledPhoto]:
    return [replace(p, split=split) for p in photos]


def two_classes(leaves: int, folder: str) -> list[LabelledPhoto]:
    """Two classes of single photos, which lie in `folder`."""
    kinds = ("Potato___Late_blight", "Potato___healthy")
    return [LabelledPhoto(Path(folder) / k / f"{i}.jpg", k, "set") for k in kinds for i in range(leaves)]


def test_a_set_that_comes_split_stays_so_and_what_it_lacks_is_dealt():
    photos = given("train", two_classes(20, "train")) + given("test", two_classes(5, "test"))
    parts = split(photos, np.arange(50))
    assert list(parts["test"]) == list(range(40, 50))
    assert (len(parts["train"]), len(parts["validation"])) == (34, 6)
    photos += given("validation", two_classes(2, "valid"))
    parts = split(photos, np.arange(54))
    assert [len(parts[name]) for name in data.SPLITS] == [40, 4, 10]
    assert splits.describe_given_splits(photos, np.arange(54), parts) == [
        "set comes split into train, validation, test, and stays so."
    ]


def test_a_class_of_one_leaf_in_each_of_many_sources_is_dealt_all_the_same():
    photos = [replace(p, source=f"source {i % 8}") for i, p in enumerate(two_classes(8, "leaf"))]
    parts = split(photos, np.arange(16))
    for name, leaves in (("train", 6), ("validation", 1), ("test", 1)):
        folders = [photos[i].folder for i in parts[name]]
        assert sorted(folders) == ["Potato___Late_blight"] * leaves + ["Potato___healthy"] * leaves


def test_photos_of_a_leaf_that_is_held_out_are_left_out_of_training_and_told():
    photos = given("train", two_classes(20, "train")) + given("test", two_classes(5, "test"))
    leaves = np.arange(50)
    leaves[:3] = leaves[40:43]  # three leaves of training are tested too
    parts = split(photos, leaves)
    assert list(parts["test"]) == list(range(40, 50))
    assert not {0, 1, 2} & set(np.concatenate(list(parts.values())))
    assert splits.describe_given_splits(photos, leaves, parts) == [
        "set comes split into train, test, and stays so; validation is dealt from train.",
        "Warning: 3 photos in train of set show leaves also in test, and are left out.",
    ]


def test_a_split_by_photo_of_plant_village_leaks_and_is_mended():
    photos = plant_village(30) + plant_village(30, "Potato___healthy")
    random = np.random.default_rng(1)
    photos = [replace(p, split=str(random.choice(data.SPLITS, p=(0.6, 0.2, 0.2)))) for p in photos]
    leaves = leaves_by_name(photos)[0]
    parts = split(photos, leaves)
    assert {p.split for p in (photos[i] for i in parts["train"])} == {"train"}
    assert list(parts["test"]) == [i for i, p in enumerate(photos) if p.split == "test"]
    assert (
        len(splits.describe_given_splits(photos, leaves, parts)) == 4
    )  # into validation and, of both, into test


def test_a_leaf_of_another_source_joins_the_side_that_is_given():
    photos = given("train", two_classes(20, "train")) + given("test", two_classes(5, "test"))
    photos += [replace(p, source="other") for p in two_classes(20, "other")]
    leaves = np.arange(90)
    leaves[50:53] = leaves[40:43]
    parts = split(photos, leaves)
    assert {50, 51, 52} <= set(parts["test"])
    assert len(np.concatenate(list(parts.values()))) == 90


def test_every_part_has_its_share_of_each_source():
    photos = [replace(p, source=source) for source in ("field", "lab") for p in two_classes(20, source)]
    for seed in range(3):
        parts = split(photos, np.arange(80), seed)
        for name in ("validation", "test"):
            assert [photos[i].source for i in parts[name]] == ["field"] * 6 + ["lab"] * 6


def test_of_what_does_not_come_split_nothing_is_told():
    photos = two_classes(5, "set")
    assert splits.describe_given_splits(photos, np.arange(10), split(photos, np.arange(10))) == []
