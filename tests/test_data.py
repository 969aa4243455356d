import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import CLASSES, draw, draw_set
from kagglehub.clients import CHUNK_SIZE
from kagglesdk import kaggle_env
from loopback_kaggle import STORAGE, LoopbackKaggle
from making import plant_village, shot
from PIL import Image

from model import data, dataset, drawn, settings
from model.data import LabelledPhoto
from model.leaves import difference_hashes, leaves_by_name, merge_alike
from model.names import label_of


def gathered(asked: settings.Settings, cache: Path) -> dataset.Dataset:
    return dataset.prepare(*dataset.gather(asked), asked.image_size, cache)


def test_photos_are_found_at_any_depth_and_named_by_their_folder(tmp_path):
    draw_set(tmp_path / "extra" / "level", leaves=2)
    (tmp_path / "notes.txt").write_text("no photo")
    found = data.find_photos(str(tmp_path))
    assert len(found) == 10
    assert data.class_folders(found, data.POTATO_CLASSES) == list(CLASSES)


def test_what_lies_deeper_in_a_class_is_of_it_and_what_is_hidden_is_not_seen(tmp_path, capsys):
    draw_set(tmp_path / "set", 2, CLASSES)
    shutil.copytree(tmp_path / "set" / CLASSES[0], tmp_path / "set" / CLASSES[0] / "field day 2")
    for hidden in (".thumbnails", "@eaDir", "$RECYCLE.BIN"):
        shutil.copytree(tmp_path / "set" / CLASSES[1], tmp_path / "set" / CLASSES[1] / hidden)
    (tmp_path / "set" / "again").symlink_to(".")
    draw_set(tmp_path / "phone", 1, ("healthy",))
    told, _ = settings.parse(
        ["--data", str(tmp_path / "set"), "--data", str(tmp_path / "phone"), "--image-size", "32"]
    )
    found = gathered(told, tmp_path / "cache")
    assert Counter(p.folder for p in found.photos) == dict(zip(CLASSES, (4, 2, 2), strict=True)) | {
        "healthy": 1
    }
    said = capsys.readouterr().out
    assert f"Warning: all photos of {tmp_path / 'phone'} count as something else, since no folder" in said
    assert f"Used as examples of what is none of {', '.join(CLASSES)}: healthy (1)." in said


def test_a_class_whose_photos_all_lie_in_subfolders_is_found(tmp_path):
    for folder in ("Potato___healthy/field1", "Potato___healthy/Potato___old", "Potato___Late_blight/train"):
        draw_set(tmp_path / "Potato___set" / folder, 1, ("day1",))
    draw_set(tmp_path / "Potato___set", 1, ("scenes",))
    found = data.find_photos(str(tmp_path / "Potato___set"))
    classes = data.class_folders(found, data.POTATO_CLASSES)
    assert classes == [
        "Potato___Late_blight",
        "Potato___healthy",
        "Potato___old",
    ]  # innermost; no source's own
    folders = Counter(p.folder for p in data.in_classes(found, classes))
    assert folders == dict.fromkeys([*classes, "scenes"], 1)
    assert data.class_folders(found, ["*"]) == ["day1", "scenes"]
    with pytest.raises(data.DataError, match=r"^No folder is called tr\*, as --classes says"):
        data.class_folders(found, ["Potato___healthy", "sc*", "tr*"])


def test_a_set_that_is_split_within_its_classes_stays_so(tmp_path):
    for split in ("train", "val", "Test"):
        for kind in CLASSES[:2]:
            draw_set(tmp_path / "set" / kind, 2, (split,))
    draw_set(tmp_path / "set" / CLASSES[0] / "train", 1, ("day 2",))
    found = data.find_photos(str(tmp_path / "set"))
    assert data.class_folders(found, data.POTATO_CLASSES) == list(CLASSES[:2])
    found = data.in_classes(found, CLASSES)
    assert Counter((p.folder, p.split) for p in found) == {
        (kind, split): 3 if (kind, split) == (CLASSES[0], "train") else 2
        for kind in CLASSES[:2]
        for split in data.SPLITS
    }


def test_files_that_are_no_photos_by_their_names_are_counted(tmp_path, capsys):
    draw_set(tmp_path / "set", 1, CLASSES)
    for name in ("leaf.tif", "leaf.pdf", "leaf"):
        (tmp_path / "set" / CLASSES[0] / name).write_bytes(b"")
    assert len(data.find_photos(str(tmp_path / "set"))) == len(CLASSES)
    assert capsys.readouterr().out == f"Left out of {tmp_path / 'set'}, no photos by their names: 3.\n"
    (tmp_path / "set" / CLASSES[0] / "gone.jpg").symlink_to(tmp_path / "nowhere")
    assert len(data.find_photos(str(tmp_path / "set"))) == len(CLASSES)
    assert capsys.readouterr().out == (
        f"Left out of {tmp_path / 'set'}, no photos by their names: 3; broken links or special files: 1.\n"
    )


def test_one_class_written_in_two_ways_is_told():
    found = [LabelledPhoto(Path("x"), name, "s") for name in ("Potato___Early_blight", "Early Blight")]
    with pytest.raises(
        data.DataError, match=r"^Early Blight and Potato___Early_blight seem to be one class; give both"
    ):
        data.class_folders(found, ["*"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Potato___Early-blight", "Potato___Early_blight"),
        ("Potato___Mildi\u00e9", "Potato___Mildie\u0301"),
        ("Potato___ Late_blight", "Potato___Late_Blight"),
    ],
)
def test_spellings_of_one_class_are_told_and_other_vowels_are_another_class(one, other):
    def chosen(*names: str) -> list[str]:
        return data.class_folders([LabelledPhoto(Path("x"), name, "s") for name in names], ["Potato___*"])

    with pytest.raises(data.DataError, match=r"seem to be one class; give both folders the same name\.$"):
        chosen(one, other)
    assert len(chosen(one, "Potato___\u0915\u093e\u0932\u093e", "Potato___\u0915\u093f\u0932\u093e")) == 3


@pytest.mark.parametrize("misspelt", ["Potato__Early_blight", "potato___early_blight"])
def test_a_class_whose_folder_is_misspelt_is_told(tmp_path, misspelt):
    draw_set(tmp_path / "set", 2, CLASSES)
    draw_set(tmp_path / "more", 1, CLASSES[:1])
    (tmp_path / "more" / CLASSES[0]).rename(tmp_path / "more" / misspelt)
    told, _ = settings.parse(["--data", str(tmp_path / "set"), "--data", str(tmp_path / "more")])
    sentence = f"^{misspelt} and {CLASSES[0]} seem to be one class; give both folders the same name."
    with pytest.raises(data.DataError, match=sentence):  # as --evaluate uses it
        dataset.labelled(data.find_photos(str(tmp_path / "more")), CLASSES)
    with pytest.raises(data.DataError, match=sentence):
        dataset.gather(told)
    told, _ = settings.parse(["--data", str(tmp_path / "set"), "--not-potato", str(tmp_path / "more")])
    dataset.gather(told)  # who says so knows that it is something else


@pytest.mark.parametrize("name", ["Potato___" + "long" * 51, "Potato___\u202eblight"])
def test_a_class_that_could_not_be_served_is_told_before_the_work(tmp_path, name):
    draw_set(tmp_path / "set", 2, CLASSES)
    (tmp_path / "set" / CLASSES[0]).rename(tmp_path / "set" / name)
    told, _ = settings.parse(["--data", str(tmp_path / "set")])
    with pytest.raises(data.DataError, match=r"^A class can't be called .*; rename its folder, 'Potato___"):
        dataset.gather(told)


def test_other_things_that_are_called_almost_like_a_class_are_told(tmp_path, capsys):
    draw_set(tmp_path / "set", 2, (*CLASSES[1:], "potatoes", "Tomato___Late_blight"))
    draw_set(tmp_path / "set", 3, ("Potato__Early_blight", "Potato_late_blight2"))
    told, _ = settings.parse(["--data", str(tmp_path / "set")])
    dataset.gather(told)
    assert (
        "Warning: called almost like a class, but taken for something else: Potato__Early_blight (3), "
        "Potato_late_blight2 (3); rename what is one, or choose it with --classes.\n"
    ) in capsys.readouterr().out


def test_a_photo_of_two_classes_is_told(tmp_path, capsys):
    draw_set(tmp_path / "set", 2, CLASSES)
    shutil.copy(tmp_path / "set" / CLASSES[0] / "000.jpg", tmp_path / "set" / CLASSES[1] / "same.jpg")
    told, _ = settings.parse(["--data", str(tmp_path / "set"), "--image-size", "32"])
    gathered(told, tmp_path / "cache")
    where = f"{tmp_path}/set/{CLASSES[0]}/000.jpg and {tmp_path}/set/{CLASSES[1]}/same.jpg"
    said = capsys.readouterr().out
    assert f"Warning: 2 photos also lie in another class's folder:\n  {where}\n" in said


def test_a_class_that_is_not_there_is_told():
    found = [LabelledPhoto(Path("x"), folder, "set") for folder in CLASSES]
    with pytest.raises(data.DataError, match=r"^No folder is called Potato___Lateblight, as --classes says;"):
        data.class_folders(found, [*CLASSES[:2], "Potato___Lateblight"])


def test_a_folder_whose_name_is_no_text_is_told(tmp_path):
    draw_set(tmp_path, leaves=2, kinds=("Potato___healthy",))
    (tmp_path / "Potato___healthy").rename(tmp_path / "Potato___Fr\udcfch")
    with pytest.raises(data.DataError, match=r"^The name of the folder Potato___Fr\?h is not valid UTF-8;"):
        data.find_photos(str(tmp_path))


@pytest.mark.parametrize("option", ["--data", "--out", "--license"])
def test_an_argument_that_is_no_text_is_told_before_the_training(option, capsys):
    with pytest.raises(SystemExit):
        settings.parse([option, "mod\udce8le"])
    told = "error: mod?le is not valid UTF-8, as it must be for the model's card; please rename it"
    assert told in capsys.readouterr().err


def test_a_class_may_be_a_link_to_a_folder_of_another_name(tmp_path):
    draw_set(tmp_path / "elsewhere", leaves=2, kinds=("Potato___healthy",))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").symlink_to(tmp_path / "elsewhere" / "Potato___healthy")
    assert [p.folder for p in data.find_photos(str(tmp_path / "set"))] == ["mine", "mine"]


def test_folders_of_splits_around_the_classes_are_kept_and_others_are_not(tmp_path, capsys):
    for split, leaves in (("Training", 3), ("Validation", 1), ("Testing", 2)):
        draw_set(tmp_path / "set" / "PLD 3 classes" / split, leaves, CLASSES[:2])
    draw_set(tmp_path / "set" / "more", 1, CLASSES[:1])
    found = data.find_photos(str(tmp_path / "set"))
    assert Counter(p.split for p in found) == {"train": 6, "validation": 2, "test": 4, None: 1}
    assert {p.folder for p in found} == set(CLASSES[:2])
    assert {p.split for p in data.find_photos(str(tmp_path / "set" / "PLD 3 classes" / "Testing"))} == {None}
    for split in ("training_set", "dev", "Test Set"):
        draw_set(tmp_path / "sets" / split, 1, CLASSES[:1])
    found = data.find_photos(str(tmp_path / "sets"))
    assert [p.split for p in found] == ["test", "validation", "train"]
    draw_set(tmp_path / "only" / "Test", 1, CLASSES[:1])
    assert {p.split for p in data.find_photos(str(tmp_path / "only"))} == {None}
    assert capsys.readouterr().out.endswith(
        f"{tmp_path / 'only'} has a folder for test, none for train: it is taken as unsplit.\n"
    )
    draw_set(tmp_path / "scenes", 2, ("train", "test"))
    found = data.find_photos(str(tmp_path / "scenes"))
    assert Counter((p.folder, p.split) for p in found) == {("scenes", "train"): 2, ("scenes", "test"): 2}
    found = data.find_photos(str(tmp_path / "scenes" / "train"))
    assert Counter((p.folder, p.split) for p in found) == {("train", None): 2}
    draw_set(tmp_path / "vehicles", 1, ("train", "test", "Potato___healthy"))  # classes that are called so
    assert {p.split for p in data.find_photos(str(tmp_path / "vehicles"))} == {None}


def test_photos_in_a_split_but_in_no_class_are_left_out_and_told(tmp_path, capsys):
    draw_set(tmp_path / "set" / "train", 2, CLASSES[:2])
    draw_set(tmp_path / "set", 3, ("test",))
    found = data.find_photos(str(tmp_path / "set"))
    assert Counter(p.folder for p in found) == dict.fromkeys(CLASSES[:2], 2)
    assert {p.split for p in found} == {None}  # all is train: the test is dealt from it
    assert capsys.readouterr().out == (
        f"Left out 3 photos of {tmp_path / 'set'} that lie in test, in no class's folder.\n"
    )


def test_classes_of_which_none_is_called_healthy_are_told(tmp_path, capsys):
    draw_set(tmp_path / "set", 3, ("Krautfaeule", "gesund"))
    asked, _ = settings.parse(["--data", str(tmp_path / "set"), "--classes", "Krautfaeule", "gesund"])
    gathered(asked, tmp_path / "cache")
    assert "Warning: no class is called healthy, so each counts as a disease" in capsys.readouterr().out


def test_one_more_folder_level_odd_names_and_mixed_types_of_pictures_work(tmp_path):
    odd = "Pomme de terre (saine) - n°1 [été]"
    draw_set(tmp_path / "set" / "extra", 2, (odd, "Mildiou"))
    folder = tmp_path / "set" / "extra" / odd
    for seed, name in enumerate(("a.PNG", "b.webp", "c.JPEG", "d.gif", "e.bmp")):
        draw(CLASSES[0], seed).save(folder / name)
    (folder / "notes.txt").write_text("no photo")
    found = data.find_photos(str(tmp_path / "set"))
    classes = data.class_folders(found, [odd, "Mildiou"])
    assert classes == [label_of(name) for name in classes] == ["Mildiou", odd]
    photos = dataset.prepare(found, classes, 32, tmp_path / "cache")
    assert Counter(p.folder for p in photos.photos) == {"Mildiou": 2, odd: 2 + 5}


def test_of_many_unreadable_files_a_few_are_named_and_all_are_counted(tmp_path, capsys):
    draw_set(tmp_path / "set", leaves=2)
    for i in range(8):
        (tmp_path / "set" / "scenes" / f"broken {i}.jpg").write_text("no photo")
    found = data.find_photos(str(tmp_path / "set"))
    photos = dataset.prepare(found, list(CLASSES), 32, tmp_path / "cache")
    assert len(photos.photos) == 10
    told = capsys.readouterr()
    assert told.err == ""  # no bar where there is no terminal
    said = told.out.splitlines()
    assert said[0] == "Skipped 8 of 18 files that can't be read:"
    assert [line.split(":")[0][-12:] for line in said[1:6]] == [f"broken {i}.jpg"[-12:] for i in range(5)]
    assert said[6:] == ["  ... and 3 more"]
    counts = dataset.table(photos.counts({"train": np.arange(10)})).splitlines()
    assert counts[0].split() == ["class", "photos", "leaves", "train"]
    assert counts[1].split() == ["Potato___Early_blight", "2", "2", "2"]
    assert counts[4].split() == ["2", "other", "folders", "4", "4", "4"]
    assert photos.counts_by_source() == [{"source": "set", "photos": 10, "leaves": 10}]


def test_a_missing_folder_an_empty_one_and_too_few_classes_are_one_sentence(tmp_path):
    with pytest.raises(data.DataError, match=r"^There is no folder nowhere; give a folder, kaggle:"):
        data.find_photos("nowhere")
    draw_set(tmp_path / "set" / "train", 1, ("train",))  # in no class's folder
    for place in (tmp_path / "set", tmp_path / "set" / "test"):
        place.mkdir(exist_ok=True)
        with pytest.raises(data.DataError, match=r"^There are no photos in .*; it should hold one folder"):
            data.find_photos(str(place))
    photos = [LabelledPhoto(Path("a.jpg"), "Potato___healthy", "s"), LabelledPhoto(Path("b.jpg"), "x", "s")]
    with pytest.raises(
        data.DataError, match=r"^At least two class folders are needed, and 1 match Potato___\*"
    ):
        data.class_folders(photos, data.POTATO_CLASSES)
    photos = [LabelledPhoto(Path("a.jpg"), f"Potato___{name}", "s") for name in ("a_b", "a b", "c")]
    with pytest.raises(data.DataError, match=r"^Potato___a b and Potato___a_b seem to be one class; "):
        data.class_folders(photos, data.POTATO_CLASSES)


def test_labels_are_for_people():
    labels = {
        "Potato___Early_blight": "Early blight",
        "Potato__Late_blight": "Late blight",
        "Potato___Early__blight": "Early blight",
        "Potato leaf___Early_blight": "Early blight",
        "Potato - Late blight": "Late blight",
        "Potato-late-blight": "Late-blight",
        "Potato_not__healthy": "Not healthy",
        "Potato_healthy__augmented": "Healthy augmented",
        "Early_blight__leaf": "Early blight leaf",
        "Potato___": "Potato",
        "potato_late_blight": "Late blight",
        "Potato___healthy": "Healthy",
        "Potato": "Potato",
        "Tomato___Late_blight": "Tomato Late blight",
        "leaf rust": "Leaf rust",
        "Sweet_potato___Late_blight": "Sweet potato Late blight",
        "___": "___",
    }
    assert {name: label_of(name) for name in labels} == labels


@pytest.mark.parametrize("folder", ["Potato___Late_blight", "potato_late_blight", "late blight"])
def test_plant_village_shows_each_leaf_four_times(folder):
    photos = plant_village(leaves=10, folder=folder)
    leaves, warnings = leaves_by_name(photos)
    assert not warnings
    in_order = sorted(range(len(photos)), key=lambda i: shot(photos[i]))
    runs = [{leaves[i] for i in in_order[k : k + 4]} for k in range(0, 40, 4)]
    assert all(len(run) == 1 for run in runs)
    assert len(set.union(*runs)) == 10


def named(*names: str) -> list[LabelledPhoto]:
    return [LabelledPhoto(Path(name), "Potato___healthy", "field") for name in names]


def test_near_identical_photos_are_one_leaf():
    twins = [
        draw("Potato___healthy", 1),
        draw("Potato___healthy", 1).resize((90, 90)),
        draw("Potato___healthy", 2),
    ]
    hashes = np.array([difference_hashes(np.asarray(image.resize((64, 64)))) for image in twins])
    photos = named("a.jpg", "b.jpg", "c.jpg")
    assert list(merge_alike(np.array([3, 5, 9]), photos, hashes)) == [0, 0, 2]
    assert list(merge_alike(np.array([3, 5, 3]), photos, hashes)) == [0, 0, 0]


@pytest.mark.parametrize("way", list(Image.Transpose))
def test_a_turned_or_mirrored_copy_is_the_same_leaf(way):
    leaf = draw("Potato___Late_blight", 1).resize((64, 64))
    pictures = [leaf, leaf.transpose(way), draw("Potato___Late_blight", 2).resize((64, 64))]
    hashes = np.array([difference_hashes(np.asarray(picture)) for picture in pictures])
    assert list(merge_alike(np.arange(3), named("a.jpg", "b.jpg", "c.jpg"), hashes)) == [0, 0, 2]


def upright(*hashes: np.ndarray) -> np.ndarray:
    """The hashes of photos that look like none of the others once they are turned."""
    turned = np.random.default_rng(0).integers(0, 2**64, (len(hashes), 8, 4), dtype=np.uint64)
    turned[:, 0] = hashes
    return turned


def test_photos_taken_one_after_the_other_may_differ_more():
    hashes = upright(bits(), bits(*range(40)), bits(*range(81)), bits(*range(81, 121)))
    in_a_row = named("Leaf (8) x.jpg", "Leaf (11) x.jpg", "Leaf (12) x.jpg", "Leaf (15) x.jpg")
    assert list(merge_alike(np.arange(4), in_a_row, hashes)) == [0, 0, 2, 3]
    elsewhere = named("Leaf (8) x.jpg", "Leaf (12) x.jpg", "Leaf (9) y.jpg", "other/Leaf (9) x.jpg")
    hashes = upright(*[bits(*range(k, k + 20)) for k in (0, 40, 80, 120)])
    assert list(merge_alike(np.arange(4), elsewhere, hashes)) == [0, 1, 2, 3]


def test_photos_of_a_part_of_plant_village_are_not_taken_for_leaves():
    photos = sorted(plant_village(leaves=40), key=shot)[::4]  # one of each leaf
    leaves, warnings = leaves_by_name(photos)
    assert len(set(leaves)) == 40
    assert "some are missing" in warnings[0]


def test_a_missing_shot_is_told():
    photos = plant_village(leaves=10)[1:]
    assert leaves_by_name(photos)[1] == [
        "Potato___Late_blight of lab has 39 shots, not 4 of each leaf: some are missing, so photos of one "
        "leaf may count as several leaves."
    ]


def test_one_shot_under_two_names_is_one_leaf():
    photos = plant_village(leaves=3)
    copies = [LabelledPhoto(Path("color") / p.path, p.folder, p.source) for p in photos]
    leaves, warnings = leaves_by_name(photos + copies)
    assert (len(np.unique(leaves)), warnings) == (3, [])
    assert (leaves[:12] == leaves[12:]).all()


def bits(*places: int) -> np.ndarray:
    """A difference hash in which these of its 256 bits are set."""
    return np.packbits(np.isin(np.arange(256), places)).view(np.uint64)


def test_photos_are_one_leaf_through_others_between_them_and_only_if_hardly_a_bit_differs():
    hashes = upright(bits(*range(16)), bits(*range(100, 116)), bits(), bits(*range(200, 217)))
    photos = named("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    first, second, between, other = merge_alike(np.arange(4), photos, hashes)
    assert first == second == between != other


def test_other_crops_are_named_alike_but_their_shots_are_no_leaves_of_four():
    assert len(set(leaves_by_name(plant_village(3, "Tomato___healthy"))[0])) == 12


def test_beside_an_unreadable_file_the_others_keep_their_own_leaves(tmp_path):
    found = plant_village(3) + plant_village(3, "Potato___healthy")
    for seed, p in enumerate(found):
        (tmp_path / p.folder).mkdir(exist_ok=True)
        draw(p.folder, seed).save(tmp_path / p.path)
    (tmp_path / found[0].path).write_text("no photo")
    found = data.find_photos(str(tmp_path))
    made = dataset.prepare(found, sorted({p.folder for p in found}), 32, tmp_path / "cache")
    by_name = leaves_by_name(found)[0][[found.index(p) for p in made.photos]]
    assert len(made.photos) == 23
    assert len(set(zip(made.leaves, by_name, strict=True))) == len(set(made.leaves)) == len(set(by_name)) == 6


def test_every_folder_is_a_label_of_its_own(tmp_path):
    found = data.find_photos(str(draw_set(tmp_path / "set", 2)))
    made = dataset.prepare(found, list(CLASSES), 32, tmp_path / "cache")
    assert [made.outputs[label] for label in made.labels] == [p.folder for p in made.photos]
    assert len(set(made.labels)) == 5


def test_photos_of_rare_classes_and_small_sources_weigh_more_and_the_average_one_one():
    lab, field = plant_village(90), plant_village(10, "Potato___healthy")
    field += [replace(p, source="field") for p in plant_village(40)]
    weights = data.photo_weights(lab + field)
    assert weights[360] / weights[0] == pytest.approx(3)
    assert weights[400] / weights[0] == pytest.approx(1.5)
    assert weights.mean() == pytest.approx(1)


@pytest.fixture
def kaggle(monkeypatch, tmp_path) -> Iterator[LoopbackKaggle]:
    """A Kaggle with a set of two classes, seen by a user with an empty cache who isn't logged in."""
    folder = draw_set(tmp_path / "drawn", 3, CLASSES[:2])
    (folder / "notes").write_bytes(np.random.default_rng(1).bytes(2 * CHUNK_SIZE))
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", folder)).read_bytes()
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home" / ".kaggle"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    with LoopbackKaggle(archive) as server:
        monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, server.url)
        yield server


def refusal(name: str) -> str:
    with pytest.raises(data.DataError) as caught:
        data.find_photos(name)
    return str(caught.value)


def test_a_set_comes_from_kaggle_once(kaggle):
    found = data.find_photos("kaggle:owner/set")
    assert Counter(p.folder for p in found) == dict.fromkeys(CLASSES[:2], 3)
    assert found[0].source == "kaggle:owner/set"
    downloads = [path for _, path, _ in kaggle.requests]
    assert downloads.count(STORAGE) == 1
    assert data.find_photos("kaggle:owner/set") == found
    again = [path for _, path, _ in kaggle.requests][len(downloads) :]
    assert again == ["/api/v1/datasets.DatasetApiService/GetDataset"]  # is there a newer one?


NOT_SEEN = (
    "Kaggle has no data set {} that we may see; check the name, and log in: put your API token in "
    "~/.kaggle/access_token or in KAGGLE_API_TOKEN."
)


def test_no_login_a_wrong_one_and_a_wrong_name_are_one_sentence_and_the_right_one_works(kaggle, monkeypatch):
    kaggle.token = "right"
    assert refusal("kaggle:owner/set") == NOT_SEEN.format("owner/set")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "wrong")
    assert refusal("kaggle:owner/set") == NOT_SEEN.format("owner/set")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "right")
    assert refusal("kaggle:owner/other") == NOT_SEEN.format("owner/other")
    assert len(data.find_photos("kaggle:owner/set")) == 6
    assert kaggle.tokens[:3] == [None, "Bearer wrong", "Bearer right"]


def test_a_broken_login_file_is_one_sentence(kaggle, tmp_path):
    login = tmp_path / "home" / ".kaggle" / "kaggle.json"
    login.parent.mkdir(parents=True)
    login.write_text("me")
    assert refusal("kaggle:owner/set") == (
        f"owner/set can't be fetched from Kaggle: Invalid Kaggle credentials file at {login}."
    )


def test_a_download_that_broke_off_is_one_sentence_and_goes_on_next_time(kaggle):
    kaggle.cut_at = CHUNK_SIZE + 5000
    lost = "Kaggle can't be reached to fetch owner/set; check the connection and try again."
    assert refusal("kaggle:owner/set") == lost
    assert len(data.find_photos("kaggle:owner/set")) == 6
    assert kaggle.requests[-1] == ("GET", STORAGE, f"bytes={CHUNK_SIZE}-")
    kaggle.failing = 500
    assert refusal("kaggle:owner/set") == "Kaggle failed to give us owner/set; try again later."
    kaggle.server_close()
    kaggle.shutdown()
    assert refusal("kaggle:owner/set") == lost


def test_a_damaged_download_is_one_sentence_and_fetched_anew_next_time(kaggle):
    kaggle.damage = b"more"
    assert refusal("kaggle:owner/set") == "What came of owner/set from Kaggle is damaged; try again."
    kaggle.damage = b""
    assert len(data.find_photos("kaggle:owner/set")) == 6


def test_a_full_disk_is_one_sentence(kaggle, tmp_path):
    archive = tmp_path / "kaggle" / "datasets" / "owner" / "set" / "3.archive"
    archive.parent.mkdir(parents=True)
    archive.symlink_to("/dev/full")
    assert refusal("kaggle:owner/set") == (
        "owner/set can't be kept on this disk: No space left on device; "
        "make room, or set KAGGLEHUB_CACHE to a folder on another one."
    )


def test_a_name_that_is_no_kaggle_set_is_one_sentence():
    assert refusal("kaggle:owner") == "kaggle:owner is not a Kaggle data set; write kaggle:owner/set."


def test_a_set_without_other_things_is_told_how_to_get_some(tmp_path, capsys):
    photos = draw_set(tmp_path / "set", leaves=2, kinds=CLASSES)
    told, _ = settings.parse(["--data", str(photos), "--image-size", "32"])
    assert gathered(told, tmp_path / "cache").outputs == list(CLASSES)
    assert "python -m model.drawn nothing draws some" in capsys.readouterr().out
    drawn.main([str(tmp_path / "nothing"), "--pictures", "2"])
    told, _ = settings.parse(["--data", str(photos), "--not-potato", str(tmp_path / "nothing")])
    assert gathered(told, tmp_path / "cache").outputs == [*CLASSES, "Nothing"]
    assert "Warning" not in capsys.readouterr().out


def test_photos_of_which_none_can_be_read_are_one_sentence(tmp_path):
    found = data.find_photos(str(draw_set(tmp_path / "set", 1, CLASSES)))
    for p in found:
        p.path.write_text("no photo")
    with pytest.raises(data.DataError, match=r"^None of the 3 photos can be read; are they whole\?$"):
        dataset.prepare(found, list(CLASSES), 32, tmp_path / "cache")


def test_what_can_be_reached_in_two_ways_is_found_once(tmp_path):
    draw_set(tmp_path, 1, CLASSES[:2])
    shutil.copy(tmp_path / CLASSES[0] / "000.jpg", tmp_path / "leaf.jpg")
    (tmp_path / "zz").symlink_to(CLASSES[0])
    (tmp_path / CLASSES[1] / "up").symlink_to("..")
    assert len(data.find_photos(str(tmp_path))) == 3


def test_a_set_without_a_training_part_is_unsplit(tmp_path):
    for name in ("valid", "evaluation"):
        draw_set(tmp_path / name, 1, CLASSES[:2])
    assert {p.split for p in data.find_photos(str(tmp_path))} == {None}
    draw_set(tmp_path / "train", 1, CLASSES[:2])
    assert {p.split for p in data.find_photos(str(tmp_path))} == set(data.SPLITS)


def test_two_photos_alone_are_compared_as_well():
    for paths, hashes in (
        (named("a.jpg", "b.jpg"), upright(bits(), bits(0))),
        (named("Leaf 1.jpg", "Leaf 2.jpg"), upright(bits(), bits(*range(40)))),
    ):
        assert list(merge_alike(np.arange(2), paths, hashes)) == [0, 0]
