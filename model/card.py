"""The model card of a bundle, written from its description."""

import re

from huggingface_hub import EvalResult, ModelCardData

SPLITS = ("train", "validation", "test")


def model_card(description: dict) -> str:
    """Return the card, README.md of a model repo: limits, figures with intervals, how to use it."""
    labels = [name["label"] for name in description["classes"]]
    training = description["training"]
    front = ModelCardData(
        library_name="keras",
        pipeline_tag="image-classification",
        tags=["agriculture", "plant-disease", "potato", "litert"],
        metrics=["accuracy", "recall"],
        model_name="Blightcheck",
        eval_results=_results(description["figures"]),
    )
    photos = "\n".join(
        "| " + " | ".join(str(row[key]) for key in ("class", "photos", "leaves", *SPLITS)) + " |"
        for row in training["photos"]
    )
    calibration = "; ".join(
        f"{name} {figures['calibration_error']:.1%}"
        for name, figures in description["figures"].items()
        if "calibration_error" in figures
    )
    libraries = ", ".join(f"{name} {version}" for name, version in training["libraries"].items())
    size, thresholds = description["image_size"], description["thresholds"]
    return f"""---
{front.to_yaml()}
---

# Blightcheck: {", ".join(labels)}

A small convolutional network that tells {", ".join(labels)} apart on a photo of a potato leaf, and says
when it can't tell. It advises; it does not replace a look at the plant or an expert.

## Limits

- It knows {", ".join(labels)} and nothing else: other diseases, pests and deficiencies may be called one
  of these.
- Figures on photos like those it was trained on (a lab, one camera) say little about another camera or a
  field; compare the sets below.
- "Unsure" and "not a potato leaf" are answers, chosen on validation photos (confidence at least
  {thresholds["confidence"]:.2f}, potato leaf at least {thresholds["leaf"]:.2f}); some pictures of other
  things will still be answered.

## How good it is

{figures_table(description)}

With 95 % intervals, leaves, not photos, being the trials. "Answered" means with a diagnosis; "confidently
wrong" are wrong diagnoses given over 90 %; "others" are pictures of other things, "declined" those that got
no diagnosis. No leaf is in two of training, validation and test.
Printed by the training command below.

{classes_table(description)}

"Calibration error" (ECE, 15 bins) is how far, on average, the probability given to an answer is from the
share of such answers that are right:
{calibration}.

## How it was trained

    {training["command"]}

{training["epochs"]} epochs in {training["minutes"]} minutes, the best being number {training["best_epoch"]}.
Data fingerprint `{training["fingerprint"][:16]}`; libraries {libraries}.

| class folder | photos | leaves | training | validation | test |
|---|---|---|---|---|---|
{photos}

## How to use it

The page and REST API: `MODEL_REPO=user/repo python app.py` with the Blightcheck project. In Keras, `photos`
being uint8 `[n, {size}, {size}, 3]`, RGB, 0 to 255:

    model = keras.saving.load_model("hf://user/repo")
    model.predict(photos)["probabilities"]  # [n, {len(labels)}]: {", ".join(labels)}

With LiteRT, which needs no TensorFlow, and which adds heat maps (HiResCAM):

    from ai_edge_litert.interpreter import Interpreter
    from huggingface_hub import hf_hub_download
    run = Interpreter(model_path=hf_hub_download("user/repo", "model.tflite")).get_signature_runner()
    answer = run(input=photos[:1])
    answer["probabilities"], answer["leaf"], answer["heat"]  # [1, K], [1], [1, h, w, K]
"""


def figures_table(description: dict) -> str:
    """Return the figures of each set as a Markdown table, shares with their 95 % intervals."""
    columns = ["set", "photos", "leaves", "accuracy", "macro recall", "answered", "right among these"]
    columns += ["confidently wrong", "others", "declined"]
    rows = [_row(name, figures) for name, figures in description["figures"].items()]
    return "\n".join(["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|", *rows])


def classes_table(description: dict) -> str:
    """Return each class's figures in each set as a Markdown table."""
    rows = [
        f"| {name} | {label} | {one['support']} | {one['precision']:.1%} | {_share(one, 'recall')} |"
        for name, figures in description["figures"].items()
        for label, one in figures.get("classes", {}).items()
    ]
    return "\n".join(["| set | class | photos | precision | recall |", "|---" * 5 + "|", *rows])


def _results(figures: dict) -> list[EvalResult]:
    """Return the figures for the model-index that the Hub shows beside a card."""
    return [
        EvalResult(
            task_type="image-classification",
            dataset_type=re.sub(r"\W+", "-", name).strip("-").lower(),
            dataset_name=name,
            metric_type=metric,
            metric_name=title,
            metric_value=round(row[key], 4),
        )
        for name, row in figures.items()
        for key, metric, title in (
            ("accuracy", "accuracy", "Accuracy"),
            ("macro_recall", "recall", "Macro recall"),
        )
        if key in row
    ]


def _row(name: str, figures: dict) -> str:
    shares = ("accuracy", "macro_recall", "answered", "accuracy_answered", "confidently_wrong")
    cells = [_share(figures, key) for key in shares]
    others = figures.get("not_potato", {})
    size = [str(figures.get(key, "-")) for key in ("photos", "leaves")]
    cells = [name, *size, *cells, str(others.get("photos", "-")), _share(others, "declined")]
    return "| " + " | ".join(cells) + " |"


def _share(figures: dict, key: str) -> str:
    if key not in figures:
        return "-"
    low, high = figures[key + "_interval"]
    return f"{figures[key]:.1%} ({low:.1%} to {high:.1%})"
