from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf

from model.logs import PROJECT, logger


def train(folder: Path, first: int, last: int) -> None:
    """Log a training from one epoch to another, counted from 0, whose loss is the epoch's number."""
    epoch = first
    callback = logger(folder, first > 0, lambda: {"loss": float(epoch), "recall": 0.5})
    for epoch in range(first, last):
        callback.on_epoch_end(epoch, {})
    callback.on_train_end({})


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Iterator[Path]:
    """The logs of a training that was interrupted after two epochs and resumed for a third."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", str(tmp_path_factory.mktemp("trackio")))
        folder = tmp_path_factory.mktemp("logs") / "mine"
        train(folder, 0, 2)
        train(folder, 2, 3)
        yield folder


def test_a_resumed_training_goes_on_in_the_logs_that_tensorboard_shows(logs):
    records = (r for file in sorted(logs.iterdir()) for r in tf.data.TFRecordDataset(str(file)))
    events = [tf.compat.v1.Event.FromString(record.numpy()) for record in records]
    shown = sorted((e.step, v.tag, v.simple_value) for e in events for v in e.summary.value)
    assert shown == [
        *((1, "loss", 0), (1, "recall", 0.5)),
        *((2, "loss", 1), (2, "recall", 0.5)),
        *((3, "loss", 2), (3, "recall", 0.5)),
    ]


def test_trackio_gets_them_too_where_it_is_installed_as_one_run(logs):
    trackio = pytest.importorskip("trackio")
    assert [run.name for run in trackio.Api().runs(PROJECT)] == ["mine"]
