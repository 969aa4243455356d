"""Fuzz what reads photos nobody trusts.

python tests/fuzz_photo.py [--seconds 60] [--corpus FOLDER] [--seed 1]

Drawn photos of every format, and hostile ones, are changed at random and given to model.photo.prepare. It may
return pixels or raise a PhotoError, within five seconds of processor time. Files that make it do anything
else are printed, and kept in the corpus folder. With atheris (pip install atheris) changes are guided by the
lines of Pillow and of model/ that they reach; without it they are blind.
"""

import argparse
import collections
import hashlib
import io
import math
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

try:
    import atheris
except ImportError:
    atheris = None
else:
    with atheris.instrument_imports(include=["PIL", "model"]):
        from model import photo

import hostile
import pillow_heif
from drawing import draw
from hostile import saved

from model import photo

SLOW = 5  # seconds of processor time for one file
LONGEST = 20_000  # bytes
INTERESTING = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1")


def drawn_corpus() -> list[bytes]:
    """Return small photos of every format, and hostile ones."""
    leaf = draw("Potato___Late_blight", seed=7, size=48)
    exif = hostile.exif_of_tags(20, 100)
    files = [
        saved(leaf, form, **more)
        for form, more in (
            ("JPEG", {}),
            ("JPEG", {"progressive": True, "exif": exif}),
            ("PNG", {}),
            ("PNG", {"exif": exif}),
            ("WEBP", {}),
            ("WEBP", {"lossless": True, "exif": exif}),
            ("GIF", {}),
            ("BMP", {}),
            ("AVIF", {"exif": exif}),
        )
    ]
    files += [
        saved(leaf.convert(mode), form)
        for mode, form in (
            ("CMYK", "JPEG"),
            ("L", "JPEG"),
            ("P", "PNG"),
            ("LA", "PNG"),
            ("1", "PNG"),
            ("P", "BMP"),
            ("I;16", "PNG"),
        )
    ]
    files += [
        hostile.gif_of_comments(3),
        hostile.jpeg_of_many_scans(32, 3),
        hostile.bmp_of_runs(300),
        hostile.png_with(hostile.chunk(b"tEXt", b"a\0b"), hostile.chunk(b"eXIf", exif)),
        hostile.animation("GIF", 3),
        hostile.animation("WEBP", 3),
        hostile.animation("PNG", 3),
    ]
    for mode in ("RGB", "RGBA"):
        file = io.BytesIO()
        pillow_heif.from_pillow(leaf.convert(mode)).save(file)
        files.append(file.getvalue())
    return files


def changed(data: bytes, others: list[bytes], choose: random.Random) -> bytes:
    """Return a file with a few bytes changed, lost, doubled, or taken from another file."""
    result = bytearray(data)
    for _ in range(choose.choice((1, 1, 2, 4, 16))):
        near = choose.choice((16, 64, 600, LONGEST, LONGEST, LONGEST))  # headers are worth more
        at = choose.randrange(min(near, len(result)) or 1)
        match choose.randrange(6):
            case 0:
                result[at : at + 1] = bytes((choose.randrange(256),))
            case 1:
                piece = choose.choice(INTERESTING)
                result[at : at + len(piece)] = piece
            case 2:
                del result[at : at + choose.randrange(1, 64)]
            case 3:
                result[at:at] = result[at : at + choose.randrange(1, 64)] * choose.choice((1, 1, 2, 50))
            case 4:
                other = choose.choice(others)
                start = choose.randrange(len(other))
                length = choose.randrange(1, 200)
                result[at : at + choose.choice((0, length))] = other[start : start + length]
            case 5:
                del result[choose.randrange(len(result) or 1) :]
    return bytes(result[:LONGEST]) or b"\0"


class Fuzzer:
    """Gives files to photo.prepare, counts how that ends, and keeps those that end badly."""

    def __init__(self, corpus: Path | None) -> None:
        self.corpus = corpus
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.bad: list[str] = []
        self.slowest = 0.0

    def give(self, data: bytes) -> None:
        """Give it one file."""
        started = time.process_time()
        try:
            pixels = photo.prepare(data, 64)
            outcome = "answered" if pixels.shape == (64, 64, 3) else "another shape"
        except photo.PhotoError as error:
            outcome = error.reason
        except Exception as error:
            outcome = f"crash: {type(error).__name__}: {error}"[:200]
        took = time.process_time() - started
        self.slowest = max(self.slowest, took)
        if took > SLOW:
            outcome = f"crash: slow, {took:.0f} s"
        self.outcomes[outcome] += 1
        if outcome.startswith("crash") or outcome == "another shape":
            name = hashlib.sha256(data).hexdigest()[:16]
            self.bad.append(f"{name}: {outcome}")
            if self.corpus:
                (self.corpus / f"crash-{name}").write_bytes(data)

    def run(self, seed: int, seconds: float = math.inf, most: float = math.inf) -> None:
        """Change files at random, for so long or so often."""
        choose, files, until = random.Random(seed), drawn_corpus(), time.monotonic() + seconds
        for data in files:
            self.give(data)
        while time.monotonic() < until and self.outcomes.total() < most:
            data = changed(choose.choice(files), files, choose)
            self.give(data)
            if choose.random() < 0.01:  # changes of changes
                files.append(data)
                del files[3000:]

    def report(self) -> str:
        """Say how it went."""
        total = sum(self.outcomes.values())
        rows = [f"{count:9}  {outcome}" for outcome, count in self.outcomes.most_common()]
        return "\n".join(
            [f"{total} files, {len(self.bad)} bad, the slowest {self.slowest:.2f} s", *rows, *self.bad]
        )


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--corpus", type=Path, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.corpus:
        options.corpus.mkdir(parents=True, exist_ok=True)
    fuzzer = Fuzzer(options.corpus)
    if atheris:
        until = time.monotonic() + options.seconds

        def one(data: bytes) -> None:
            fuzzer.give(data)
            if time.monotonic() > until:
                print(fuzzer.report(), flush=True)
                os._exit(bool(fuzzer.bad))  # atheris takes an ordinary exit for a crash

        folder = options.corpus or Path("corpus")
        folder.mkdir(exist_ok=True)
        for data in drawn_corpus():
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        atheris.Setup([sys.argv[0], str(folder), f"-max_len={LONGEST}", f"-seed={options.seed}"], one)
        atheris.Fuzz()
    fuzzer.run(options.seed, options.seconds)
    print(fuzzer.report())
    sys.exit(bool(fuzzer.bad))


if __name__ == "__main__":
    main()
