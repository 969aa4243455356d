"""Logs of a training, epoch by epoch: for TensorBoard and, if it is installed, for trackio."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import keras
import tensorflow as tf

PROJECT = "blightcheck"  # in trackio


def logger(folder: Path, resumed: bool, latest: Callable[[], dict[str, float]]) -> keras.callbacks.Callback:
    """Return a callback that logs what `latest` returns after each epoch, in `folder` and under its name."""
    writer = tf.summary.create_file_writer(str(folder))
    trackio = _trackio(folder.name, resumed)

    def write(epoch: int, _: dict | None) -> None:
        scalars = [tf.compat.v1.Summary.Value(tag=tag, simple_value=value) for tag, value in latest().items()]
        # tf.summary.scalar would do the same, but needs the package tensorboard.
        with writer.as_default():
            tf.summary.experimental.write_raw_pb(
                tf.compat.v1.Summary(value=scalars).SerializeToString(), step=epoch + 1
            )
        writer.flush()
        if trackio:
            trackio.log(latest(), step=epoch + 1)

    def close(_: dict | None) -> None:
        writer.close()
        if trackio:
            trackio.finish()

    return keras.callbacks.LambdaCallback(on_epoch_end=write, on_train_end=close)


def _trackio(name: str, resumed: bool) -> ModuleType | None:
    try:
        import trackio
    except ImportError:
        return None
    trackio.init(project=PROJECT, name=name, resume="allow" if resumed else "never")
    return trackio
