"""Photos as prepared pixels: decoded once, in parallel, into a memory-mapped cache.

Epochs read the cache and never decode; the operating system pages it in and out, so that memory stays flat
as the set grows.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model import foreground, photo
from model.cores import CORES
from model.leaves import difference_hashes

VERSION = 3  # of the cache
DAY = 24 * 3600  # seconds
CHUNK = 256  # photos decoded ahead of the writer at most


@dataclass(frozen=True)
class Pixels:
    """The readable ones of the photos asked for, prepared.

    images: uint8 [n, S, S, 3], memory-mapped; masks: where the leaf is, bool [n, foreground.SIZE,
    foreground.SIZE], all False if unknown; readable: which of the paths they are, as n indices; hashes:
    difference hashes, uint64 [n, 8, 4]; digests: the sha256 of each file; skipped: {path: why it can't be
    read}.
    """

    images: np.ndarray
    masks: np.ndarray
    readable: list[int]
    hashes: np.ndarray
    digests: list[str]
    skipped: dict[str, str]


def load_pixels(paths: Sequence[Path], size: int, cache: Path) -> Pixels:
    """Return the photos prepared at `size`, from the cache if the files are as they were when it was made.

    Unreadable photos are skipped. A cache that is damaged is made anew. Raises OSError if the disk fails.
    """
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    stats += [(str(path),) for path in paths if not os.access(path, os.R_OK)]  # until they can be read
    key = hashlib.sha256(json.dumps([VERSION, photo.VERSION, size, stats]).encode()).hexdigest()[:32]
    folder = cache / key
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError, KeyError, EOFError):
        return _read(folder)
    shutil.rmtree(folder, ignore_errors=True)  # what is damaged
    cache.mkdir(parents=True, exist_ok=True)
    _discard_leftovers(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as unfinished:
        made = Path(unfinished) / key
        made.mkdir()
        _prepare_all(paths, size, made)
        if not folder.is_dir():  # another training may have been faster
            made.rename(folder)  # the cache is there whole or not at all
    return _read(folder)


def _read(folder: Path) -> Pixels:
    index = json.loads((folder / "index.json").read_text())
    images = np.load(folder / "images.npy", mmap_mode="r")[: len(index["readable"])]
    masks, hashes = (np.load(folder / f"{name}.npy") for name in ("masks", "hashes"))
    return Pixels(images, masks, hashes=hashes, **index)


def _discard_leftovers(cache: Path) -> None:
    """Delete what preparations that were killed left behind, if nobody has written to it for a day."""
    for left in cache.glob("making-*"):
        with contextlib.suppress(FileNotFoundError):  # another training may be done with it just now
            if time.time() - max(path.stat().st_mtime for path in (left, *left.rglob("*"))) > DAY:
                shutil.rmtree(left)


def _prepare_all(paths: Sequence[Path], size: int, folder: Path) -> None:
    whole = {"descr": "|u1", "fortran_order": False, "shape": (len(paths), size, size, 3)}
    masks, hashes, digests, readable, skipped = [], [], [], [], {}
    # Not through a memory map: a full disk would be the end of the process instead of an OSError.
    with (folder / "images.npy").open("wb") as images:
        np.lib.format.write_array_header_1_0(images, whole)
        start = images.tell()
        # The bar shows only on a terminal (None), and never in a log.
        results = tqdm(_prepared(paths, size), "Preparing photos", len(paths), unit=" photos", disable=None)
        for i, result in enumerate(results):
            if isinstance(result, Exception):
                skipped[str(paths[i])] = str(result)
                continue
            image, mask, digest = result
            images.write(image.tobytes())
            masks.append(mask)
            hashes.append(difference_hashes(image))
            digests.append(digest)
            readable.append(i)
        images.truncate(start + len(paths) * size * size * 3)
    _save(folder / "masks.npy", np.array(masks, bool).reshape(-1, foreground.SIZE, foreground.SIZE))
    _save(folder / "hashes.npy", np.array(hashes, np.uint64).reshape(-1, 8, 4))
    (folder / "index.json").write_text(
        json.dumps({"digests": digests, "readable": readable, "skipped": skipped})
    )


def _save(path: Path, array: np.ndarray) -> None:
    file = io.BytesIO()  # given a real file, NumPy does not tell why it can't write
    np.save(file, array)
    path.write_bytes(file.getvalue())


def _prepared(paths: Sequence[Path], size: int) -> Iterator[tuple[np.ndarray, np.ndarray, str] | Exception]:
    def prepare(path: Path) -> tuple[np.ndarray, np.ndarray, str] | Exception:
        if not os.access(path, os.R_OK):
            return PermissionError("We have no right to read it.")
        try:
            data = photo.read(path)
            image = photo.prepare(data, size)
            return image, foreground.leaf_mask(foreground.shrunk(image)), hashlib.sha256(data).hexdigest()
        except photo.PhotoError as error:  # not what a disk has: the cache would keep that for ever
            return error

    # Threads suffice: Pillow lets go of the interpreter while it decodes and scales.
    with ThreadPoolExecutor(CORES) as pool:
        for start in range(0, len(paths), CHUNK):
            yield from pool.map(prepare, paths[start : start + CHUNK])
