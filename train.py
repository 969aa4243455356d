"""Train the potato leaf model: photos -> a fitted CNN, measured -> a bundle -> (a Hugging Face model repo).

    python train.py                                       the PlantVillage set from Kaggle
    python train.py --data my_photos                      one's own, one folder a class
    python train.py --folds 5                             five trainings, each tested on other leaves
    python train.py --resume                              after an interruption, with the same arguments
    python train.py --push someone/potato-leaf            and publish what was trained

Reads from top to bottom: gather, split by leaf, build, fit, measure (in folds), export, write, push.
"""

import json
import os
import shlex
import signal
import sys
from argparse import Namespace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it logs harmless GPU and XLA errors
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # twice as fast; TensorFlow's own choice leaves AVX2 out

from model import disk

if __name__ == "__main__":  # before TensorFlow, which takes seconds to come
    disk.tell_no_traceback()
    sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be any bytes
    from model import settings

    _, options = settings.parse(sys.argv[1:])

import keras
import numpy as np
import tensorflow as tf

from model import bundle, card, cnn, data, dataset, evaluation, export, hub, plots, publish
from model.batches import predictor, training_batches
from model.calibration import ask, calibrate
from model.checkpoint import (
    Checkpoint,
    DivergedError,
    ResumeError,
    check_unfinished,
    discard,
    identify,
    place_of_checkpoints,
    what_next,
)
from model.dataset import Dataset
from model.description import describe
from model.diseases import related_folders
from model.distillation import check_teachers, load_teacher, taught
from model.folds import cross_validate
from model.logs import logger
from model.loss import folder_and_disease
from model.muon import Muon
from model.normalization import FusedNormalization
from model.quantization import quantized
from model.settings import Settings, command, parse
from model.splits import describe_given_splits, split_by_leaf
from model.validation import validator


def warn_of_known_leaves(trained: dict[str, Path], held_out: str | None) -> None:
    """Warn of each trained model that did not hold out the same photos for testing, by fingerprint."""
    for name, folder in trained.items():
        if held_out is None or bundle.read(folder).description["training"].get("held_out") != held_out:
            print(
                f"Warning: {name} may have been trained on leaves that are held out now; if so, the figures "
                "are too good."
            )


def build(
    settings: Settings, start: Path | None, outputs: list[str], classes: int, steps: int
) -> keras.Model:
    """Build and compile the network, on all GPUs of the machine if there are several."""
    several = len(tf.config.list_physical_devices("GPU")) > 1
    strategy = tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()
    keras.utils.set_random_seed(settings.seed)  # here, so that each fold begins alike, resumed or not
    keras.config.set_dtype_policy(settings.precision)
    with strategy.scope():
        momentum = max(0.9, 1 - 2 / steps)  # moving averages over half an epoch, at least 10 batches
        shape = (settings.image_size, settings.image_size, 3)
        network = cnn.build_cnn(shape, len(outputs), momentum, FusedNormalization)
        if start:
            known = bundle.read(start).outputs()
            new = export.copy_weights(export.load_fitted(start), known, network, outputs)
            if asked := ", ".join(name for name in outputs[:classes] if name in new):
                print(f"{settings.start_from} doesn't know {asked}: that part starts from random weights.")
        rate = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate / 20,
            decay_steps=max(1, (settings.epochs - 1) * steps),
            warmup_target=settings.learning_rate,
            warmup_steps=steps,
        )
        network.compile(
            Muon(rate, weight_decay=settings.weight_decay, adam_weight_decay=settings.weight_decay),
            folder_and_disease(outputs, classes, settings.label_smoothing),
            weighted_metrics=["accuracy"],
        )
    keras.config.set_dtype_policy("float32")
    return network


def batches_of(
    settings: Settings, trained: dict[str, Path], photos: Dataset, train: np.ndarray, steps: int, done: int
) -> tf.data.Dataset:
    """Return augmented batches of the training photos from epoch `done` on, as `teacher`s label them too."""
    seed = settings.seed
    if start := trained.get(settings.start_from):  # which has seen this seed's order and augmentations
        seed += int(bundle.weights_digest(start)[:8], 16)
    batches = training_batches(
        photos.images,
        photos.masks,
        np.eye(len(photos.outputs), dtype=np.float32)[photos.labels],
        data.photo_weights(photos.photos),
        indices=train,
        backgrounds=photos.backgrounds(train),
        batch_size=settings.batch_size,
        steps=steps,
        seed=seed,
        first_epoch=done,
        epochs=settings.epochs,
        augment=cnn.augment,
    )
    teachers = [
        load_teacher(trained[name], name, photos.outputs, settings.image_size, settings.precision)
        for name in settings.teacher
    ]
    return taught(batches, teachers)


def fit(
    settings: Settings,
    trained: dict[str, Path],
    photos: Dataset,
    splits: dict[str, np.ndarray],
    folder: Path,
    resume: bool,
    logs: Path | None,
) -> tuple[keras.Model, dict]:
    """Fit the network. Return it, of its best epoch and quantized, and the state of its checkpoint.

    `trained` are the models it learns from, by name: that whose weights it starts from, and its teachers.
    """
    steps = max(1, len(splits["train"]) // settings.batch_size)
    start = trained.get(settings.start_from)
    network = build(settings, start, photos.outputs, len(photos.classes), steps)
    network.summary()
    validate = validator(settings, network, photos, splits["validation"])
    identity = identify(settings, trained, photos, splits)
    checkpoint = Checkpoint(folder, identity, validate, settings.patience)
    if resume:
        checkpoint.restore(network)
    done = checkpoint.state["epochs"]
    if done < settings.epochs and not checkpoint.finished():
        callbacks = [keras.callbacks.ProgbarLogger(), checkpoint]  # in this order they print
        if logs:
            callbacks.append(logger(logs, done > 0, lambda: checkpoint.state["history"][-1]))
        network.fit(
            batches_of(settings, trained, photos, splits["train"], steps, done),
            epochs=settings.epochs,
            initial_epoch=done,
            steps_per_epoch=steps,
            shuffle=False,  # training_batches does
            callbacks=callbacks,
            verbose=1 if sys.stdout.isatty() else 2,
        )
    network.load_weights(checkpoint.best_weights)
    in_floats = cnn.build_cnn(network.input_shape[1:], len(photos.outputs))  # whatever it was fitted in
    in_floats.set_weights(network.get_weights())
    return quantized(in_floats), checkpoint.state


def measure_folds(
    settings: Settings, options: Namespace, trained: dict[str, Path], photos: Dataset, made_by: str
) -> None:
    """Train once for each fold of the leaves, measure on it, and write the figures."""
    out = Path(options.out).absolute()
    unfinished = place_of_checkpoints(options.out, options.folds)

    def train(splits: dict[str, np.ndarray], name: str) -> evaluation.Answers:
        folder = unfinished / name  # kept until all folds are done, so that a resumed run can measure it
        logs = options.logs and Path(options.logs) / f"{out.name}-{name}"
        network, _ = fit(settings, trained, photos, splits, folder, options.resume, logs)
        model, _, thresholds = calibrate(settings, network, photos, splits["validation"])
        return ask(predictor(model, settings.batch_size), thresholds, photos, splits["test"])

    print(dataset.table(photos.counts({})))
    warn_of_known_leaves(trained, None)
    figures = cross_validate(photos, options.folds, settings.validation, settings.seed, train)
    file = disk.beside(out, ".folds.json")
    file.write_text(
        json.dumps({"command": made_by, "fingerprint": photos.fingerprint()} | figures, indent=1) + "\n"
    )
    discard(unfinished)
    print(f"\nWrote the figures to {options.out}.folds.json.")


def write(out: Path, model: keras.Model, description: dict, history: list[dict]) -> None:
    """Write the bundle: both models, the figures, the plots, the card."""
    with bundle.writing(out) as draft:
        export.save_keras(model, draft)
        litert = export.export_litert(model)
        (draft / bundle.LITERT_MODEL).write_bytes(litert)
        description = description | {"self_test": export.self_test(litert, description["image_size"])}
        plots.draw(draft / "figures", description["figures"], history)
        (draft / bundle.CARD).write_text(card.model_card(bundle.seal(draft, description)), "utf-8")


def main(argv: list[str]) -> None:
    """Run a training from the command line's arguments."""
    settings, options = parse(argv)
    out, cache = Path(options.out).absolute(), Path(options.cache)
    (bundle.check_writable if options.folds else bundle.check_place)(out)
    unfinished = place_of_checkpoints(options.out, options.folds)
    check_unfinished(unfinished, options.resume)
    tf.config.experimental.enable_op_determinism()

    if options.push is not None:
        # Before the work, not after it.
        publish.check(options.push, options.license, options.private, options.force)
    trained = {name: hub.whole_bundle(name) for name in (settings.start_from, *settings.teacher) if name}
    for name, folder in trained.items():
        bundle.read(folder, name).outputs()  # raises now, rather than after the work, if it names none
    found, classes = dataset.gather(settings)
    teachers = {name: trained[name] for name in settings.teacher}
    check_teachers(teachers, dataset.outputs_of(found, classes), settings.image_size)
    photos = dataset.prepare(found, classes, settings.image_size, cache)
    more = {
        name: dataset.prepare(
            dataset.labelled(data.find_photos(source), photos.classes),
            photos.classes,
            settings.image_size,
            cache,
        )
        for name, source in options.evaluate.items()
    }
    if kin := related_folders(photos.outputs, len(photos.classes)):
        print(kin)
    for name, part in more.items():
        if known := len(set(part.digests) & set(photos.digests)):
            twice = f"{known} photos of {name} are also in the training sources"
            print(f"Warning: {twice}; its figures are too good.")
    if options.folds:
        return measure_folds(settings, options, trained, photos, command(argv))
    splits = split_by_leaf(
        photos.photos, photos.leaves, photos.classes, settings.validation, settings.test, settings.seed
    )
    for sentence in describe_given_splits(photos.photos, photos.leaves, splits):
        print(sentence)
    print(dataset.table(photos.counts(splits)))
    warn_of_known_leaves(trained, photos.fingerprint(splits["test"]))
    logs = options.logs and Path(options.logs) / out.name
    network, state = fit(settings, trained, photos, splits, unfinished, options.resume, logs)
    model, temperature, thresholds = calibrate(settings, network, photos, splits["validation"])
    predict = predictor(model, settings.batch_size)
    answers = ask(predict, thresholds, photos, splits["test"])
    figures = evaluation.measure_held_out(answers, photos.class_labels)
    for name, part in more.items():
        of_all = ask(predict, thresholds, part, np.arange(len(part.photos)))
        figures[name] = evaluation.measure(of_all, photos.class_labels)
    for name, row in figures.items():
        print("\n" + evaluation.table(name, row))

    description = describe(argv, settings, photos, splits, state, temperature, thresholds, figures)
    if options.license:
        description["license"] = options.license
    write(out, model, description, state["history"])
    # For the owner of the photos alone: beside the bundle, never within it.
    sheet = disk.beside(out, ".mistakes.png")
    if shown := plots.draw_mistakes(sheet, photos, splits["test"], answers):
        worst = f"{shown} worst mistakes" if shown > 1 else "worst mistake"
        print(f"\nWrote the {worst} to {options.out}.mistakes.png, never to be published.")
    discard(unfinished)
    print(f"\nWrote {options.out}; try it with: MODEL_REPO={shlex.quote(options.out)} python app.py")
    if options.push:
        print(publish.push(out, options.push, options.private, options.force))


if __name__ == "__main__":
    tf.get_logger().setLevel("ERROR")  # it warns of retracing when folds build one network after another
    for name in ("SIGTERM", "SIGHUP"):  # end like Ctrl-C; a closed terminal does not if nohup says so
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        main(sys.argv[1:])
    except (data.DataError, bundle.BundleError, hub.HubError, ResumeError, DivergedError) as error:
        sys.exit(f"train.py: {error}")
    except KeyboardInterrupt:
        sys.exit(f"Stopped; {what_next(options.out, options.folds)}.")
    except Exception as error:
        if not (why := disk.trouble(error)):
            raise
        disk.stop(f"train.py: {why}, and {what_next(options.out, options.folds)}.")
