"""What a file may hold besides its picture.

Pillow reads a header piece by piece, in Python, and joins or rereads some of it again and again: a few
megabytes of comments, tiny pieces or empty scans keep a core busy for minutes, or take gigabytes. Photos stay
far below these limits. Pieces are found exactly as Pillow finds them, even where that is wrong; else a file
could hide some.
"""

import itertools
import re
import struct
from collections.abc import Iterator

import numpy as np

MAX_EXTRA = 8_000_000  # bytes besides the pixels; phones add a depth map of a few megabytes
MAX_PIECES = {"JPEG": 1_000, "GIF": 5_000, "PNG": 10_000}  # of the header; of a PNG, of the whole file
MAX_SCANS = 100  # times a JPEG goes over its pixels; encoders write ten or so
MAX_EXIF = 130_000  # bytes; a JPEG's segment holds 65,533
MAX_TAGS = 500  # of EXIF's first directory: each may name any part of the rest as its value

START_OF_SCAN = b"\xff\xda"
# No stuffed byte, no restart. Without + behind \xff: in a run of them the time would grow with the square.
MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
END = 0xD9
ALONE = (0x01, 0xC8, 0xD8, END, *range(0xF0, 0xFE))  # markers that Pillow takes to have no content


def is_overloaded(data: bytes) -> bool:
    """Tell whether a file's header holds more than any photo's."""
    for form, start, pieces in (
        ("JPEG", b"\xff\xd8", _jpeg),
        ("PNG", b"\x89PNG", _png),
        ("GIF", b"GIF8", _gif),
    ):
        if data.startswith(start):
            extra = 0
            for number, (kind, length) in enumerate(pieces(data)):
                extra += 0 if kind == b"IDAT" else length
                if number > MAX_PIECES[form] or extra > MAX_EXTRA:
                    return True
            return form == "JPEG" and _has_many_scans(data)
    return False


def is_heavy_exif(exif: bytes) -> bool:
    """Tell whether EXIF data is more than any camera writes."""
    if len(exif) > MAX_EXIF:
        return True
    start = 0
    while exif.startswith(b"Exif\0\0", start):
        start += 6
    exif = exif[start:]
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (tags,) = struct.unpack_from(order + "H", exif, at)
    except struct.error:
        return False  # not readable at all
    return min(tags, (len(exif) - at) // 12) > MAX_TAGS  # as many as there are


# Each yields the pieces of a header: their kind, and how many bytes they hold.


def _jpeg(data: bytes, whole: bool = False) -> Iterator[tuple[int, int]]:
    """Up to the first scan, or of the whole picture."""
    at = 2
    while found := MARKER.search(data, at):
        kind, body = found[1][0], found.end()
        length = 0 if kind in ALONE else int.from_bytes(data[body : body + 2])
        yield kind, found.start() - at + length  # and what lies between two pieces
        if kind == (END if whole else START_OF_SCAN[1]):
            break
        at = body + length


def _has_many_scans(data: bytes) -> bool:
    # Quick: pairs of bytes, from the first and from the second on (bytes.count takes five times as long). But
    # what follows the picture may look like scans.
    pairs = (np.frombuffer(data, "<u2", (len(data) - start) // 2, start) for start in (0, 1))
    if sum(np.count_nonzero(pair == 0xDAFF) for pair in pairs) <= MAX_SCANS:
        return False
    most = MAX_PIECES["JPEG"]  # of the picture, too: more would take as long to count as to read
    kinds = [kind for kind, _ in itertools.islice(_jpeg(data, whole=True), most + 1)]
    return len(kinds) > most or kinds.count(START_OF_SCAN[1]) > MAX_SCANS


def _png(data: bytes) -> Iterator[tuple[bytes, int]]:
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, min(length, len(data) - at - 8)
        if kind == b"IEND":
            break
        at += 12 + length


def _gif(data: bytes) -> Iterator[tuple[int, int]]:
    """Up to the first frame, extensions block by block."""
    if len(data) < 13:
        return
    at = 13 + (3 << (data[10] % 8 + 1) if data[10] & 0x80 else 0)
    while at < len(data) and (kind := data[at]) not in b",;":
        yield kind, 1
        at += 1
        if kind == 0x21:  # an extension: its kind, then blocks up to an empty one
            comment, loops = data[at : at + 1] == b"\xfe", data.startswith(b"NETSCAPE2.0", at + 2)
            least = 0 if comment else 2 if loops else 1  # blocks that may be empty without ending it
            at += 1
            while at < len(data) and (data[at] or least > 0):
                yield kind, data[at]
                at += 1 + data[at]
                least -= 1
            at += 1
