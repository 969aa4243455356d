import json
import re
import shutil
from dataclasses import asdict

import pytest
from conftest import TINY, run, run_here, weights_of
from drawing import draw_set
from PIL import Image

import train
from model import bundle, hub, settings
from model.classifier import Classifier


def test_a_bundle_says_how_it_was_made_and_how_good_it_is(tiny):
    description = json.loads((tiny / "bundle.json").read_text())
    training, figures = description["training"], description["figures"]["held-out leaves"]
    assert training["command"].startswith("python train.py --data set ")
    assert {row["class"]: row["photos"] for row in training["photos"]} == {
        "Potato___Early_blight": 40,
        "Potato___Late_blight": 40,
        "Potato___healthy": 40,
        "2 other folders": 80,
    }
    assert figures["accuracy"] >= 0.9  # drawn leaves are easy, or something is broken
    assert figures["not_potato"]["declined"] >= 0.8
    for plot in ("learning-curves.png", "confusion.png", "reliability.png"):
        assert (tiny / "figures" / plot).stat().st_size > 1000
    card = (tiny / "README.md").read_text()
    assert card.startswith("---\n")
    assert "## Limits" in card
    assert f"{figures['accuracy']:.1%}" in card


def test_other_classes_more_sources_and_more_sets(tiny, drawn_photos, cache, tmp_path):
    for name, leaves in (("train", 3), ("test", 2)):  # two of the three leaves are in both
        draw_set(tmp_path / "given" / name, leaves, ("Potato___healthy", "Tomato___healthy"))
    held_out = tmp_path / "given" / "test"  # one photo under two labels: one of them must be a mistake
    shutil.copy(held_out / "Tomato___healthy" / "001.jpg", held_out / "Potato___healthy" / "tomato.jpg")
    ended = run(
        *("train.py", "--data", drawn_photos, "--data", tmp_path / "given"),
        *("--not-potato", drawn_photos / "scenes", "--cache", cache),
        *("--classes", "Tomato___*", "Potato___healthy", "--evaluate", f"again={drawn_photos}"),
        *("--start-from", tiny, "--epochs", "1", *TINY[:2], "--out", tmp_path / "out"),
        *("--precision", "mixed_bfloat16"),
    )
    assert ended.returncode == 0, ended.stderr
    assert f"{tmp_path}/given comes split into train, test, and stays so; validation" in ended.stdout
    assert f"Warning: 4 photos in train of {tmp_path}/given show leaves also in test" in ended.stdout
    assert "again: 80 photos of 80 leaves and 120 other pictures" in ended.stdout
    assert "Warning: 200 photos of again are also in the training sources" in ended.stdout
    assert f"Warning: {tiny} may have been trained on leaves that are held out now; " in ended.stdout
    read = bundle.read(tmp_path / "out")
    assert [name.folder for name in read.classes] == ["Potato___healthy", "Tomato___healthy"]
    assert [name.label for name in read.classes] == ["Healthy", "Tomato healthy"]
    assert {str(weights.dtype) for weights in weights_of(tmp_path / "out").values()} == {"float32"}
    assert Classifier(read).diagnose(held_out / "Potato___healthy" / "001.jpg").severity is None
    assert str(tmp_path) not in (tmp_path / "out" / "bundle.json").read_text()
    assert re.search(
        r"Wrote the (worst mistake|(?!1 )\d+ worst mistakes) to \S*out.mistakes.png, never to be published",
        ended.stdout,
    )
    with Image.open(tmp_path / "out.mistakes.png") as sheet:
        assert min(sheet.size) > 100
    assert not [path for path in (tmp_path / "out").rglob("*") if "mistakes" in path.name]
    assert "mistakes" not in (tmp_path / "out" / "bundle.json").read_text()
    assert set(read.description["figures"]) == {
        "held-out leaves",
        "held-out leaves of set",
        "held-out leaves of given",
        "held-out leaves of scenes",
        "again",
    }


def test_mistakes_are_told_in_one_sentence():
    ended = run_here("train.py", "--data", "nowhere")
    assert ended.returncode != 0
    sentence = "There is no folder nowhere; give a folder, kaggle:owner/set or hf:owner/set."
    assert ended.stderr.strip().splitlines()[-1] == f"train.py: {sentence}"
    assert "Traceback" not in ended.stderr


def test_too_few_photos_to_measure_fine_tuning_are_one_sentence(tmp_path):
    known = [name.folder for name in bundle.read(bundle.DEFAULT).classes]
    draw_set(tmp_path / "set", 2, known)
    ended = run("tests/bench/finetune.py", bundle.DEFAULT, tmp_path / "set")
    lacking = ", ".join(sorted(known))
    assert ended.stderr == (
        f"finetune.py: {tmp_path / 'set'} has too few photos of {lacking}; add some, or lower --photos.\n"
    )


def test_two_sources_of_one_name_keep_apart():
    assert settings.public_names(["/lab/potato", "mine", "/field/potato", "/lab/potato"]) == {
        "/lab/potato": "potato",
        "mine": "mine",
        "/field/potato": "potato (2)",
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--image-size", "100"], "--image-size must be a multiple of 32"),
        (["--image-size", "100000000032"], "--image-size must be a multiple of 32, at most 1024"),
        (["--data", "x", "--not-potato", "./x/"], "x and ./x/ are one SOURCE; --data and --not-potato take"),
        (["--evaluate", "x"], "--evaluate takes NAME=SOURCE, such as field=my_field_photos"),
        (["--evaluate", "held-out leaves=x"], 'and none that begins with "held-out leaves"'),
        (["--seed", "-1"], "--seed must be from 0 to 4294967295"),
        (["--data", ""], "a SOURCE or a BUNDLE needs a name"),
        (["--teacher", "default", "--teacher", ""], "a SOURCE or a BUNDLE needs a name"),
        (["--logs", __file__], "is a file; --cache and --logs take folders"),
        (["--evaluate", "field="], "a SOURCE or a BUNDLE needs a name"),
        (["--test", "0"], "--validation and --test must be above 0 and together below 1"),
        (
            ["--validation", "0.5", "--test", "0.5"],
            "--validation and --test must be above 0 and together below 1",
        ),
        (["--folds", "1"], "--folds takes at least 2, and no --push or --evaluate"),
        (["--learning-rate", "0"], "--learning-rate must be above 0, --weight-decay at least 0"),
        (
            ["--folds", "5", "--push", "me/leaf"],
            "--folds takes at least 2, and no --push or --evaluate: it writes figures, no bundle",
        ),
        (["--patience", "0"], "--epochs, --batch-size, --patience and --image-size must be at least 1"),
    ],
)
def test_wrong_arguments_are_told_in_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit):
        settings.parse(arguments)
    assert sentence in capsys.readouterr().err.strip().splitlines()[-1]


def test_settings_kept_before_there_was_a_choice_of_precision_are_read():
    known = asdict(settings.parse([])[0])
    assert known.pop("precision") == "float32"
    assert settings.Settings(**known) == settings.parse([])[0]


def test_the_help_names_every_default(capsys):
    with pytest.raises(SystemExit):
        settings.parse(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for words in ("times to go through the photos (default: 40)", "(default: 32)", "--resume", "--push"):
        assert words in text


def test_the_command_kept_is_the_one_that_makes_the_model_again():
    typed = [
        "--data=/home/me/set",
        "--cache",
        "/tmp/c",
        "--resume",
        "--push",
        "me/leaf",
        "--evaluate",
        "a=/home/b",
    ]
    assert settings.command(typed) == "python train.py --data set --evaluate a=b"


def test_the_command_kept_tells_no_part_of_an_absolute_path():
    typed = ["--data", "/home/a=b/secret/photos", "--evaluate=field=/home/a=b/secret/field"]
    assert settings.command(typed) == "python train.py --data photos --evaluate field=field"


def test_nor_of_one_at_home():
    typed = ["--data=~/secret/photos", "--evaluate", "field=~/secret/field", "--out=~/m"]
    assert settings.command(typed) == "python train.py --data photos --evaluate field=field --out m"


def test_nothing_that_is_published_tells_where_on_this_machine_it_was():
    typed = ["--data", "/home/me/set", "--not-potato", "/home/me/other", "--teacher", "/home/me/t"]
    typed += ["--start-from", "/home/me/old", "--logs", "/tmp"]
    public = settings.public_settings(settings.parse(typed)[0])
    assert [public[key] for key in ("data", "not_potato", "teacher", "start_from")] == [
        ["set"],
        ["other"],
        ["t"],
        "old",
    ]
    assert "/" not in str(public.values())
    assert settings.command(typed) == (
        "python train.py --data set --not-potato other --teacher t --start-from old"
    )


def test_a_repo_that_can_t_be_one_is_told_before_the_work():
    for repo, called in (("leaf", "leaf"), ("", "A blank name"), ("a/b/c", "a/b/c")):
        with pytest.raises(hub.HubError, match=f"^{called} is not a Hub id like user/repo"):
            train.main(["--push", repo])


def test_a_slash_behind_a_folder_s_name_changes_nothing():
    assert settings.parse(["--out", "mine/"])[1].out == "mine"
