import numpy as np
import pytest

from model.diseases import KIN, class_membership, is_healthy, related_folders

POTATO = ["Potato___Early_blight", "Potato___Late_blight", "Potato___healthy"]


@pytest.mark.parametrize(
    ("folder", "shows"),
    [
        ("Tomato___Early_blight", 0),
        ("Tomato__early_blight_leaf", 0),
        ("Tomato_Early_blight", 0),
        ("Tomato___Late_blight", 1),
        ("Tomato__leaf_late_blight", 1),
        ("Tomato__leaf", 2),
        ("Tomato_healthy", 2),
        ("Pepper__bell___healthy", 2),
        ("Corn_(maize)___Northern_Leaf_Blight", None),
        ("Tomato___Leaf_Mold", None),
        ("scenes", None),
        ("field_other_crops", None),
        ("not_leaf", None),
        ("Tomato___9", None),
        ("Tomato___健康", None),
        ("not_healthy", None),
        ("not Potato___healthy", None),
        ("not_potato", None),
        ("", None),
    ],
)
def test_other_crops_diseases_are_known_by_their_names(folder, shows):
    same = class_membership([*POTATO, folder], len(POTATO))
    np.testing.assert_array_equal(same[:3], np.eye(3))
    np.testing.assert_allclose(same[3], [KIN * (k == shows) for k in range(3)])


def test_ones_own_names_without_a_crop():
    same = class_membership(["early blight", "Healthy", "Tomato___Early_blight", "tomato_healthy", "rust"], 2)
    np.testing.assert_allclose(same, [[1, 0], [0, 1], [KIN, 0], [0, KIN], [0, 0]])


def test_ones_own_names_after_a_crop():
    own = ["Tomato_Early_blight", "Tomato_healthy"]
    same = class_membership(
        [*own, "Potato___Early_blight", "Pepper__bell___healthy", "not Tomato_healthy"], 2
    )
    np.testing.assert_allclose(same, [[1, 0], [0, 1], [KIN, 0], [0, KIN], [0, 0]])


def test_names_in_any_script():
    own = ["Potato___健康", "Potato___早疫病", "_"]
    same = class_membership([*own, "Tomato___早疫病", "Tomato___健康"], 3)
    np.testing.assert_allclose(same[3:], [[0, KIN, 0], [KIN, 0, 0]])


def test_names_with_signs_that_are_no_letters_of_their_own():
    own = ["आलू_अगेती_झुलसा", "आलू_healthy"]
    same = class_membership([*own, "टमाटर_अगेती_झुलसा", "टमाटर_पछेती_झुलसा"], 2)
    np.testing.assert_allclose(same[2:], [[KIN, 0], [0, 0]])


def test_alone_each_class_is_itself():
    np.testing.assert_array_equal(class_membership(POTATO, 3), np.eye(3))
    np.testing.assert_array_equal(class_membership(["leaf", "scenes", "things"], 1), np.eye(3, 1))


def test_it_is_told_which_folders_count():
    assert related_folders(
        [*POTATO, "Apple___healthy", "Tomato___Late_blight", "Tomato__leaf", "scenes"], 3
    ) == (
        "Folders that show the same on other crops count for a class's probability, 0.1 times: "
        "Potato___Late_blight: Tomato___Late_blight; Potato___healthy: Apple___healthy, Tomato__leaf."
    )
    assert related_folders([*POTATO, "scenes"], 3) == ""


@pytest.mark.parametrize("name", ["Potato___healthy", "Healthy", "Potato healthy", "tomato_healthy_leaf"])
def test_healthy_is_healthy(name):
    assert is_healthy(name)


@pytest.mark.parametrize(
    "name", ["Potato___unhealthy", "Unhealthy", "not healthy", "Non-healthy", "Late blight"]
)
def test_unhealthy_is_not(name):
    assert not is_healthy(name)
