import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT
from making import write

from model import bundle


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "leaf")
    read = bundle.read(tmp_path / "leaf")
    assert [name.label for name in read.classes] == ["Healthy", "B"]
    assert (read.image_size, read.model, read.thresholds.confidence) == (64, b"model", 0.6)
    assert [path.name for path in tmp_path.iterdir()] == ["leaf"]


def test_an_exception_while_writing_leaves_the_old_bundle(tmp_path):
    write(tmp_path / "leaf", b"old")
    with pytest.raises(ZeroDivisionError), bundle.writing(tmp_path / "leaf") as draft:
        (draft / "model.tflite").write_bytes(b"new")
        raise ZeroDivisionError
    assert bundle.read(tmp_path / "leaf").model == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["leaf"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_exception_between_the_two_moves_leaves_the_old_bundle(tmp_path, monkeypatch, error):
    write(tmp_path / "leaf", b"old")
    moves, rename = [], Path.rename

    def failing(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 2:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(error):
        write(tmp_path / "leaf", b"new")
    assert bundle.read(tmp_path / "leaf").model == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["leaf"]


KILLED_AT_MOVE = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = ["tests"]
from making import write
moves, rename = 0, Path.rename
def killing_rename(self, target):
    global moves
    if moves == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    moves += 1
    return rename(self, target)
Path.rename = killing_rename
write(Path(sys.argv[1]), b"new")
"""


def test_a_bundle_takes_no_place_of_other_files(tmp_path):
    write(tmp_path / "leaf", b"old")
    (tmp_path / "leaf" / "my_photos").mkdir()
    (tmp_path / "leaf" / "my_photos" / "leaf.jpg").write_bytes(b"mine")
    with pytest.raises(bundle.BundleError, match=r"would replace \(my_photos/leaf\.jpg\); choose another"):
        write(tmp_path / "leaf", b"new")
    assert bundle.read(tmp_path / "leaf").model == b"old"


@pytest.mark.parametrize("move", [0, 1])
def test_a_killed_write_leaves_the_old_bundle_whole(tmp_path, move):
    write(tmp_path / "leaf", b"old")
    command = [sys.executable, "-c", KILLED_AT_MOVE, str(tmp_path / "leaf"), str(move)]
    ended = subprocess.run(command, cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert bundle.read(tmp_path / "leaf").model == b"old"
    write(tmp_path / "leaf", b"newer")
    assert bundle.read(tmp_path / "leaf").model == b"newer"
    assert [path.name for path in tmp_path.iterdir()] == ["leaf"]


def test_a_write_that_fails_after_a_killed_one_leaves_the_old_bundle(tmp_path):
    write(tmp_path / "leaf", b"old")
    (tmp_path / "leaf").rename(tmp_path / ".leaf.retired")  # as one that is killed between its two moves does
    with pytest.raises(ZeroDivisionError), bundle.writing(tmp_path / "leaf"):
        raise ZeroDivisionError
    assert bundle.read(tmp_path / "leaf").model == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["leaf"]


def test_a_reader_never_sees_half_of_a_bundle_being_replaced(tmp_path):
    write(tmp_path / "leaf", b"0")
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(lambda: [write(tmp_path / "leaf", str(i).encode()) for i in range(200)])
        seen = {bundle.read(tmp_path / "leaf").model}
        while not writer.done():
            seen.add(bundle.read(tmp_path / "leaf").model)
        writer.result()
    assert seen <= {str(i).encode() for i in range(200)}
    assert bundle.read(tmp_path / "leaf").model == b"199"


def test_two_classes_of_one_name_are_refused(tmp_path):
    write(tmp_path / "leaf")
    change(tmp_path / "leaf", classes=[{"folder": "a", "label": "A"}, {"folder": "b", "label": "A"}])
    with pytest.raises(bundle.BundleError, match=r"^leaf has two classes of one name \(A, A\)\.$"):
        bundle.read(tmp_path / "leaf")


@pytest.mark.parametrize("folder", ["..", "", ".", "a/b", "a\0b"])
def test_class_folders_are_plain_names(tmp_path, folder):
    write(tmp_path / "leaf")
    change(tmp_path / "leaf", classes=[{"folder": folder, "label": "A"}])
    with pytest.raises(bundle.BundleError, match="is not a plain name"):
        bundle.read(tmp_path / "leaf")


@pytest.mark.parametrize("label", [5, None, "", " ", "\u200c", "\ud800", "a\nb", "a\u202eb", "x" * 1_000])
def test_classes_are_called_something_that_can_be_shown(tmp_path, label):
    write(tmp_path / "leaf")
    change(tmp_path / "leaf", classes=[{"folder": "a", "label": label}])
    with pytest.raises(bundle.BundleError, match=r"^leaf has a class that can't be called "):
        bundle.read(tmp_path / "leaf")


@pytest.mark.parametrize(
    "label", ["\u0628\u0631\u06af\u200c\u0647\u0627", "\u0930\u094d\u200d\u092f", "a\u00a0b"]
)
def test_classes_are_called_by_words_of_any_script(tmp_path, label):
    write(tmp_path / "leaf")
    change(tmp_path / "leaf", classes=[{"folder": "a", "label": label}])
    assert bundle.read(tmp_path / "leaf").classes[0].label == label


@pytest.mark.parametrize("threshold", [float("nan"), -1, 2])
def test_thresholds_are_probabilities(tmp_path, threshold):
    write(tmp_path / "leaf")
    change(tmp_path / "leaf", thresholds={"leaf": 0.25, "confidence": threshold})
    with pytest.raises(bundle.BundleError, match=r"^leaf has thresholds that are no probabilities; "):
        bundle.read(tmp_path / "leaf")


def test_the_root_is_no_bundle():
    with pytest.raises(bundle.BundleError, match=r"^/ is not a Blightcheck model: it has no bundle.json\.$"):
        bundle.read(Path("/"))


def test_a_description_that_is_no_file_is_one_sentence(tmp_path):
    (tmp_path / "leaf" / "bundle.json").mkdir(parents=True)
    with pytest.raises(bundle.BundleError, match=r"^leaf can't be read (.*); give it the rights it needs\."):
        bundle.read(tmp_path / "leaf")


def test_what_a_look_into_the_folder_leaves_does_not_keep_a_bundle_from_being_replaced(tmp_path):
    write(tmp_path / "leaf")
    (tmp_path / "leaf" / ".DS_Store").write_bytes(b"icons")
    write(tmp_path / "leaf", b"another")
    assert bundle.read(tmp_path / "leaf").model == b"another"


def test_nothing_but_a_bundle_is_ever_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(bundle.BundleError, match="holds other files, which a bundle would replace"):
        write(tmp_path)
    for place in (tmp_path / "thesis.txt", tmp_path / "thesis.txt" / "leaf"):
        with pytest.raises(bundle.BundleError, match=r"thesis.txt is a file; choose another folder\.$"):
            write(place)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(bundle.BundleError, match="is a disk of its own"):
        bundle.check_place(Path(tmp_path.anchor))
    with pytest.raises(bundle.BundleError, match=r"^Nothing can be written beside .*; choose another"):
        bundle.check_writable(Path(tmp_path.anchor))


def test_behind_a_link_the_bundle_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "v2").mkdir()
    (tmp_path / "current").symlink_to("v2")
    for _ in range(2):
        write(tmp_path / "current")
        assert bundle.read(tmp_path / "current") == bundle.read(tmp_path / "v2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "v2"]
    assert (tmp_path / "current").is_symlink()


def change(folder, **changes) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_refused_and_why(tmp_path):
    good = tmp_path / "good"
    write(good)

    def refusal(spoil) -> str:
        leaf = tmp_path / "leaf"
        shutil.rmtree(leaf, ignore_errors=True)
        shutil.copytree(good, leaf)
        spoil(leaf)
        with pytest.raises(bundle.BundleError) as caught:
            bundle.read(leaf)
        return str(caught.value)

    assert (
        refusal(lambda f: (f / "bundle.json").unlink())
        == "leaf is not a Blightcheck model: it has no bundle.json."
    )
    assert (
        refusal(lambda f: (f / "model.tflite").unlink())
        == "leaf is not a Blightcheck model: it has no model.tflite."
    )
    assert refusal(lambda f: (f / "bundle.json").write_text("{")) == (
        "bundle.json in leaf is damaged; fetch or train the model again."
    )
    assert refusal(lambda f: (f / "model.tflite").write_bytes(b"mode")) == (
        "model.tflite in leaf is not the file it was written with; fetch or train it again."
    )
    assert refusal(lambda f: change(f, format_version=99)) == (
        "leaf has bundle format 99, and this program reads 1; update whichever is older."
    )
    assert refusal(lambda f: change(f, thresholds={})).startswith(
        "bundle.json in leaf lacks something it needs"
    )
    for damage in (
        {"image_size": "big"},
        {"image_size": float("inf")},
        {"thresholds": {"leaf": None, "confidence": 0.5}},
        {"thresholds": 1},
    ):
        assert "bundle.json in leaf lacks something it needs" in refusal(lambda f, d=damage: change(f, **d))
