"""A training's command line, as settings; and the command that would make its model again."""

import argparse
import os
import shlex
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from model import data, disk, evaluation

_caches = disk.at_home(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
# In a container there may be no home.
DEFAULT_CACHE = Path(tempfile.gettempdir() if _caches.startswith("~") else _caches) / "blightcheck"
LARGEST = 1024  # pixels of an input's side


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that determines a training's result; a resumed training must have the same.

    Bundles keep them, so a setting added later needs a default, which stands for what was done before.
    """

    data: list[str]
    not_potato: list[str]
    classes: list[str]
    validation: float
    test: float
    image_size: int
    precision: str = "float32"
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    patience: int
    seed: int
    start_from: str | None
    teacher: list[str] = field(default_factory=list)


def parse(argv: list[str]) -> tuple[Settings, argparse.Namespace]:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train the potato leaf model.",
        allow_abbrev=False,
        epilog="A SOURCE is kaggle:owner/set, hf:owner/set, or a folder that holds a folder per class.",
    )

    def add(group, name: str, default, text: str, **more) -> None:
        if "action" not in more and isinstance(default, int | float):
            more["type"] = type(default)
        if "action" not in more and default:
            shown = " ".join(default) if isinstance(default, list) else str(default)
            text += f" (default: {shown.replace('%', '%%')})"
        group.add_argument(name, default=default, help=text, **more)

    photos = parser.add_argument_group("photos")
    many = {"metavar": "SOURCE", "action": "append"}
    add(photos, "--data", None, f"labelled photos; may be repeated (default: {data.PLANT_VILLAGE})", **many)
    add(photos, "--not-potato", [], "photos without potato leaves, to be declined; may be repeated", **many)
    many = {"metavar": "NAME=SOURCE", "action": "append"}
    add(photos, "--evaluate", [], "one more set to measure on; may be repeated", **many)
    add(
        photos,
        "--classes",
        data.POTATO_CLASSES,
        "names or patterns of the folders to tell apart; all others are examples of other things",
        nargs="+",
    )
    add(photos, "--validation", 0.15, "share of the leaves to choose the best epoch and the thresholds on")
    add(photos, "--test", 0.15, "share of the leaves to measure on")
    add(photos, "--cache", str(DEFAULT_CACHE), "folder for decoded photos")
    fitting = parser.add_argument_group("fitting")
    add(fitting, "--epochs", 40, "times to go through the photos")
    add(fitting, "--batch-size", 32, "photos in a step")
    add(fitting, "--image-size", 160, "side of the model's input in pixels, a multiple of 32")
    add(
        fitting,
        "--precision",
        "float32",
        "number format; mixed_bfloat16 is faster on processors that have it (avx512_bf16, amx_bf16)",
        choices=["float32", "mixed_bfloat16"],
    )
    add(fitting, "--learning-rate", 6e-3, "the highest, after one epoch; it then falls to 0 along a cosine")
    add(fitting, "--weight-decay", 0.02, "how much the weights shrink in each step, times the learning rate")
    add(fitting, "--label-smoothing", 0.05, "share of each label that is spread over all classes")
    add(fitting, "--patience", 15, "epochs without a lower validation cross-entropy before stopping")
    add(fitting, "--seed", 1, "of split, weights and order; two runs on one machine give the same model")
    add(
        fitting,
        "--start-from",
        None,
        "model to start from: default, a folder, or USER/REPO",
        metavar="BUNDLE",
    )
    add(
        fitting,
        "--teacher",
        [],
        "trained model whose answers to learn as well, trained on folders of the same names; may be repeated",
        metavar="BUNDLE",
        action="append",
    )
    result = parser.add_argument_group("result")
    add(
        result,
        "--folds",
        0,
        "cross-validate: times to train, each tested on other leaves, instead of writing a bundle; 0: don't",
    )
    add(result, "--logs", None, "folder for logs of the epochs, for TensorBoard", metavar="FOLDER")
    add(result, "--out", "leaf-model", "folder of the bundle; an earlier one is replaced", metavar="FOLDER")
    add(result, "--resume", False, "continue the training that was interrupted", action="store_true")
    add(result, "--license", None, "licence of the model, as the Hub calls it: mit, cc-by-4.0, ...")
    add(result, "--push", None, "Hugging Face model repo to upload the bundle to", metavar="USER/REPO")
    add(result, "--private", False, "make the repo private if it is new", action="store_true")
    add(
        result,
        "--force",
        False,
        "upload it even if the model there is better, or one of another program",
        action="store_true",
    )
    options = parser.parse_args(argv)
    for word in shlex.split(command(argv)):  # now, and not after all epochs
        if (shown := disk.printable(word)) != word:
            parser.error(f"{shown} is not valid UTF-8, as it must be for the model's card; please rename it")
    options.data = options.data or [data.PLANT_VILLAGE]
    for name in ("cache", "logs", "out"):
        if place := getattr(options, name):
            setattr(options, name, str(Path(disk.at_home(place))))  # without a slash at its end
    _check(parser, options)
    settings = Settings(**{setting.name: getattr(options, setting.name) for setting in fields(Settings)})
    return settings, options


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the program with a sentence if an argument, or two together, make no sense."""
    if options.image_size % 32 or options.image_size > LARGEST:
        parser.error(f"--image-size must be a multiple of 32, at most {LARGEST}")
    if min(options.epochs, options.batch_size, options.patience, options.image_size) < 1:
        parser.error("--epochs, --batch-size, --patience and --image-size must be at least 1")
    if not (min(options.validation, options.test) > 0 and options.validation + options.test < 1):
        parser.error("--validation and --test must be above 0 and together below 1")
    if not (options.learning_rate > 0 and options.weight_decay >= 0 and 0 <= options.label_smoothing < 1):
        parser.error(
            "--learning-rate must be above 0, --weight-decay at least 0, --label-smoothing from 0 to below 1"
        )
    if options.folds and (options.folds < 2 or options.push or options.evaluate):
        parser.error("--folds takes at least 2, and no --push or --evaluate: it writes figures, no bundle")
    evaluated = [named.split("=", 1)[-1] for named in options.evaluate]
    if "" in (*options.data, *options.not_potato, *options.teacher, *evaluated, options.start_from):
        parser.error("a SOURCE or a BUNDLE needs a name")
    sources = [*options.data, *options.not_potato]
    places = [Path(disk.at_home(source)).resolve() for source in sources]
    if twice := [source for source, place in zip(sources, places, strict=True) if places.count(place) > 1]:
        parser.error(f"{' and '.join(twice)} are one SOURCE; --data and --not-potato take each once")
    for name in filter(None, (options.cache, options.logs)):
        place = Path(name).absolute()
        there = next(folder for folder in (place, *place.parents) if folder.exists())
        if not there.is_dir():
            parser.error(f"{there} is a file; --cache and --logs take folders")
        if not os.access(there, os.W_OK):
            parser.error(f"{there} can't be written; --cache and --logs take folders that can")
    if not 0 <= options.seed < 2**32:
        parser.error("--seed must be from 0 to 4294967295")
    names = {named.split("=", 1)[0] for named in options.evaluate if "=" in named} - {""}
    if len(names) != len(options.evaluate) or any(name.startswith(evaluation.HELD_OUT) for name in names):
        parser.error(
            "--evaluate takes NAME=SOURCE, such as field=my_field_photos, each with a name of its own, and "
            f'none that begins with "{evaluation.HELD_OUT}"'
        )
    options.evaluate = dict(named.split("=", 1) for named in options.evaluate)


def public(source: str) -> str:
    """Name a source without telling where on this machine an absolute path, or one with ~, leads."""
    place = Path(disk.at_home(source))
    return place.name if place.is_absolute() else source


def public_names(sources: Iterable[str]) -> dict[str, str]:
    """Name sources to be published, each otherwise: a second one of the same name gets a number."""
    names, times = {}, Counter()
    for source in dict.fromkeys(sources):
        name = public(source)
        times[name] += 1
        names[source] = name if times[name] == 1 else f"{name} ({times[name]})"
    return names


def public_settings(settings: Settings) -> dict:
    """Return settings to be published, their sources named without where on this machine they lie."""
    sources = {
        key: [public(source) for source in getattr(settings, key)]
        for key in ("data", "not_potato", "teacher")
    }
    start = settings.start_from and public(settings.start_from)
    return asdict(settings) | sources | {"start_from": start}


def command(argv: list[str]) -> str:
    """Return the command that makes this model again, without what only concerns this machine or this run."""
    whole = (argument.split("=", 1) if argument.startswith("--") else [argument] for argument in argv)
    words = iter([word for parts in whole for word in parts])
    kept, option = [], ""
    for word in words:
        if word in ("--cache", "--push", "--logs"):
            next(words)
        elif word not in ("--resume", "--private", "--force"):
            option = word if word.startswith("--") else option
            parts = word.split("=", 1) if option == "--evaluate" else [word]
            kept.append("=".join(map(public, parts)))
    return shlex.join(["python", "train.py", *kept])
