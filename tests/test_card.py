"""The model card says what bundle.json says, in a form the Hub understands."""

import json

import pytest
from huggingface_hub import ModelCard, constants

from model import bundle, card


@pytest.fixture
def description() -> dict:
    return json.loads((bundle.DEFAULT / "bundle.json").read_text())


def test_a_card_has_the_figures_and_valid_metadata(description):
    written = ModelCard(card.model_card(description))
    assert written.data.library_name == "keras"
    figures = {name: row for name, row in description["figures"].items() if "accuracy" in row}
    results = {(r.dataset_name, r.metric_type): r.metric_value for r in written.data.eval_results}
    assert results == {
        (name, metric): round(row[key], 4)
        for name, row in figures.items()
        for key, metric in (("accuracy", "accuracy"), ("macro_recall", "recall"))
    }
    for name, row in figures.items():
        for label, one in row["classes"].items():
            assert f"| {name} | {label} | {one['support']} | {one['precision']:.1%} |" in written.text
    headings = [line for line in written.text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Intended use",
        "## Limits",
        "## How good it is",
        "## Data",
        "## How it was trained",
        "## How to use it",
    ]


def test_a_card_tells_where_the_photos_come_from_if_the_bundle_does(description):
    told = "| ../shared/data/PLD | 2550 | 2534 |"
    assert told in card.model_card(description)
    del description["training"]["sources"]  # as in bundles of before
    assert told not in card.model_card(description)


def test_one_epoch_is_one_epoch(description):
    training = description["training"] | {"epochs": 1, "minutes": 2.5, "best_epoch": 1}
    written = card.model_card(description | {"training": training})
    assert "\n1 epoch in 2.5 minutes, the best being number 1.\n" in written


def test_a_card_has_licence_data_sets_and_plots_and_the_hub_takes_it(description, hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    description["training"]["settings"] |= {"data": ["mine", "hf:someone/leaves"], "not_potato": ["hf:a/b"]}
    written = ModelCard(card.model_card(description | {"license": "cc-by-4.0"}, "someone/leaf"))
    written.validate()
    assert written.data.license == "cc-by-4.0"
    assert written.data.datasets == ["someone/leaves", "a/b"]
    assert "Licence of this model: cc-by-4.0." in written.text
    assert "hf://someone/leaf" in written.text and "user/repo" not in written.text
    for name in ("figures/confusion.png", "figures/learning-curves.png"):
        assert f"]({name})" in written.text
        assert (bundle.DEFAULT / name).is_file()
    with pytest.raises(ValueError, match="must be one of"):
        ModelCard(card.model_card(description | {"license": "none of yours"})).validate()


def test_what_was_written_by_hand_stays(description):
    before = card.model_card(description)
    assert card.updated(before, before) == before
    edited = before.replace("tags:", "license: mit\nco2: 3\ntags:\n- mine", 1)
    edited = edited.replace(card.START, f"# My leaves\n\n{card.START}") + "\nThanks to all.\n"
    edited = edited.replace("advises;", "knows all;")
    training = description["training"] | {"epochs": 99}
    after = ModelCard(card.updated(edited, card.model_card(description | {"training": training})))
    assert after.text.startswith("\n# My leaves\n\n" + card.START)
    assert after.text.endswith(card.END + "\n\nThanks to all.\n")
    assert "99 epochs" in after.text
    assert "advises;" in after.text and "knows all;" not in after.text  # inside the marks we write
    assert (after.data.license, after.data["co2"]) == ("mit", 3)
    assert after.data.tags == [*ModelCard(before).data.tags, "mine"]


def test_what_only_the_card_before_was_given_goes(description):
    settings = description["training"]["settings"]
    training = description["training"] | {"settings": settings | {"data": ["hf:owner/old"]}}
    before = card.model_card(description | {"training": training, "license": "mit"})
    after = ModelCard(card.updated(before, card.model_card(description), before)).data
    assert (after.license, after.datasets) == (None, None)
    mine = before.replace("owner/old", "owner/mine").replace("license: mit", "license: cc-by-4.0")
    after = ModelCard(card.updated(mine, card.model_card(description), before)).data
    assert (after.license, after.datasets) == ("cc-by-4.0", ["owner/mine"])
    both = before.replace("- owner/old", "- owner/old\n- owner/mine")
    after = ModelCard(card.updated(both, card.model_card(description), before)).data
    assert (after.license, after.datasets) == (None, ["owner/mine"])
    training = description["training"] | {"settings": settings | {"data": ["hf:owner/new"]}}
    newer = card.model_card(description | {"training": training})
    assert ModelCard(card.updated(both, newer, before)).data.datasets == ["owner/new", "owner/mine"]


@pytest.mark.parametrize("mine", ["# My words\n", f"# My words\n\n{card.START}\nno end\n"])
def test_a_card_without_a_generated_part_gets_one_above_its_words(description, mine):
    after = card.updated("---\nlicense: mit\n---\n" + mine, card.model_card(description))
    assert after.index("license: mit") < after.index(card.START) < after.index(card.END)
    assert after.endswith(card.END + "\n\n" + mine)


def test_the_licence_given_to_a_training_and_its_plots_are_in_its_card(tiny):
    written = ModelCard.load(tiny / "README.md")
    assert written.data.license == bundle.read(tiny).description["license"] == "cc-by-4.0"
    assert "--license cc-by-4.0" in written.text
    shown = {line[:-1].split("](")[1] for line in written.text.splitlines() if line.startswith("![")}
    assert shown == {path.relative_to(tiny).as_posix() for path in (tiny / "figures").iterdir()} != set()


def test_a_card_warns_of_a_model_that_was_shown_no_other_things(description):
    warning = "it takes **every picture for one of its classes**"
    assert warning not in card.model_card(description)
    folders = [name["folder"] for name in description["classes"]]
    training = description["training"] | {"outputs": folders}
    assert warning in card.model_card(description | {"training": training})


def test_a_card_says_potato_only_of_potatoes_and_how_many_photos_there_are(description):
    row = description["training"]["photos"][0]
    counts = " | ".join(str(row[key]) for key in ("photos", "leaves", "train", "validation", "test"))
    assert f"| {row['class']} | {counts} |" in card.model_card(description)
    assert "potato" in ModelCard(card.model_card(description)).data.tags
    classes = [{"folder": "Tomato___blight", "label": "Tomato blight"}, *description["classes"][1:]]
    mixed = ModelCard(card.model_card(description | {"classes": classes}))
    assert "potato" not in mixed.data.tags
    assert "potato leaf is below" not in " ".join(mixed.text.split())
