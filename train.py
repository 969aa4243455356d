"""Train the potato leaf model: photos -> a fitted CNN, measured -> a bundle -> (a Hugging Face model repo).

    python train.py                                       the PlantVillage set from Kaggle
    python train.py --data my_photos --epochs 40          one's own, one folder a class
    python train.py --resume                              after an interruption, with the same arguments
    python train.py --push someone/potato-leaf            and publish what was trained

Reads from top to bottom: gather, split by leaf, build, fit, measure, export, write, push.
"""

import hashlib
import importlib.metadata
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # twice as fast; TensorFlow's own choice leaves AVX2 out

import keras
import numpy as np
import tensorflow as tf

from model import bundle, card, cnn, data, dataset, evaluation, export, hub, pixels, plots, publish
from model.checkpoint import Checkpoint, ResumeError
from model.dataset import OTHER, Dataset
from model.settings import Settings, command, parse, public


def gather(settings: Settings, cache: Path) -> Dataset:
    """Find and prepare the photos of all sources."""
    found = [photo for source in settings.data for photo in data.find_photos(source)]
    classes = data.class_folders(found, settings.classes)
    for source in settings.not_potato:
        found += [data.as_other(photo, classes) for photo in data.find_photos(source)]
    return dataset.prepare(found, classes, settings.image_size, cache)


def warn_of_known_photos(settings: Settings, start: Path, photos: Dataset) -> None:
    """Say so if the model to start from may have been trained on leaves that are to test this one."""
    before = bundle.read(start).description["training"]
    split = ("validation", "test", "seed")
    same_split = all(before["settings"].get(key) == getattr(settings, key) for key in split)
    if before["fingerprint"] != photos.fingerprint() or not same_split:
        print(
            f"Beware: {settings.start_from} was trained on other photos or another split; "
            "the figures flatter if it saw leaves that are held out now."
        )


def build(settings: Settings, start: Path | None, outputs: int, steps: int) -> keras.Model:
    """Build and compile the network, on all GPUs of the machine if there are several."""
    several = len(tf.config.list_physical_devices("GPU")) > 1
    strategy = tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()
    keras.config.set_dtype_policy(settings.precision)
    with strategy.scope():
        network = cnn.build_cnn((settings.image_size, settings.image_size, 3), outputs)
        if start:
            export.copy_features(export.load_keras(start), network)
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
    keras.config.set_dtype_policy("float32")
    return network


def variation(settings: Settings, start: Path | None) -> int:
    """Return the seed of order and augmentation: a model that goes on from another sees the photos anew."""
    if not start:
        return settings.seed
    weights = bundle.read(start).description["files"]["model.weights.h5"]
    return settings.seed + int(weights[:8], 16)


def fit(
    settings: Settings,
    start: Path | None,
    photos: Dataset,
    splits: dict[str, np.ndarray],
    folder: Path,
    resume: bool,
):
    """Fit the network; return it with the weights of its best epoch, and the checkpoint with the history."""
    steps = max(1, len(splits["train"]) // settings.batch_size)
    network = build(settings, start, len(photos.outputs), steps)
    network.summary()
    labels = photos.asked(splits["validation"])

    predict = pixels.predictor(network, settings.batch_size)

    def validate() -> float:
        softmax = predict(photos.images, splits["validation"])
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
    targets = np.eye(len(photos.outputs), dtype=np.float32)[photos.labels]
    done = checkpoint.state["epochs"]
    batches = pixels.training_batches(
        photos.images,
        photos.masks,
        targets,
        data.photo_weights(photos.photos),
        splits["train"],
        photos.backgrounds(splits["train"]),
        settings.batch_size,
        variation(settings, start),
        done,
        settings.epochs,
        cnn.augment,
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
    whole = cnn.build_cnn(network.input_shape[1:], len(photos.outputs))  # float32, whatever it was fitted in
    whole.set_weights(network.get_weights())
    return whole, checkpoint


def calibrate(settings: Settings, network: keras.Model, photos: Dataset, indices: np.ndarray):
    """Choose temperature and thresholds on the validation photos; return the model that answers, and both."""
    to_logits = keras.Model(network.input, network.get_layer("logits").output)
    logits = pixels.predictor(to_logits, settings.batch_size)(photos.images, indices)
    labels, k = photos.asked(indices), len(photos.classes)
    potato = labels != OTHER
    sources = photos.sources(indices)
    temperature = evaluation.fit_temperature(logits[potato, :k], labels[potato], sources[potato])
    leaf = evaluation.softmax(logits / temperature)[:, :k].sum(1)
    probabilities = evaluation.softmax(logits[:, :k] / temperature)
    thresholds = evaluation.choose_thresholds(probabilities, leaf, labels, sources)
    return export.answering_model(network, k, temperature), temperature, thresholds


def measure(
    settings: Settings, model: keras.Model, photos: Dataset, splits, thresholds, more: dict[str, Dataset]
):
    """Measure on the held-out leaves, of all sources and of each, and on more sets; print it all."""
    predict = pixels.predictor(model, settings.batch_size)

    def figures_of(part: Dataset, indices: np.ndarray) -> dict:
        answer = predict(part.images, indices)
        names = data.labels_of(photos.classes)
        labels, leaves = part.asked(indices), part.leaves[indices]
        return evaluation.measure(answer["probabilities"], answer["leaf"], labels, leaves, names, thresholds)

    test, sources = splits["test"], photos.sources(splits["test"])
    figures = {"held-out leaves": figures_of(photos, test)}
    if len(np.unique(sources)) > 1:
        for source in np.unique(sources):
            figures[f"held-out leaves of {public(source)}"] = figures_of(photos, test[sources == source])
    for name, part in more.items():
        figures[name] = figures_of(part, np.arange(len(part.photos)))
    for name, row in figures.items():
        print("\n" + evaluation.table(name, row))
    return figures


def write(out: Path, model: keras.Model, description: dict, history: list[dict]) -> None:
    """Write the bundle: both models, the figures, the plots, the card."""
    with bundle.writing(out) as draft:
        export.save_keras(model, draft)
        classes = len(description["classes"])
        litert = export.export_litert(model, classes)
        (draft / bundle.LITERT_MODEL).write_bytes(litert)
        description = description | {"self_test": export.self_test(litert, description["image_size"])}
        plots.draw(draft / "figures", description["figures"], history)
        (draft / bundle.CARD).write_text(card.model_card(bundle.seal(draft, description)))


def main(argv: list[str]) -> None:
    """Run a training from the command line's arguments."""
    settings, options = parse(argv)
    out, cache = Path(options.out).absolute(), Path(options.cache)
    bundle.check_place(out)
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()

    if options.push:
        hub.require_token()  # before the work, not after it
    start = hub.whole_bundle(settings.start_from) if settings.start_from else None
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
    if start:
        warn_of_known_photos(settings, start, photos)
    counts = photos.counts(splits)
    for row in counts:
        print(", ".join(f"{key}: {value}" for key, value in row.items()))
    unfinished = out.with_name(out.name + ".training")
    network, checkpoint = fit(settings, start, photos, splits, unfinished, options.resume)
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
            | {key: [public(s) for s in getattr(settings, key)] for key in ("data", "not_potato")}
            | {"start_from": settings.start_from and public(settings.start_from)},
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
    if options.license:
        description["license"] = options.license
    write(out, model, description, checkpoint.state["history"])
    shutil.rmtree(unfinished, ignore_errors=True)
    print(f"\nWrote {options.out}; try it with: MODEL_REPO={options.out} python app.py")
    if options.push:
        print("Published " + publish.push(out, options.push, options.private, options.force))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (data.DataError, bundle.BundleError, hub.HubError, ResumeError) as error:
        sys.exit(f"train.py: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command with --resume goes on after the last whole epoch.")
