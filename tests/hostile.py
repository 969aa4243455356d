"""Files made to cost their reader dearly: much work, memory or waiting from few bytes."""

import io
import struct
import zlib

from PIL import Image

START_OF_SCAN = b"\xff\xda"
GREEN = (90, 120, 60)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """Return a picture as a file's bytes."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def jpeg_of_many_scans(side: int, scans: int) -> bytes:
    """Return a progressive JPEG that goes over all of its pixels again and again, a few bytes a time."""
    plain = saved(Image.new("RGB", (side, side), GREEN), "JPEG", progressive=True)
    starts = [at for at in range(len(plain)) if plain[at : at + 2] == START_OF_SCAN]
    again = plain[starts[1] : starts[2]]
    again = again[: again.rindex(b"\xff\xc4")] if b"\xff\xc4" in again else again  # the next one's table
    return plain[: starts[2]] + again * scans + plain[starts[2] :]


def jpeg_of_empty_scans(side: int, scans: int) -> bytes:
    """Return a baseline JPEG with that many scans, ten bytes each, which hold nothing."""
    plain = saved(Image.new("RGB", (side, side), GREEN), "JPEG", subsampling=0)
    scan = START_OF_SCAN + struct.pack(">H6B", 8, 1, 1, 0, 0, 63, 0)
    return plain[: plain.index(START_OF_SCAN)] + scan * scans + plain[-2:]


def jpeg_of_markers(markers: int, scans: int) -> bytes:
    """Return a baseline JPEG whose picture holds that many markers of nothing, and what looks like scans."""
    plain = saved(Image.new("RGB", (64, 64), GREEN), "JPEG")
    return plain[:-2] + b"\xff\x01" * markers + START_OF_SCAN * scans + plain[-2:]


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes, side: int = 64) -> bytes:
    """Return a PNG file with more chunks behind its header."""
    plain = saved(Image.new("RGB", (side, side), GREEN), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def gif_of_comments(blocks: int, before: bytes = b"") -> bytes:
    """Return a GIF whose comment comes in that many blocks, with something before it."""
    plain = saved(Image.new("P", (64, 64)), "GIF")
    start = plain.index(b",\0\0\0\0")  # the picture
    return plain[:start] + before + b"!\xfe" + (b"\xff" + b"x" * 255) * blocks + b"\0" + plain[start:]


def bmp_of_runs(side: int) -> bytes:
    """Return a BMP, 8 bits a pixel, run-length encoded: 2 bytes for 255 pixels."""
    line = b"\xff\x07" * (side // 255) + bytes((side % 255 or 1, 7)) + b"\0\0"
    pixels = line * side + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    palette = bytes(range(256)) * 4
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + palette + pixels


def jpeg_with(*segments: bytes) -> bytes:
    """Return a JPEG file with more segments at its beginning."""
    plain = saved(Image.new("RGB", (64, 64), GREEN), "JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def segment(kind: int, body: bytes) -> bytes:
    """Return a segment of a JPEG file."""
    return bytes((0xFF, kind)) + struct.pack(">H", len(body) + 2) + body


def exif_of_tags(tags: int, length: int, kind: int = 7, size: int = 1) -> bytes:
    """Return EXIF data whose tags all have the same long value, its own bytes, as numbers of a size."""
    entries = b"".join(struct.pack("<HHII", tag, kind, length // size, 8) for tag in range(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", tags) + entries + bytes(length)


def avif_of_tags(tags: int, length: int) -> bytes:
    """Return an AVIF with such data, which no encoder would take."""
    plain = saved(Image.new("RGB", (64, 64), GREEN), "AVIF", exif=exif_of_tags(1, length + 12 * tags))
    hostile = exif_of_tags(tags, length)
    at = plain.index(hostile[:8])
    return plain[:at] + hostile + plain[at + len(hostile) :]


def animation(form: str, frames: int) -> bytes:
    """Return a film of that many frames."""
    pictures = [Image.new("RGB", (16, 16), (0, i % 256, i // 256)) for i in range(frames)]
    return saved(pictures[0], form, save_all=True, append_images=pictures[1:])
