"""What goes wrong around the app: poisoned models, a stop in the middle, no rights, no home, sudden death."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import keras
import pytest
from conftest import HTTP, ROOT, free_port, run, run_here, serve
from connecting import HEAD, begun
from kill import epochs_kept
from making import JPEG, write

import app
from model import bundle, disk, export, litert
from model.pixels import load_pixels
from web.server.refusals import NO_ROOM


def resealed(tiny: Path, folder: Path) -> Path:
    """Write bundle.json anew after a file was changed, as whoever poisons a bundle would."""
    description = json.loads((folder / bundle.DESCRIPTION).read_text())
    del description["files"], description["format_version"]
    bundle.seal(folder, description)
    return folder


@pytest.fixture
def poisoned(tiny, tmp_path) -> Path:
    return shutil.copytree(tiny, tmp_path / "poisoned")


def taking_signed_numbers(model: bytes) -> bytes:
    """Return a model as one that takes int8 in place of uint8."""
    whole, graph = litert.unpack(model)
    graph.tensors[whole.signatureDefs[0].inputs[0].tensorIndex].type = litert.schema.TensorType.INT8
    return litert.pack(whole, graph)


DOES_NOT_FIT = "model.tflite does not fit bundle.json; fetch or train the model again."
POISON = {
    "truncated": (lambda model: model[: len(model) // 2], DOES_NOT_FIT),
    "without numbers": (
        lambda model: model[: len(model) // 2] + b"\xff" * 2000 + model[len(model) // 2 + 2000 :],
        "poisoned answers without numbers; fetch or train the model again.",
    ),
    "of other numbers": (taking_signed_numbers, DOES_NOT_FIT),
}


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_model_stops_the_app_with_one_sentence(tiny, poisoned, name, monkeypatch):
    poison, sentence = POISON[name]
    file = poisoned / bundle.LITERT_MODEL
    file.write_bytes(poison(file.read_bytes()))
    monkeypatch.setenv("MODEL_REPO", str(resealed(tiny, poisoned)))
    with pytest.raises(bundle.BundleError) as caught:  # of which app.py says no more: see test_app
        app.create_app()
    assert str(caught.value) == sentence


def test_no_code_comes_with_a_model(tiny, poisoned, tmp_path):
    said = str(tmp_path / "said")
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Lambda(lambda x: (open(said, "w"), x)[1])(inputs)  # noqa: SIM115, PTH123
    Path(said).unlink()  # it ran when it was made
    keras.Model(inputs, outputs).save(tmp_path / "code", zipped=False)
    shutil.copytree(tmp_path / "code", poisoned, dirs_exist_ok=True)
    with pytest.raises(
        bundle.BundleError, match=r"^The Keras model in poisoned is damaged or not made of plain"
    ):
        export.load_keras(resealed(tiny, poisoned))
    assert not Path(said).exists()


@pytest.mark.parametrize(("what", "times"), [("writing", 50), ("saving", 2), ("pushing", 2), ("swapping", 1)])
def test_sudden_deaths_break_nothing(what, times):
    ended = run("tests/kill.py", "--times", times, what)
    assert ended.returncode == 0, ended.stderr
    assert "kills, nothing broken: " in ended.stdout


def test_a_stop_waits_for_the_request_in_hand(tiny):
    with serve(MODEL_REPO=tiny) as server:
        rest = JPEG + b"\r\n--b--\r\n"
        with begun(server.url, HEAD, len(HEAD) + len(rest)) as connection:
            assert server.predict(JPEG).status_code == 200  # by now it has seen the other one's beginning
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(httpx2.TransportError):
                while True:  # until it takes no one else
                    HTTP.get(f"{server.url}/ping")
            connection.sendall(rest)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        server.process.wait(timeout=20)


def test_without_a_folder_for_temporary_files_it_does_not_start():
    command = ["bash", "-c", f"ulimit -f 0; exec {shlex.quote(sys.executable)} app.py"]  # no file can grow
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1] == (
        "app.py: no folder for temporary files can be written; name one in TMPDIR."
    )
    assert "Traceback" not in ended.stderr


def test_it_runs_without_rights_and_without_a_home(tmp_path):
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can give up rights")
    port = free_port()
    # May read everything, as Python may lie in root's home, and write nothing but temporary files.
    nobody = [
        "setpriv",
        "--reuid=12345",
        "--regid=12345",
        "--clear-groups",
        "--inh-caps=-all,+dac_read_search",
    ]
    environment = {"PATH": os.environ["PATH"], "GRADIO_SERVER_PORT": str(port)}
    process = subprocess.Popen(
        [*nobody, "--ambient-caps=-all,+dac_read_search", sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(httpx2.TransportError):
                assert HTTP.get(url).status_code == 200  # the page
                break
            time.sleep(0.05)
        answer = HTTP.post(f"{url}/predict", files={"file": JPEG})
        assert answer.status_code == 200
        sent = HTTP.post(f"{url}/gradio_api/upload", files={"files": JPEG})
        assert sent.status_code == 200
    finally:
        process.terminate()
        assert "Traceback" not in process.communicate(timeout=20)[1]


@pytest.fixture
def small(tmp_path) -> Iterator[Path]:
    """A disk of a megabyte."""
    small = tmp_path / "small"
    small.mkdir()
    if (
        os.getuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False).returncode
    ):
        pytest.skip("only root can mount a disk")
    yield small
    subprocess.run(["umount", "--lazy", small], check=True)


def test_a_training_on_a_full_disk_ends_with_a_sentence_and_goes_on_from_the_epoch_before(
    small, drawn_photos, cache
):
    subprocess.run(["mount", "-o", "remount,size=15m", small], check=True)  # for the weights of one epoch
    write(small / "leaf", b"old")
    told = ["--data", drawn_photos, "--cache", cache, "--image-size", "32", "--epochs", "2"]
    ended = run("train.py", *told, "--out", small / "leaf")
    assert ended.returncode == 1
    full = (
        "train.py: The disk is full; free some space, and the same command with --resume goes on after the "
        "last whole epoch."
    )
    assert full in ended.stderr.splitlines()
    assert "Traceback" not in ended.stderr
    assert bundle.read(small / "leaf").model == b"old"
    assert epochs_kept(small / "leaf.training") == 1


def test_a_bundle_and_a_cache_that_find_no_room_leave_what_was_there(small, drawn_photos):
    write(small / "leaf", b"old")
    photos = sorted(drawn_photos.rglob("*.jpg"))
    for make in (
        lambda: write(small / "leaf", bytes(2_000_000)),
        lambda: load_pixels(photos, 64, small / "cache"),
    ):
        with pytest.raises(OSError) as caught:
            make()
        assert disk.trouble(caught.value) == "The disk is full; free some space"
    assert bundle.read(small / "leaf").model == b"old"
    assert sorted(path.name for path in small.iterdir()) == ["cache", "leaf"]
    assert not list((small / "cache").iterdir())


def test_a_folder_that_can_t_be_written_is_told_before_the_work(small, tiny):
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    with pytest.raises(
        bundle.BundleError, match=r"small can't be written; choose another folder, or give it"
    ):
        bundle.check_place(small / "deep" / "leaf")
    photo, table = tiny / "figures" / "confusion.png", small / "out.csv"
    ended = run_here("-m", "model", photo, "--csv", table, MODEL_REPO=tiny)
    closed = f"{small}/out.csv.part is closed to us (read-only file system); give it the rights it needs."
    assert ended.stderr.splitlines()[-1] == f"python -m model: {closed}"
    assert "Traceback" not in ended.stderr


def test_a_table_that_finds_no_room_is_one_sentence(tiny):
    ended = run("-m", "model", tiny / "figures" / "confusion.png", "--csv", "/dev/full", MODEL_REPO=tiny)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "python -m model: The disk is full; free some space."
    assert "Traceback" not in ended.stderr


def test_a_table_that_finds_no_room_leaves_the_one_before(small, tiny):
    table = small / "out.csv"
    table.write_text("an earlier table")
    with contextlib.suppress(OSError), (small / "rest").open("wb", buffering=0) as rest:
        while True:
            rest.write(bytes(4096))
    ended = run("-m", "model", tiny / "figures" / "confusion.png", "--csv", table, MODEL_REPO=tiny)
    assert ended.stderr.splitlines()[-1] == "python -m model: The disk is full; free some space."
    assert table.read_text() == "an earlier table"


def test_an_upload_that_finds_no_room_is_507_and_a_small_one_goes_on(small, tiny, capfd):
    with serve(MODEL_REPO=tiny, TMPDIR=small) as server:
        large = JPEG + bytes(3_000_000)
        for _ in range(2):
            refused = server.predict(large)
            assert (refused.status_code, refused.json()) == (507, {"detail": NO_ROOM})
            assert server.predict(JPEG).status_code == 200
        sent = HTTP.post(f"{server.url}/gradio_api/upload", files={"files": large})
        assert (sent.status_code, sent.json()) == (507, {"detail": NO_ROOM})
    assert "Traceback" not in capfd.readouterr().err


def test_an_upload_to_the_page_that_breaks_off_is_no_news(tiny, capfd):
    with serve(MODEL_REPO=tiny) as served:
        for _ in range(2):
            with begun(served.url, HEAD.replace(b'"file"', b'"files"'), 100_000, "/gradio_api/upload"):
                pass
        assert served.predict(JPEG).status_code == 200
    assert "Traceback" not in capfd.readouterr().err
