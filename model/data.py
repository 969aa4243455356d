"""Where labelled photos come from.

A labelled set is a folder with one folder per class; a photo's class is the name of the folder it lies in, or
of the nearest class folder around that, at whatever depth. A source is such a folder, `kaggle:owner/set` or
`hf:owner/set`. If its class folders lie in folders called train, validation or test, or the like, or each
holds such folders, it comes split.
"""

import fnmatch
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model import disk, photo
from model.names import label_of, spelled

PLANT_VILLAGE = "kaggle:arjuntejaswi/plant-village"
POTATO_CLASSES = ["Potato___*"]

OTHER = -1  # the label of a photo that shows none of the classes

SPLITS = ("train", "validation", "test")
SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}


class DataError(ValueError):
    """The photos can't be used for training; the message is one sentence for the user."""


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo on disk, the class folder it lies in, the source it came with and the split it has there.

    around: the folders it lies in, from the source's own to the innermost.
    """

    path: Path
    folder: str
    source: str
    split: str | None = None
    around: tuple[str, ...] = ()


def resolve_source(source: str) -> Path:
    """Return the folder that `source` names, downloading it (cached) if it is on Kaggle or the Hub.

    Raises DataError when there is no such folder or it can't be downloaded.
    """
    if source.startswith("kaggle:"):
        return _from_kaggle(source.removeprefix("kaggle:"))
    if source.startswith("hf:"):
        return _from_hugging_face(source.removeprefix("hf:"))
    folder = Path(disk.at_home(source))
    if not folder.is_dir():
        raise DataError(f"There is no folder {source}; give a folder, kaggle:owner/set or hf:owner/set.")
    return folder


def _from_kaggle(name: str) -> Path:
    import kagglehub
    from kagglehub.exceptions import DataCorruptionError
    from kagglehub.handle import parse_dataset_handle
    from requests.exceptions import HTTPError, RequestException

    try:
        parse_dataset_handle(name)
    except ValueError as error:
        raise DataError(f"kaggle:{name} is not a Kaggle data set; write kaggle:owner/set.") from error
    try:
        return Path(kagglehub.dataset_download(name))
    except HTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403, 404):
            raise DataError(
                f"Kaggle has no data set {name} that we may see; check the name, and log in: put your API "
                "token in ~/.kaggle/access_token or in KAGGLE_API_TOKEN."
            ) from error
        raise DataError(f"Kaggle failed to give us {name}; try again later.") from error
    except RequestException as error:
        raise DataError(
            f"Kaggle can't be reached to fetch {name}; check the connection and try again."
        ) from error
    except (DataCorruptionError, zipfile.BadZipFile) as error:
        raise DataError(f"What came of {name} from Kaggle is damaged; try again.") from error
    except OSError as error:
        raise DataError(
            f"{name} can't be kept on this disk: {error.strerror or error}; make room, or set "
            "KAGGLEHUB_CACHE to a folder on another one."
        ) from error
    except ValueError as error:  # a login file that can't be read, an archive of an unknown kind
        raise DataError(f"{name} can't be fetched from Kaggle: {error}.") from error


def _from_hugging_face(name: str) -> Path:
    from model import hub

    try:
        return hub.download(name, None, "dataset")
    except hub.HubError as error:
        raise DataError(str(error)) from error


def photos_below(folder: Path, called: str) -> tuple[list[Path], str]:
    """List the photos in a folder, by folder and name, also behind links; and tell of the other files there.

    What is told is a sentence, or nothing if all are photos. Raises OSError, for example if a folder can't be
    read.
    """
    files = [Path(place) / name for place, _, names in sorted(walk(folder)) for name in sorted(names)]
    named = [path for path in files if photo.is_called_photo(path.name)]
    found = [path for path in named if path.is_file()]
    left_out = {
        "no photos by their names": len(files) - len(named),
        "broken links or special files": len(named) - len(found),
    }
    told = "; ".join(f"{what}: {count}" for what, count in left_out.items() if count)
    return found, told and f"Left out of {called}, {told}."


def find_photos(source: str) -> list[LabelledPhoto]:
    """List the photos of a source by path, also behind links.

    Raises DataError if there is none, or if a folder's name can't be printed, as it must be on the model's
    card; and OSError, for example if a folder can't be read.
    """
    root = resolve_source(source)
    paths, left_out = photos_below(root, source)
    found = [_as_it_lies(path, root, source) for path in paths]
    for name in sorted({p.folder for p in found}):
        if (shown := disk.printable(name)) != name:
            raise DataError(f"The name of the folder {shown} is not valid UTF-8; please rename it.")
    if left_out:
        print(left_out)
    found = _with_given_splits(found, source)
    if not found:
        raise DataError(
            f"There are no photos in {source}; it should hold one folder of photos for each class."
        )
    return found


def _as_it_lies(path: Path, root: Path, source: str) -> LabelledPhoto:
    """Label a photo with the folder it lies in."""
    # Of a link its own name, not that of what it leads to.
    around = (root.resolve().name, *path.parent.relative_to(root).parts)
    return LabelledPhoto(path, around[-1], source, _split_of(around), around)


def _with_given_splits(found: list[LabelledPhoto], source: str) -> list[LabelledPhoto]:
    """Return a source's photos, those in folders called train, test, ... as what these folders mean.

    Tells of photos that are left out, and if what is given is no split.
    """
    parents = {p.around[:-1] for p in found if _lies_in_split(p)}
    if len(parents) > 1 or all(map(_lies_in_split, found)):
        # Several folders hold a train, test, ..., or nothing else is there: those are the classes.
        found = [_split_below(p) if _lies_in_split(p) else p for p in found]
    splits = {p.split for p in found} - {None}
    if splits and (unlabelled := [p for p in found if _split_called(p.folder)]):
        places = sorted({p.folder for p in unlabelled})
        print(
            f"Left out {len(unlabelled)} photos of {source} that lie in {', '.join(places)}, "
            "in no class's folder."
        )
        found = [p for p in found if p.folder not in places]
    if "train" in splits and len(splits) > 1:
        return found
    if found and splits and "train" not in splits:
        given = " and ".join(sorted(splits))
        print(f"{source} has a folder for {given}, none for train: it is taken as unsplit.")
    return [replace(p, split=None) for p in found]  # a folder that happens to be called so


def walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a folder like os.walk, also behind links, but each folder once, and nothing hidden.

    (Hidden are thumbnails, .thumbnails and @eaDir, what macOS puts beside files, ._leaf.jpg, and what Windows
    keeps on a disk, such as deleted photos.) Raises OSError, for example if a folder can't be read.
    """
    seen = {os.path.realpath(root)}

    def is_new(path: Path) -> bool:
        real = os.path.realpath(path)
        if real in seen:
            return False
        seen.add(real)
        return True

    def stop(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=stop, followlinks=True):
        folders[:] = [
            name
            for name in sorted(folders)
            if name[0] not in ".@$" and name != "System Volume Information" and is_new(Path(folder) / name)
        ]
        yield folder, folders, [name for name in names if not name.startswith(".")]


def _split_of(around: tuple[str, ...]) -> str | None:
    """Return the split that a class folder lies in: the outermost folder or, in one around all, the next."""
    return next(filter(None, map(_split_called, around[1:-1][:2])), None)


def _lies_in_split(p: LabelledPhoto) -> bool:
    """Tell whether a photo lies in a folder called train, test, ... that is not the whole source."""
    return len(p.around) > 1 and _split_called(p.folder) is not None


def _split_below(p: LabelledPhoto) -> LabelledPhoto:
    """Return a photo of CLASS/train as one of CLASS."""
    around = p.around[:-1]
    return replace(p, folder=around[-1], split=_split_called(p.folder), around=around)


def _split_called(folder: str) -> str | None:
    """Return the split that a folder is called like: "Training Set" -> "train"."""
    return SPLIT_FOLDERS.get(re.sub("[ _-]?(set|data)$", "", folder.lower()))


def in_classes(photos: Sequence[LabelledPhoto], classes: Sequence[str]) -> list[LabelledPhoto]:
    """Return the photos, those in subfolders of a class's folder labelled as that class."""

    def folder(p: LabelledPhoto) -> str:
        return next((name for name in reversed(p.around) if name in classes), p.folder)

    return [p if p.folder in classes else replace(p, folder=folder(p)) for p in photos]


def as_other(p: LabelledPhoto, classes: Sequence[str]) -> LabelledPhoto:
    """Return a photo that shows none of `classes`, renaming its folder if it is called like one."""
    return replace(p, folder=f"not {p.folder}") if p.folder in classes else p


def class_folders(photos: Iterable[LabelledPhoto], patterns: Sequence[str]) -> list[str]:
    """Return the class folders whose names match `patterns`, sorted. Raises DataError if under two do.

    A photo's is the innermost around it that matches. A source's own folder and those of splits are none,
    unless they are named outright.
    """
    names, by_pattern = set(), {pattern: set() for pattern in patterns}
    for folder, around in {(p.folder, p.around) for p in photos}:
        names.add(folder)
        for name in (folder, *reversed(around)):
            plain = name == folder or (name in around[1:] and not _split_called(name))
            if fits := [p for p in patterns if name == p or (plain and fnmatch.fnmatchcase(name, p))]:
                for pattern in fits:
                    by_pattern[pattern].add(name)
                break
    matching = sorted(set().union(*by_pattern.values()))
    some = ", ".join(sorted(names)[:8]) + (", ..." if len(names) > 8 else "")
    if len(matching) < 2:
        raise DataError(
            f"At least two class folders are needed, and {len(matching)} match {' '.join(patterns)}; "
            f"found {some} (choose with --classes)."
        )
    if unknown := [p for p, named in by_pattern.items() if not named]:
        raise DataError(f"No folder is called {' or '.join(unknown)}, as --classes says; found {some}.")
    alike = {}
    for name in matching:
        if (other := alike.setdefault(spelled(label_of(name)), name)) != name:
            raise DataError(f"{other} and {name} seem to be one class; give both folders the same name.")
    return matching


def photo_weights(photos: Sequence[LabelledPhoto]) -> np.ndarray:
    """Weigh photos by one over the square root of how many of their class their source has, float32 [n].

    The mean is 1. The square root lifts rare classes, and the few photos of a field beside the many of a lab,
    without making each of them shout.
    """
    groups = [(p.source, p.folder) for p in photos]
    sizes = Counter(groups)
    weights = np.array([1 / np.sqrt(sizes[group]) for group in groups])
    return (weights / weights.mean()).astype(np.float32)
