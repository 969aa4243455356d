"""Diagnose photos from the command line, or put a model or the page on the Hub.

    python -m model PHOTO_OR_FOLDER... [--csv FILE]
    python -m model push FOLDER USER/REPO
    python -m model space USER/NAME [--model USER/REPO]

The first uses the model that MODEL_REPO names (a Hub id, optionally @revision, or a folder), or the default
one. The second publishes a trained model on the Hugging Face Hub. The third makes or updates a Space there
that serves such a model.
"""

import argparse
import csv
import glob
import os
import sys
from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

from model import disk

if __name__ == "__main__":  # before what takes a while to come
    disk.tell_no_traceback()

from huggingface_hub import CommitOperationAdd
from tqdm import tqdm

from model import data, hub, photo, publish, space
from model.answers import columns, row
from model.bundle import BundleError, actual_folder, check_files
from model.classifier import Diagnosis
from model.cores import CORES
from model.plant import joint_answer
from model.serving import load

TABLES = (".csv", ".tsv")  # endings of files that a new table may replace
MOST_TOGETHER = 100  # photos; more are hardly of one plant or field


def photos_in(paths: list[str]) -> Iterator[Path]:
    """List the photos named, and those in the folders named. Raises OSError if it can't read a folder."""
    for named in paths:
        if not named or not (path := Path(named)).exists():  # Path("") is this folder
            # A pattern such as *.jpg, which Windows' shells pass on, and of which [] are no part there.
            there = sorted(glob.glob(named.replace("[", "[[]")))  # noqa: PTH207 it takes absolute ones, too
            if not (matching := [found for found in there if Path(found).exists()]):  # and no dangling link
                raise FileNotFoundError(f"There is no photo or folder {named or 'without a name'}.")
            yield from photos_in(matching)
        elif path.is_dir():
            found, left_out = data.photos_below(path, named)
            if not found:
                raise FileNotFoundError(f"There are no photos in {path}; we read {photo.FORMAT_NAMES}.")
            if left_out:
                print(left_out, file=sys.stderr)
            yield from found
        else:
            yield path


def push_model(argv: list[str]) -> int:
    """Publish a bundle."""
    parser = argparse.ArgumentParser(prog="python -m model push", description="Publish a trained model.")
    parser.add_argument("folder", metavar="FOLDER", help="what train.py wrote")
    parser.add_argument("repo", metavar="USER/REPO")
    parser.add_argument("--private", action="store_true", help="make the repo private if it is new")
    parser.add_argument(
        "--force",
        action="store_true",
        help="publish it even if the model there is better, or one of another program",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list what would be uploaded and deleted")
    options = parser.parse_args(argv)
    folder = Path(options.folder)
    if not actual_folder(folder).is_dir():
        raise BundleError(f"There is no folder {folder}; give the one that train.py wrote.")
    if options.dry_run:
        check_files(folder)
        _rehearse(
            options.repo, partial(publish.changes, folder, options.repo, options.private, options.force)
        )
    else:
        print(publish.push(folder, options.repo, options.private, options.force))
    return 0


def _rehearse(repo: str, changes: Callable[[], tuple[list[publish.Operation], str, str | None]]) -> None:
    """Print the operations of a commit instead of making it."""
    operations, message, _ = publish.persist(changes, repo, "nothing was changed there")
    print(message)
    if not operations:
        print(f"Nothing to upload: all files are in {repo} already.")
    for operation in operations:
        what = operation.upload_info.size if isinstance(operation, CommitOperationAdd) else "delete"
        print(f"{what:>9} {operation.path_in_repo}")


def push_page(argv: list[str]) -> int:
    """Make or update a Space."""
    parser = argparse.ArgumentParser(prog="python -m model space", description="Put the page on a Space.")
    parser.add_argument("space", metavar="USER/NAME")
    parser.add_argument(
        "--model",
        metavar="USER/REPO",
        help="the model to serve, optionally with @revision; without this, the one that comes with the "
        "project, whatever the Space served before",
    )
    parser.add_argument("--private", action="store_true", help="make the Space private if it is new")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be uploaded and deleted")
    options = parser.parse_args(argv)
    if options.dry_run:
        _rehearse(options.space, partial(space.changes, options.space, options.model, options.private))
    else:
        print("Published " + space.push_space(options.space, options.model, options.private))
    return 0


def main(argv: list[str]) -> int:
    """Print, or write as CSV, a row for each photo; return 1 if a photo could not be read."""
    if argv and argv[0] in (others := {"push": push_model, "space": push_page}):
        return others[argv[0]](argv[1:])
    parser = argparse.ArgumentParser(
        prog="python -m model",
        description="Diagnose photos of potato leaves.",
        epilog="Uses the model that MODEL_REPO names, or the default one; ends with 1 if a photo can't be "
        "read. Other commands: push and space, each with --help.",
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO_OR_FOLDER")
    parser.add_argument(
        "--csv",
        default="-",
        metavar="FILE",
        help="write the answers to a CSV file; one that is there is replaced",
    )
    options = parser.parse_args(argv)
    # Each once, however often and in whatever way it is named: nobody votes twice.
    named = {}
    for path in photos_in(options.photos):
        named.setdefault(path.resolve(), path)
    paths = list(named.values())
    found = hub.find(os.environ.get("MODEL_REPO"))
    classifier = load(found)
    if found.notice:
        print(found.notice, file=sys.stderr)

    def answer(path: Path) -> Diagnosis | Exception:
        try:
            return classifier.diagnose(path).without_arrays()
        except photo.PhotoError as error:
            return error
        except OSError as error:
            return OSError(disk.told(error))

    diagnoses, errors = [], 0
    with (
        ThreadPoolExecutor(CORES) as pool,
        _output(options.csv, named) as file,
        closing(pool.map(answer, paths)) as answers,  # the rest is given up if a row can't be written
    ):
        table = csv.DictWriter(file, columns(classifier.labels))
        table.writeheader()
        # The bar shows only on a terminal (None), and never among the rows.
        hidden = True if options.csv == "-" else None
        answered_paths = zip(paths, answers, strict=True)
        for path, answered in tqdm(answered_paths, total=len(paths), unit="photo", disable=hidden):
            table.writerow(row(str(path), answered))
            if isinstance(answered, Exception):
                errors += 1
            elif len(paths) <= MOST_TOGETHER:
                diagnoses.append(answered)
    if len(diagnoses) > 1:
        joint = joint_answer(diagnoses)
        some = f"; some show or look like {', '.join(joint.suspects)}" if joint.suspects else ""
        had_a_say = f"{joint.voters} of {joint.photos} photos had a say"
        print(f"Together: {joint.label} ({had_a_say}{some})", file=sys.stderr)
    return int(errors > 0)


def _output(path: str, photos: Container[Path]) -> AbstractContextManager[TextIO]:
    """Open the table; `photos`, resolved, are not to be written over."""
    # Names of files may be any bytes, and of any script, which Windows' own encoding is not.
    how = {"mode": "w", "newline": "", "encoding": "utf-8", "errors": "surrogateescape"}
    if path == "-":
        return open(sys.stdout.fileno(), closefd=False, **how)
    if not path:
        raise FileNotFoundError("--csv takes the name of a table to write.")
    file = Path(disk.at_home(path))
    if photo.is_called_photo(path) or file.resolve() in photos:
        raise FileExistsError(
            f"{path} is a photo, or called like one; --csv takes the name of a table to write."
        )
    if file.is_file() and file.stat().st_size and file.suffix.lower() not in TABLES:
        raise FileExistsError(f"{path} is there already, and called like no table; --csv would replace it.")
    if file.is_dir():
        raise IsADirectoryError(f"{path} is a folder; --csv takes the name of a table to write.")
    if not file.parent.is_dir():
        raise FileNotFoundError(f"There is no folder for {path}; make it first.")
    if file.exists() and not file.is_file():  # a device
        return file.open(**how)
    return _replaced(file.resolve(), how)  # of a link, what it leads to is replaced


@contextmanager
def _replaced(file: Path, how: dict[str, str]) -> Iterator[TextIO]:
    """Open what takes the place of a file once it is whole; until then it is beside it."""
    part = file.with_name(file.name + ".part")
    with part.open(**how) as table:
        yield table
    try:
        part.replace(file)
    except PermissionError as error:  # on Windows, of one that is open elsewhere
        raise OSError(f"{file} can't be replaced, or is open in another program; see {part}.") from error


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BundleError, hub.HubError) as error:
        sys.exit(f"python -m model: {error}")
    except BrokenPipeError:  # whoever reads the rows has seen enough, as `head` does
        sys.exit(1)
    except OSError as error:
        sys.exit(f"python -m model: {disk.told(error)}")
