"""Pictures of nothing: the same each time, of every kind, and read like photos."""

import numpy as np
import pytest
from conftest import run
from PIL import Image

from model import data, drawn, photo


def test_they_are_the_same_each_time_and_otherwise_all_different():
    sheets = [np.stack([np.asarray(drawn.draw(seed)) for seed in range(8)]) for _ in range(2)]
    assert sheets[0].shape == (8, drawn.SIZE, drawn.SIZE, 3)
    assert (sheets[0] == sheets[1]).all()
    assert len({picture.tobytes() for picture in sheets[0]}) == 8
    assert (sheets[0].std((1, 2, 3)) > 1).all()  # something is on each


def test_the_command_fills_a_folder_that_training_takes(tmp_path):
    ended = run("-m", "model.drawn", tmp_path / "made", "--pictures", 3)
    assert ended.returncode == 0, ended.stderr
    found = data.find_photos(str(tmp_path / "made"))
    assert [(made.folder, made.path.name) for made in found] == [
        ("Nothing", f"{number:05}.jpg") for number in range(3)
    ]
    kept = photo.prepare(found[1].path, drawn.SIZE).astype(int)
    assert np.abs(kept - np.asarray(drawn.draw(1))).mean() < 5  # but for what JPEG takes
    Image.open(found[2].path).verify()


def test_a_folder_that_can_t_be_made_and_no_pictures_are_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("here")
    ended = run("-m", "model.drawn", tmp_path / "file")
    assert ended.returncode == 1
    assert ended.stderr == (
        f"python -m model.drawn: {tmp_path / 'file'} can't be a folder: a file is in the way.\n"
    )
    with pytest.raises(SystemExit):
        drawn.main([str(tmp_path), "--pictures", "0"])
    assert capsys.readouterr().err.endswith("error: --pictures must be at least 1\n")
