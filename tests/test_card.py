"""The model card says what bundle.json says, in a form the Hub understands."""

import json

from huggingface_hub import ModelCard

from model import bundle, card


def test_a_card_has_the_figures_and_valid_metadata():
    description = json.loads((bundle.DEFAULT / "bundle.json").read_text())
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
    assert written.text.index("## Limits") < written.text.index("## How good it is")
