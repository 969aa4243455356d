import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from drawing import CLASSES, draw, draw_set

from model import data, dataset
from model.data import LabelledPhoto


def plant_village(leaves: int, folder: str = "Potato___Late_blight") -> list[LabelledPhoto]:
    """Photos named as in PlantVillage, four a leaf, at uneven shot numbers, in the order of their UUIDs."""
    random = np.random.default_rng(1)
    shots = np.cumsum(random.integers(1, 4, leaves * 4)) + 2500
    name = "{:08x}-d1c4-4a84-bf3a-a426cdad6285___RS_LB {}.JPG"
    paths = [Path(folder) / name.format(random.integers(2**32), shot) for shot in shots]
    return sorted((LabelledPhoto(path, folder, "lab") for path in paths), key=lambda p: p.path)


def shot(p: LabelledPhoto) -> int:
    return int(p.path.stem.split()[-1])


def test_photos_are_found_at_any_depth_and_named_by_their_folder(tmp_path):
    draw_set(tmp_path / "extra" / "level", leaves=2)
    (tmp_path / "notes.txt").write_text("no photo")
    found = data.find_photos(str(tmp_path))
    assert len(found) == 10
    assert data.class_folders(found, data.POTATO_CLASSES) == list(CLASSES)


def test_of_many_unreadable_files_a_few_are_named_and_all_are_counted(tmp_path, capsys):
    draw_set(tmp_path / "set", leaves=2)
    for i in range(8):
        (tmp_path / "set" / "scenes" / f"broken {i}.jpg").write_text("no photo")
    found = data.find_photos(str(tmp_path / "set"))
    photos = dataset.prepare(found, list(CLASSES), 32, tmp_path / "cache")
    assert len(photos.photos) == 10
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Skipped 8 of 18 files that can't be read:"
    assert [line.split(":")[0][-12:] for line in said[1:6]] == [f"broken {i}.jpg"[-12:] for i in range(5)]
    assert said[6:] == ["  ... and 3 more"]
    counts = dataset.table(photos.counts({"train": np.arange(10)})).splitlines()
    assert counts[0].split() == ["class", "photos", "leaves", "train"]
    assert counts[1].split() == ["Potato___Early_blight", "2", "2", "2"]
    assert counts[4].split() == ["2", "other", "folders", "4", "4", "4"]


def test_a_missing_folder_an_empty_one_and_too_few_classes_are_one_sentence(tmp_path):
    with pytest.raises(data.DataError, match=r"^There is no folder nowhere; give a folder, kaggle:"):
        data.find_photos("nowhere")
    with pytest.raises(data.DataError, match=r"^There are no photos in .*; it should hold one folder"):
        data.find_photos(str(tmp_path))
    photos = [LabelledPhoto(Path("a.jpg"), "Potato___healthy", "s"), LabelledPhoto(Path("b.jpg"), "x", "s")]
    with pytest.raises(
        data.DataError, match=r"^At least two class folders are needed, and 1 match Potato___\*"
    ):
        data.class_folders(photos, data.POTATO_CLASSES)


def test_labels_are_for_people():
    labels = [
        data.label_of(name) for name in ("Potato___Early_blight", "Potato___healthy", "leaf rust", "___")
    ]
    assert labels == ["Early blight", "Healthy", "Leaf rust", "___"]
    assert data.labels_of(["Potato___healthy", "Tomato___healthy", "Potato___Early_blight"]) == [
        "Potato healthy",
        "Tomato healthy",
        "Early blight",
    ]


def test_plant_village_shows_each_leaf_four_times():
    photos = plant_village(leaves=10)
    leaves, warnings = data.leaves_by_name(photos)
    assert not warnings
    in_order = sorted(range(len(photos)), key=lambda i: shot(photos[i]))
    runs = [{leaves[i] for i in in_order[k : k + 4]} for k in range(0, 40, 4)]
    assert all(len(run) == 1 for run in runs)
    assert len(set.union(*runs)) == 10


def test_near_identical_photos_are_one_leaf():
    twins = [
        draw("Potato___healthy", 1),
        draw("Potato___healthy", 1).resize((90, 90)),
        draw("Potato___healthy", 2),
    ]
    hashes = np.array([data.difference_hash(np.asarray(image.resize((64, 64)))) for image in twins])
    assert list(data.merge_near_identical(np.array([3, 5, 9]), hashes)) == [0, 0, 2]
    assert list(data.merge_near_identical(np.array([3, 5, 3]), hashes)) == [0, 0, 0]


def test_a_missing_shot_is_told():
    photos = plant_village(leaves=10)[1:]
    assert data.leaves_by_name(photos)[1] == [
        "Potato___Late_blight of lab has 39 shots, not 4 for each leaf: some are missing, so photos of one "
        "leaf may stand in two splits."
    ]


def test_one_shot_under_two_names_is_one_leaf():
    photos = plant_village(leaves=3)
    copies = [LabelledPhoto(Path("color") / p.path, p.folder, p.source) for p in photos]
    leaves, warnings = data.leaves_by_name(photos + copies)
    assert (len(np.unique(leaves)), warnings) == (3, [])
    assert (leaves[:12] == leaves[12:]).all()


def split(photos: list[LabelledPhoto], leaves: np.ndarray, seed: int = 1) -> dict[str, np.ndarray]:
    classes = sorted({p.folder for p in photos})
    return data.split_by_leaf(photos, leaves, classes, validation=0.15, test=0.15, seed=seed)


def test_a_split_keeps_leaves_whole_and_every_class_in_every_part():
    photos = plant_village(30) + plant_village(8, "Potato___healthy")
    leaves = data.leaves_by_name(photos)[0]
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
    leaves = data.leaves_by_name(photos)[0]
    order = np.random.default_rng(2).permutation(len(photos))
    shuffled = [LabelledPhoto(photos[j].path, p.folder, p.source) for p, j in zip(photos, order, strict=True)]
    blind = split(shuffled, data.leaves_by_name(shuffled)[0])
    with pytest.raises(data.DataError, match=r"^Photos of one leaf \(number \d+\) are in both"):
        data.check_no_shared_leaf(leaves, blind)


def test_a_class_with_too_few_leaves_is_one_sentence():
    photos = plant_village(10) + plant_village(2, "Potato___healthy")
    with pytest.raises(
        data.DataError, match=r"^Potato___healthy has too few leaves to train, validate and test on"
    ):
        split(photos, data.leaves_by_name(photos)[0])


def test_photos_of_rare_classes_and_small_sources_weigh_more_and_the_average_one_one():
    lab, field = plant_village(90), plant_village(10, "Potato___healthy")
    field += [replace(p, source="field") for p in plant_village(40)]
    weights = data.photo_weights(lab + field)
    assert weights[360] / weights[0] == pytest.approx(3)
    assert weights[400] / weights[0] == pytest.approx(1.5)
    assert weights.mean() == pytest.approx(1)


def test_no_leaf_is_in_two_splits_of_the_real_photos(real_photos):
    found = data.find_photos(str(real_photos / "PlantVillage"))
    potato = [p for p in found if p.folder.startswith("Potato")]
    leaves = data.leaves_by_name(potato)[0]
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


class Kaggle(BaseHTTPRequestHandler):
    """A Kaggle that answers every call with one status."""

    status = 0

    def do_POST(self) -> None:
        body = b'{"message": "no"}'
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")  # the client's name for http://localhost:7777
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 7777), Kaggle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (
            401,
            "Kaggle has no data set owner/set that we may see; check the name, and log in: put your API "
            "token in ~/.kaggle/access_token or in KAGGLE_API_TOKEN.",
        ),
        (500, "Kaggle failed to give us owner/set; try again later."),
        (0, "Kaggle can't be reached to fetch owner/set; check the connection and try again."),
    ],
)
def test_what_kaggle_refuses_is_one_sentence(kaggle, monkeypatch, status, sentence):
    monkeypatch.setattr(Kaggle, "status", status)
    if not status:
        kaggle.shutdown()
        kaggle.server_close()
    with pytest.raises(data.DataError) as caught:
        data.find_photos("kaggle:owner/set")
    assert str(caught.value) == sentence


def test_a_name_that_is_no_kaggle_set_is_one_sentence():
    with pytest.raises(
        data.DataError, match=r"^kaggle:owner is not a Kaggle data set; write kaggle:owner/set\.$"
    ):
        data.find_photos("kaggle:owner")
