"""Train the potato leaf model: photos -> a fitted CNN, measured -> a bundle -> (a Hugging Face model repo).

    python train.py                                       the PlantVillage set from Kaggle
    python train.py --data my_photos --epochs 40          one's own, one folder a class
    python train.py --resume                              after an interruption, with the same arguments
    python train.py --push someone/potato-leaf            and publish what was trained

Reads from top to bottom: gather, split by leaf, build, fit, measure, export, write, push.
"""

import argparse
import hashlib
import importlib.metadata
import os
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from model import bundle, card, cnn, data, dataset, evaluation, export, hub, pixels, plots
from model.checkpoint import Checkpoint, ResumeError
from model.dataset import OTHER, Dataset


@dataclass(frozen=True)
class Settings:
    """All that decides what a training gives; a resumed one must have the same."""

    data: list[str]
    not_potato: list[str]
    classes: list[str]
    validation: float
    test: float
    image_size: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    patience: int
    seed: int
    start_from: str | None


def parse(argv: list[str]) -> tuple[Settings, argparse.Namespace]:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train the potato leaf model.",
        allow_abbrev=False,
        epilog="A SOURCE is a folder with a folder of photos a class, kaggle:owner/set or hf:owner/set.",
    )

    def add(group, name: str, default, text: str, **more) -> None:
        kind = (
            {}
            if "action" in more or default is None or isinstance(default, list)
            else {"type": type(default)}
        )
        shown = " ".join(default) if isinstance(default, list) else default
        suffix = "" if shown in (None, "") or "action" in more else f" (default: {shown})"
        group.add_argument(name, default=default, help=text + suffix, **kind, **more)

    photos = parser.add_argument_group("photos")
    add(
        photos,
        "--data",
        None,
        f"labelled photos (default: {data.PLANT_VILLAGE})",
        metavar="SOURCE",
        action="append",
    )
    add(photos, "--not-potato", [], "photos of other things", metavar="SOURCE", action="append")
    add(photos, "--evaluate", [], "one more set to measure on", metavar="NAME=FOLDER", action="append")
    add(
        photos,
        "--classes",
        data.POTATO_CLASSES,
        "folders to tell apart; all others are other things",
        nargs="+",
    )
    add(photos, "--validation", 0.15, "share of the leaves to choose the best epoch and the thresholds on")
    add(photos, "--test", 0.15, "share of the leaves to measure on")
    add(photos, "--cache", str(pixels.default_cache()), "folder for decoded photos")
    fitting = parser.add_argument_group("fitting")
    add(fitting, "--epochs", 40, "times to go through the photos")
    add(fitting, "--batch-size", 32, "photos in a step")
    add(fitting, "--image-size", 160, "side of the model's input in pixels, a multiple of 32")
    add(fitting, "--learning-rate", 2e-3, "the highest, reached after one epoch; falls along a cosine to 0")
    add(fitting, "--weight-decay", 0.02, "of AdamW")
    add(fitting, "--label-smoothing", 0.05, "share of the certainty taken off the labels")
    add(fitting, "--patience", 15, "epochs without better validation macro recall before stopping")
    add(fitting, "--seed", 1, "of the split, the weights and the order; two runs on one machine are equal")
    add(fitting, "--start-from", None, "bundle to take the weights of the features from", metavar="BUNDLE")
    result = parser.add_argument_group("result")
    add(result, "--out", "leaf-model", "folder to write the bundle to", metavar="FOLDER")
    add(result, "--resume", False, "go on with the training that was interrupted", action="store_true")
    add(result, "--push", None, "Hugging Face model repo to upload the bundle to", metavar="USER/REPO")
    add(result, "--private", False, "make the repo private if it is new", action="store_true")
    options = parser.parse_args(argv)
    options.data = options.data or [data.PLANT_VILLAGE]
    if options.image_size % 32:
        parser.error("--image-size must be a multiple of 32")
    if min(options.epochs, options.batch_size, options.patience, options.image_size) < 1:
        parser.error("--epochs, --batch-size, --patience and --image-size must be at least 1")
    names = [named.split("=", 1)[0] for named in options.evaluate if "=" in named]
    if len(set(names)) != len(options.evaluate):
        parser.error("--evaluate takes NAME=FOLDER, each time with another name")
    settings = Settings(**{name: getattr(options, name) for name in Settings.__dataclass_fields__})
    return settings, options


def gather(settings: Settings, cache: Path) -> Dataset:
    """Find and prepare the photos of all sources."""
    found = [photo for source in settings.data for photo in data.find_photos(source)]
    classes = data.class_folders(found, settings.classes)
    for source in settings.not_potato:
        found += [data.as_other(photo, classes) for photo in data.find_photos(source)]
    return dataset.prepare(found, classes, settings.image_size, cache)


def build(settings: Settings, outputs: int, steps: int) -> keras.Model:
    """Build and compile the network, on all GPUs of the machine if there are several."""
    several = len(tf.config.list_physical_devices("GPU")) > 1
    strategy = tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()
    with strategy.scope():
        network = cnn.build_cnn((settings.image_size, settings.image_size, 3), outputs)
        if settings.start_from:
            export.copy_features(export.load_keras(Path(settings.start_from)), network)
        rate = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate / 20,
            decay_steps=max(1, (settings.epochs - 1) * steps),
            warmup_target=settings.learning_rate,
            warmup_steps=steps,
        )
        network.compile(
            keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay),
            keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
            weighted_metrics=["accuracy"],
        )
    return network


def fit(settings: Settings, photos: Dataset, splits: dict[str, np.ndarray], folder: Path, resume: bool):
    """Fit the network; return it with the weights of its best epoch, and the checkpoint with the history."""
    steps = max(1, len(splits["train"]) // settings.batch_size)
    network = build(settings, len(photos.outputs), steps)
    network.summary()
    labels = photos.asked(splits["validation"])

    def validate(model: keras.Model) -> float:
        softmax = pixels.predict(model, photos.images, splits["validation"], settings.batch_size)
        asked = softmax[:, : len(photos.classes)]
        return evaluation.macro_recall(np.where(asked.sum(1) < 0.5, OTHER, asked.argmax(1)), labels)

    split = hashlib.sha256(np.concatenate(list(splits.values())).tobytes()).hexdigest()
    identity = asdict(settings) | {"fingerprint": photos.fingerprint(), "split": split}
    checkpoint = Checkpoint(folder, identity, validate, settings.patience)
    if resume and checkpoint.exists():
        checkpoint.restore(network)
        print(f"Going on after epoch {checkpoint.state['epochs']}.")
    elif checkpoint.exists():
        raise data.DataError(
            f"{folder} holds an unfinished training: add --resume, or delete it to start again."
        )
    weights = data.class_weights(photos.labels, len(photos.outputs))[photos.labels]
    targets = np.eye(len(photos.outputs), dtype=np.float32)[photos.labels]
    done = checkpoint.state["epochs"]
    batches = pixels.training_batches(
        photos.images,
        targets,
        weights,
        settings.batch_size,
        settings.seed,
        done,
        cnn.augment,
        splits["train"],
    )
    if done < settings.epochs and not checkpoint.finished():
        network.fit(
            batches,
            epochs=settings.epochs,
            initial_epoch=done,
            steps_per_epoch=steps,
            callbacks=[checkpoint],
            verbose=1 if sys.stdout.isatty() else 2,
        )
    if checkpoint.exists():
        network.load_weights(checkpoint.best_weights)
    return network, checkpoint


def calibrate(settings: Settings, network: keras.Model, photos: Dataset, indices: np.ndarray):
    """Choose temperature and thresholds on the validation photos; return the model that answers, and both."""
    to_logits = keras.Model(network.input, network.get_layer("logits").output)
    logits = pixels.predict(to_logits, photos.images, indices, settings.batch_size)
    labels, k = photos.asked(indices), len(photos.classes)
    potato = labels != OTHER
    temperature = evaluation.fit_temperature(logits[potato, :k], labels[potato])
    leaf = evaluation.softmax(logits / temperature)[:, :k].sum(1)
    probabilities = evaluation.softmax(logits[:, :k] / temperature)
    thresholds = evaluation.choose_thresholds(probabilities, leaf, labels, photos.sources(indices))
    return export.answering_model(network, k, temperature), temperature, thresholds


def measure(
    settings: Settings, model: keras.Model, photos: Dataset, splits, thresholds, more: dict[str, Dataset]
):
    """Measure on the held-out leaves, of all sources and of each, and on more sets; print it all."""

    def figures_of(part: Dataset, indices: np.ndarray) -> dict:
        answer = pixels.predict(model, part.images, indices, settings.batch_size)
        names = data.labels_of(photos.classes)
        labels, leaves = part.asked(indices), part.leaves[indices]
        return evaluation.measure(answer["probabilities"], answer["leaf"], labels, leaves, names, thresholds)

    test, sources = splits["test"], photos.sources(splits["test"])
    figures = {"held-out leaves": figures_of(photos, test)}
    if len(np.unique(sources)) > 1:
        for source in np.unique(sources):
            figures[f"held-out leaves of {_public(source)}"] = figures_of(photos, test[sources == source])
    for name, part in more.items():
        figures[name] = figures_of(part, np.arange(len(part.photos)))
    for name, row in figures.items():
        print("\n" + evaluation.table(name, row))
    return figures


def _public(source: str) -> str:
    """Name a source without telling where on this machine an absolute path leads."""
    return Path(source).name if Path(source).is_absolute() else source


def command(argv: list[str]) -> str:
    """Return the command that makes this model again, without what only concerns this machine or this run."""
    words = [
        word for argument in argv for word in (argument.split("=", 1) if argument[:2] == "--" else [argument])
    ]
    kept = iter(words)
    public = []
    for word in kept:
        if word in ("--cache", "--push"):
            next(kept)
        elif word not in ("--resume", "--private"):
            public.append("=".join(map(_public, word.split("=", 1))))
    return shlex.join(["python", "train.py", *public])


def write(out: Path, model: keras.Model, description: dict, history: list[dict]) -> None:
    """Write the bundle: both models, the figures, the plots, the card."""
    with bundle.writing(out) as draft:
        export.save_keras(model, draft)
        classes = len(description["classes"])
        (draft / bundle.LITERT_MODEL).write_bytes(export.export_litert(model, classes))
        plots.draw(draft / "figures", description["figures"], history)
        bundle.seal(draft, description)
        (draft / bundle.CARD).write_text(card.model_card(description))


def main(argv: list[str]) -> None:
    """Run a training from the command line's arguments."""
    settings, options = parse(argv)
    out, cache = Path(options.out).absolute(), Path(options.cache)
    bundle.check_place(out)
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()

    if options.push:
        hub.require_token()  # before the work, not after it
    photos = gather(settings, cache)
    more = {
        name: dataset.prepare(data.find_photos(source), photos.classes, settings.image_size, cache)
        for name, source in (named.split("=", 1) for named in options.evaluate)
    }
    for name, part in more.items():
        if known := len(set(part.digests) & set(photos.digests)):
            print(f"Beware: {known} photos of {name} are also in the training sources; its figures flatter.")
    splits = data.split_by_leaf(
        photos.photos, photos.leaves, photos.classes, settings.validation, settings.test, settings.seed
    )
    counts = photos.counts(splits)
    for row in counts:
        print(", ".join(f"{key}: {value}" for key, value in row.items()))
    unfinished = out.with_name(out.name + ".training")
    network, checkpoint = fit(settings, photos, splits, unfinished, options.resume)
    model, temperature, thresholds = calibrate(settings, network, photos, splits["validation"])
    figures = measure(settings, model, photos, splits, thresholds, more)

    libraries = ("tensorflow", "keras", "numpy", "pillow", "ai-edge-litert")
    description = {
        "classes": [
            {"folder": folder, "label": label}
            for folder, label in zip(photos.classes, data.labels_of(photos.classes), strict=True)
        ],
        "image_size": settings.image_size,
        "temperature": temperature,
        "thresholds": asdict(thresholds),
        "training": {
            "command": command(argv),
            "settings": asdict(settings)
            | {key: [_public(s) for s in getattr(settings, key)] for key in ("data", "not_potato")}
            | {"start_from": settings.start_from and _public(settings.start_from)},
            "outputs": photos.outputs,
            "photos": counts,
            "fingerprint": photos.fingerprint(),
            "epochs": checkpoint.state["epochs"],
            "best_epoch": checkpoint.state["best_epoch"],
            "minutes": round(checkpoint.state["seconds"] / 60, 1),
            "libraries": {name: importlib.metadata.version(name) for name in libraries},
        },
        "figures": figures,
    }
    write(out, model, description, checkpoint.state["history"])
    shutil.rmtree(unfinished, ignore_errors=True)
    print(f"\nWrote {options.out}; try it with: MODEL_REPO={options.out} python app.py")
    if options.push:
        print("Published " + hub.push(out, options.push, private=options.private))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (data.DataError, bundle.BundleError, hub.HubError, ResumeError) as error:
        sys.exit(f"train.py: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command with --resume goes on after the last whole epoch.")
