"""The model card of a bundle, written from its description."""

from huggingface_hub import ModelCardData

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
    )
    photos = "\n".join(
        "| " + " | ".join(str(row[key]) for key in ("class", "photos", "leaves", *SPLITS)) + " |"
        for row in training["photos"]
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

`model.tflite` does the same with LiteRT, and adds heat maps (HiResCAM).
"""


def figures_table(description: dict) -> str:
    """Return the figures of each set as a Markdown table, shares with their 95 % intervals."""
    columns = ["set", "photos", "leaves", "accuracy", "macro recall", "answered", "right among these"]
    columns += ["confidently wrong", "others", "declined"]
    rows = [_row(name, figures) for name, figures in description["figures"].items()]
    return "\n".join(["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|", *rows])


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
