"""Paths as people write them, and why something could not be written there, in words for them."""

import errno
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import NoReturn

FULL = (errno.ENOSPC, errno.EDQUOT)
# Not by strerror, which for a quota says "Unknown error" on Windows, as of much else.
SAID_TO_BE_FULL = (os.strerror(errno.ENOSPC), "Disk quota exceeded", "Disc quota exceeded")
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def at_home(place: str) -> str:
    """Expand a leading ~, which shells leave alone in --out=~/model; that of an unknown user stays."""
    return os.path.expanduser(place)  # noqa: PTH111 Path's raises an error then


def beside(path: Path, ending: str) -> Path:
    """Return the path of what lies beside a file or folder, called like it with an ending: leaf.training."""
    return path.with_name(path.name + ending)


def printable(name: str) -> str:
    """Return a file's name, which may hold any bytes, in a form that can be printed and sent."""
    return name.encode(errors="replace").decode()


def trouble(error: BaseException | None) -> str | None:
    """Tell what is wrong with the disk and what to do, as a sentence without a full stop; None if nothing is.

    HDF5 and TensorFlow raise errors of their own, which only quote the system's words.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in FULL or any(said in str(error) for said in SAID_TO_BE_FULL):
        return "The disk is full; free some space"
    if number in CLOSED:
        where = error.filename or "The disk"
        return f"{where} is closed to us ({os.strerror(number).lower()}); give it the rights it needs"
    return None


def told(error: OSError) -> str:
    """Tell an error as a sentence: what is wrong with the disk, or else in its own words."""
    if why := trouble(error):
        return f"{why}."
    return f"{error.filename}: {error.strerror.lower()}." if error.filename and error.strerror else str(error)


def tell_no_traceback() -> None:
    """Print a sentence instead of a traceback for errors of the disk, and for Ctrl-C.

    Of an error that Python can only ignore, nothing: HDF5 tries and fails once more to write the rest of a
    file when it lets go of it.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            print("Stopped.", file=sys.stderr)
        elif why := trouble(error):
            print(f"{why}.", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook
    sys.unraisablehook = lambda raised: trouble(raised.exc_value) or sys.__unraisablehook__(raised)


def stop(sentence: str) -> NoReturn:
    """Tell why, and end the process with status 1 at once: at an ordinary end HDF5 would crash it."""
    sys.stdout.flush()
    print(sentence, file=sys.stderr, flush=True)
    os._exit(1)
