"""The model card of a bundle, written from its description."""

import re
from pathlib import PurePosixPath

from huggingface_hub import EvalResult, ModelCardData, RepoCard

from model.data import SPLITS
from model.diseases import related_folders
from model.names import POTATO_FOLDER

START = "<!-- Written by Blightcheck from here on; what you write above stays. -->"
END = "<!-- Written by Blightcheck up to here; what you write below stays. -->"


def model_card(description: dict, repo: str = "user/repo") -> str:
    """Return the card, README.md of a model repo: limits, figures with intervals, how to use it.

    `description` is bundle.json's content, `repo` the Hub id that the card's examples are to name.
    """
    labels = [name["label"] for name in description["classes"]]
    names, figures, training = ", ".join(labels), description["figures"], description["training"]
    tags, leaf, its_leaf = ["agriculture", "plant-disease"], "leaf", "leaf of its classes"
    if all(POTATO_FOLDER.match(name["folder"]) for name in description["classes"]):
        leaf = its_leaf = "potato leaf"
        tags.append("potato")
    front = ModelCardData(
        license=description.get("license"),
        datasets=_datasets(training["settings"]),
        library_name="keras",
        pipeline_tag="image-classification",
        tags=[*tags, "litert"],
        metrics=["accuracy", "recall"],
        model_name="Blightcheck",
        eval_results=_results(figures),
    )
    photos = "\n".join(
        _cells(*(row[key] for key in ("class", "photos", "leaves", *SPLITS))) for row in training["photos"]
    )
    libraries = ", ".join(f"{name} {version}" for name, version in training["libraries"].items())
    size, thresholds = description["image_size"], description["thresholds"]
    licence, no_others = "", ""
    if "license" in description:
        licence = f"\nLicence of this model: {description['license']}.\n"
    if len(training["outputs"]) == len(labels):
        no_others = (
            "- It knows no pictures of other things: it takes **every picture for one of its classes**.\n"
        )
    kin = related_folders(training["outputs"], len(labels))
    calibration = _calibration(figures)
    pictures = _pictures(description.get("files", {}))
    fingerprint = training["fingerprint"][:16]
    epochs, minutes, best = training["epochs"], training["minutes"], training["best_epoch"]
    epochs = f"{epochs} epoch{'s' * (epochs != 1)}"
    return f"""---
{front.to_yaml()}
---

{START}

# Blightcheck: {names}

A small convolutional network that tells {names} apart on a photo of a
{leaf}, and says when it can't tell.

## Intended use

For growers, advisers and students who look at a photo of one leaf that fills the picture, in daylight. It
advises; it does not replace a look at the plant or an expert.

## Limits

- It knows {names} and nothing else: other diseases, pests and deficiencies may be called one
  of these.
- Figures on photos like those it was trained on say little about another camera or a field; compare the
  sets below.
{no_others}- Two answers name no class: "Not a potato leaf", if the probability of a {its_leaf} is below
  {thresholds["leaf"]:.2f}, and else "Unsure", if that times the probability of the likeliest class is below
  {thresholds["confidence"]:.2f}. The first limit is a quarter or less, the second was chosen on validation
  photos; some pictures of other things will still get a diagnosis.

## How good it is

{figures_table(description)}

In brackets are 95 % intervals, which count leaves, not photos, as trials. "Accuracy" is the share of photos
of its classes whose likeliest class is right, answered or not, "macro recall" the mean of that share over the
classes;
"answered" are those that get a diagnosis, "confidently wrong" wrong ones of over 90 %; "others" are pictures
of other things, "declined" those that get no diagnosis. No leaf is in two of training, validation and test,
as far as file names and near-identical photos tell.
Printed by the training command below.

{classes_table(description)}

{calibration}{pictures}
## Data

| class folder | photos | leaves | training | validation | test |
|---|---|---|---|---|---|
{photos}

{_sources(training)}
{kin}

Fingerprint of the photos: `{fingerprint}`.
{licence}
## How it was trained

    {training["command"]}

{epochs} in {minutes} minutes, the best being number {best}.
Libraries: {libraries}.

## How to use it

The page and the REST API, with the Blightcheck project:

    MODEL_REPO={repo} python app.py                         # the page, at http://127.0.0.1:7860
    curl -F file=@leaf.jpg http://127.0.0.1:7860/predict    # the same answer as JSON

In Keras, `photos` being centre squares, as wide as the shorter side, scaled to {size} pixels: uint8
`[n, {size}, {size}, 3]`, RGB, 0 to 255:

    import keras
    model = keras.saving.load_model("hf://{repo}")
    model.predict(photos)["probabilities"]  # [n, {len(labels)}]: {names}

With LiteRT, which needs no TensorFlow, and which adds heat maps (LayerCAM):

    from ai_edge_litert.interpreter import Interpreter
    from huggingface_hub import hf_hub_download
    run = Interpreter(model_path=hf_hub_download("{repo}", "model.tflite")).get_signature_runner()
    answer = run(input=photos[:1])
    answer["probabilities"], answer["leaf"], answer["heat"]  # [1, K], [1], [1, h, w, K]

{END}
"""


def updated(card: str, generated: str, earlier: str | None = None) -> str:
    """Return `card` with its generated part, and the front matter's generated keys, as in `generated`.

    All else, which somebody wrote by hand, stays; in a card without a generated part, below it, and in a list
    of the front matter, such as tags, behind it. `earlier` is what was generated last time: what comes from
    there alone goes. Raises ValueError or yaml.YAMLError if the front matter of `card` can't be read.
    """
    old, new = RepoCard(card), RepoCard(generated)
    last = RepoCard(earlier).data.to_dict() if earlier else {}
    for key in old.data.to_dict() | new.data.to_dict():
        old.data[key] = _merged(old.data.get(key), new.data.get(key), last.get(key))
    before, start, rest = old.text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        before, after = "\n", "\n\n" + old.text.lstrip()
    written = START + new.text.partition(START)[2].partition(END)[0] + END
    old.text = before + written + after
    return str(old)


def _merged(there: object, generated: object, earlier: object) -> object:
    """Return a value of the front matter; None, which is left out, if only `earlier` has it."""
    if all(_is_words(value) for value in (there, generated or [], earlier or [])):
        known = [*(generated or []), *(earlier or [])]
        return [*(generated or []), *(word for word in there if word not in known)] or None
    return there if generated is None and there != earlier else generated


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _calibration(figures: dict) -> str:
    """Return a paragraph on how far probabilities can be trusted; nothing if nothing was answered."""
    errors = "; ".join(
        f"{name} {row['calibration_error']:.1%}"
        for name, row in figures.items()
        if "calibration_error" in row
    )
    return errors and (
        '"Calibration error" (ECE, 15 bins) is how far, on average, the probability given to an answer is\n'
        f"from the share of such answers that are right:\n{errors}.\n"
    )


def headline(description: dict) -> str:
    """Return the key figures in a line."""
    name, figures = next(iter(description["figures"].items()))
    parts = [f"{figures['accuracy']:.1%} right on {name}"] if "accuracy" in figures else []
    if "not_potato" in figures:
        parts.append(f"{figures['not_potato']['declined']:.1%} of other pictures declined")
    return "Blightcheck model: " + ", ".join(parts).replace("%", " %")


def figures_table(description: dict) -> str:
    """Return the figures of each set as a Markdown table, shares with their 95 % intervals."""
    columns = ["set", "photos", "leaves", "accuracy", "macro recall", "answered", "right among these"]
    columns += ["confidently wrong", "others", "declined"]
    rows = [_row(name, figures) for name, figures in description["figures"].items()]
    return "\n".join(["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|", *rows])


def classes_table(description: dict) -> str:
    """Return each class's figures in each set as a Markdown table."""
    rows = [
        _cells(name, label, one["support"], f"{one['precision']:.1%}", _share(one, "recall"))
        for name, figures in description["figures"].items()
        for label, one in figures.get("classes", {}).items()
    ]
    return "\n".join(["| set | class | photos | precision | recall |", "|---" * 5 + "|", *rows])


def _datasets(settings: dict) -> list[str] | None:
    """Return the Hub's ids of those sources that are data sets there."""
    sources = [*settings["data"], *settings["not_potato"]]
    return [source.removeprefix("hf:") for source in sources if source.startswith("hf:")] or None


def _pictures(files: dict) -> str:
    """Return Markdown that shows the bundle's plots."""
    plots = [PurePosixPath(name) for name in files if name.startswith("figures/")]
    return "".join(f"\n![{plot.stem.replace('-', ' ').capitalize()}]({plot})\n" for plot in plots)


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
    size = [figures.get(key, "-") for key in ("photos", "leaves")]
    return _cells(name, *size, *cells, others.get("photos", "-"), _share(others, "declined"))


def _sources(training: dict) -> str:
    """Return a table of where the photos come from; nothing for a bundle of before that was told."""
    rows = [_cells(row["source"], row["photos"], row["leaves"]) for row in training.get("sources", [])]
    return "\n".join(["| source | photos | leaves |", "|---" * 3 + "|", *rows, ""]) if rows else ""


def _cells(*values: object) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(str(value).replace("|", r"\|") for value in values) + " |"


def _share(figures: dict, key: str) -> str:
    if key not in figures:
        return "-"
    low, high = figures[key + "_interval"]
    return f"{figures[key]:.1%} ({low:.1%} to {high:.1%})"
