"""The bundle: the folder that training leaves and serving loads, and the root of a model repo.

bundle.json         what the model is, what it was trained on and how well it does; sha256 of the other files
model.tflite        the model for LiteRT, preprocessing, temperature and heat maps inside
config.json, metadata.json, model.weights.h5     the Keras model, for keras.saving.load_model
README.md           the model card (anyone may edit it, so it is not hashed)
figures/*.png       plots
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.names import is_label
from model.verdict import Thresholds

FORMAT_VERSION = 1
DEFAULT = Path(__file__).parent / "default"

DESCRIPTION = "bundle.json"
LITERT_MODEL = "model.tflite"
CARD = "README.md"
LEFT_BY_VIEWERS = (".DS_Store", "Thumbs.db", "desktop.ini")  # by those of macOS and Windows


class BundleError(Exception):
    """The folder holds no bundle that can be trusted; the message is one sentence for the user."""


@dataclass(frozen=True)
class ClassName:
    """A class: the folder its photos lie in, and what people call it."""

    folder: str
    label: str


@dataclass(frozen=True)
class Bundle:
    """What serving needs of a bundle; `description` is all of bundle.json."""

    classes: tuple[ClassName, ...]
    image_size: int
    thresholds: Thresholds
    model: bytes
    description: dict

    def outputs(self) -> list[str]:
        """Return the class folders that its network tells apart. Raises BundleError if it doesn't say."""
        try:
            return self.description["training"]["outputs"]
        except (KeyError, TypeError) as error:
            raise BundleError(
                f"{DESCRIPTION} names no outputs, so nothing can be learnt from that model; choose another."
            ) from error


def check_place(folder: Path) -> None:
    """Raise BundleError if writing a bundle to `folder` would replace anything but a bundle, or fail."""
    if os.path.ismount(folder):
        raise BundleError(f"{folder} is a disk of its own, which can't be replaced; choose a folder on it.")
    check_writable(folder)
    if folder.exists() and (others := _others(folder)):
        raise BundleError(
            f"{folder} holds other files, which a bundle would replace ({others[0]}); choose another folder."
        )


def check_writable(folder: Path) -> None:
    """Raise BundleError if `folder` can't be made, or nothing be written beside it."""
    if not folder.absolute().name:
        raise BundleError(f"Nothing can be written beside {folder}; choose another folder.")
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    for taken in (folder, above):
        if taken.exists() and not taken.is_dir():
            raise BundleError(f"{taken} is a file; choose another folder.")
    if not os.access(above, os.W_OK):
        raise BundleError(f"{above} can't be written; choose another folder, or give it the rights it needs.")


def _others(folder: Path) -> list[str]:
    """Return the paths in a folder that do not belong to a bundle."""
    try:
        own = {DESCRIPTION, CARD, *json.loads((folder / DESCRIPTION).read_bytes())["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        own = set()
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() and path.name not in LEFT_BY_VIEWERS
    }
    return sorted(there - own)


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Give an empty draft folder to fill, then swap it in for `folder`.

    Readers that use `read` get the old bundle or the new one, whole, even if this is killed between the two
    renames. An exception inside leaves the old bundle as it was.
    """
    folder = folder.resolve()  # of a link, what it leads to is replaced
    check_place(folder)
    draft, retired = _beside(folder, "draft"), _beside(folder, "retired")
    _put_back(retired, folder)  # an earlier writing was killed between its two renames
    shutil.rmtree(retired, ignore_errors=True)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        if folder.exists():
            folder.rename(retired)
        draft.rename(folder)
    finally:
        _put_back(retired, folder)
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


def _put_back(retired: Path, folder: Path) -> None:
    if not folder.exists() and retired.exists():
        retired.rename(folder)


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def seal(draft: Path, description: dict) -> dict:
    """Write bundle.json into a draft, with the sha256 of each file that lies there; return its content."""
    files = {
        path.relative_to(draft).as_posix(): sha256(path)
        for path in sorted(draft.rglob("*"))
        if path.is_file() and path.name not in (DESCRIPTION, CARD)
    }
    whole = {"format_version": FORMAT_VERSION, **description, "files": files}
    (draft / DESCRIPTION).write_text(json.dumps(whole, indent=1) + "\n")
    return whole


def sha256(path: Path) -> str:
    """Return the file's sha256, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def actual_folder(folder: Path) -> Path:
    """Return where the bundle of `folder` lies: there, or aside if a writer is replacing it or was killed."""
    folder = folder.resolve()
    if not folder.name:  # the root, beside which there is nothing
        return folder
    retired = _beside(folder, "retired")
    return retired if retired.exists() and not folder.exists() else folder


def _read_files(folder: Path) -> tuple[bytes, bytes]:
    """Return bundle.json and model.tflite, of one bundle even if it is being replaced."""
    while True:
        at = actual_folder(folder)
        opened = _identity(at)
        try:
            files = (at / DESCRIPTION).read_bytes(), (at / LITERT_MODEL).read_bytes()
            if _identity(at) == opened:
                return files
        except FileNotFoundError:
            if actual_folder(folder) == at and _identity(at) == opened:
                raise  # it was not replaced meanwhile: the file really isn't there


def _identity(folder: Path) -> tuple[int, int] | None:
    """Identify a folder, even if one that takes its place gets the inode number of a deleted one."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _is_plain(name: str) -> bool:
    return Path(name).name == name and name not in ("", "..") and "\0" not in name


def check_files(folder: Path) -> None:
    """Raise BundleError unless all files are those that bundle.json was written with."""
    for name, digest in read(folder).description["files"].items():
        file = actual_folder(folder) / name
        if not file.is_file() or sha256(file) != digest:
            raise BundleError(
                f"{name} in {folder.name} is not the file it was written with; make the bundle again."
            )


def weights_digest(folder: Path) -> str:
    """Return what tells the weights of a bundle's Keras model from others, a sha256."""
    return read(folder).description["files"]["model.weights.h5"]


def read(folder: Path, name: str | None = None) -> Bundle:
    """Read and check the bundle in `folder`, called `name`. Raises BundleError saying what is wrong."""
    name = name or folder.name or str(folder)
    try:
        text, model = _read_files(folder)
        description = json.loads(text)
    except FileNotFoundError as error:
        missing = LITERT_MODEL if Path(error.filename).name == LITERT_MODEL else DESCRIPTION
        raise BundleError(f"{name} is not a Blightcheck model: it has no {missing}.") from error
    except OSError as error:
        raise BundleError(f"{name} can't be read ({error.strerror}); give it the rights it needs.") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{DESCRIPTION} in {name} is damaged; fetch or train the model again.") from error
    try:
        version = description["format_version"]
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{name} has bundle format {version!r}, and this program reads {FORMAT_VERSION}; "
                "update whichever is older."
            )
        if description["files"][LITERT_MODEL] != hashlib.sha256(model).hexdigest():
            raise BundleError(
                f"{LITERT_MODEL} in {name} is not the file it was written with; fetch or train it again."
            )
        for known in description["classes"]:
            if not _is_plain(known["folder"]):  # feedback is kept in folders of these names
                raise BundleError(f"{name} has a class whose folder, {known['folder']}, is not a plain name.")
        labels = [known["label"] for known in description["classes"]]
        if wrong := [label for label in labels if not is_label(label)]:
            raise BundleError(f"{name} has a class that can't be called {wrong[0]!r:.60}.")
        if len(set(labels)) != len(labels):
            raise BundleError(f"{name} has two classes of one name ({', '.join(labels)}).")
        thresholds = {key: float(value) for key, value in description["thresholds"].items()}
        if not all(0 <= value < 1.01 for value in thresholds.values()):  # by a hair above 1, never
            raise BundleError(f"{name} has thresholds that are no probabilities; train the model again.")
        return Bundle(
            classes=tuple(ClassName(**known) for known in description["classes"]),
            image_size=int(description["image_size"]),
            thresholds=Thresholds(**thresholds),
            model=model,
            description=description,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BundleError(f"{DESCRIPTION} in {name} lacks something it needs: {error}.") from error
