from dataclasses import replace

import numpy as np
import pytest
from making import plant_village

from model import data
from model.dataset import Dataset
from model.folds import cross_validate, split_into_folds
from model.leaves import leaves_by_name
from model.splits import check_no_shared_leaf


def test_folds_test_every_leaf_once_and_every_class_each_time():
    photos = plant_village(7) + plant_village(10, "Potato___healthy")
    photos += [replace(p, source="field") for p in plant_village(3)]
    leaves = leaves_by_name(photos)[0]
    classes = sorted({p.folder for p in photos})
    folds = list(split_into_folds(photos, leaves, classes, folds=5, validation=0.15, seed=1))
    assert sorted(np.concatenate([fold["test"] for fold in folds])) == list(range(len(photos)))
    for fold in folds:
        check_no_shared_leaf(leaves, fold)
        for indices in fold.values():
            assert {photos[i].folder for i in indices} == set(classes)
        assert len(np.unique(leaves[fold["test"]])) == 4
    with pytest.raises(
        data.DataError, match=r"^Potato___Late_blight has only 10 leaves; 11 folds need one each"
    ):
        next(split_into_folds(photos, leaves, classes, folds=11, validation=0.15, seed=1))


def test_a_split_that_comes_with_a_source_is_dealt_anew_and_told(capsys):
    photos = [replace(p, split="train") for p in plant_village(2)]
    made = Dataset(photos, None, None, [], ["Potato___Late_blight"], None, leaves_by_name(photos)[0], [])
    with pytest.raises(data.DataError, match="has only 2 leaves; 3 folds need one each"):
        cross_validate(made, 3, 0.15, 1, None)
    assert capsys.readouterr().out == ("lab comes split, but cross-validation deals all its photos anew.\n")
