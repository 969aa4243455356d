"""How a picture becomes the model's input: untrusted bytes -> an upright RGB square, or a clear error.

Training and serving both use `prepare`, so that a model is served the kind of pixels it was trained on.
"""

import io
import stat
import struct
import threading
import warnings
from pathlib import Path

import numpy as np
import pi_heif
from PIL import AvifImagePlugin, ExifTags, Image, JpegImagePlugin, WebPImagePlugin  # noqa: F401 they register

from model.cores import CORES
from model.overload import is_heavy_exif, is_overloaded

warnings.filterwarnings("ignore", module="PIL")  # odd metadata is no news to the user
pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
# Skips Pillow's search for further pictures in the file: a crafted directory of them could keep it busy.
Image.register_open("JPEG", JpegImagePlugin.JpegImageFile, lambda start: start.startswith(b"\xff\xd8\xff"))
_load_exif = Image.Exif.load


def _load_light_exif(exif: Image.Exif, data: bytes) -> None:
    _load_exif(exif, b"" if is_heavy_exif(data) else data)


Image.Exif.load = _load_light_exif  # Pillow calls it itself while it opens a file

# Increase this when a change alters the pixels of any photo: cached pixels are then prepared again.
VERSION = 2

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")
FORMAT_NAMES = "JPEG, PNG, WebP, GIF, BMP, AVIF, HEIC"
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif", ".heic", ".heif")
MAX_PIXELS = 64_000_000  # a 50-megapixel phone photo passes; a decompression bomb does not
MAX_FILE = 1_000_000_000  # bytes, more than any picture of so many pixels takes
MAX_SIDE = 65_535  # as in JPEG; of a million rows Pillow's own bookkeeping would take gigabytes
# Their decoders need 10 to 16 bytes a pixel: half a gigabyte for this many.
MAX_PIXELS_OF = {"WEBP": 32_000_000, "AVIF": 32_000_000}

# Types that people do send and we do not read, told by their first bytes (offset, bytes).
UNREAD_TYPES = {
    "TIFF": (0, (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    "PDF": (0, (b"%PDF",)),
    "SVG": (0, (b"<svg", b"<?xml")),
    "Photoshop": (0, (b"8BPS",)),
    "JPEG 2000": (0, (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    "JPEG XL": (0, (b"\0\0\0\x0cJXL ", b"\xff\x0a")),
    "ICO": (0, (b"\0\0\1\0",)),
    "MP4": (4, (b"ftypiso", b"ftypmp4", b"ftypqt", b"ftypM4V", b"ftyp3g")),
    "WebM": (0, (b"\x1aE\xdf\xa3",)),
    "ZIP": (0, (b"PK\x03\x04",)),
}

# How those begin (offset, bytes) that are none but damaged ones if they can't be opened.
KNOWN = (
    (0, (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")),
    (8, b"WEBP"),
    (4, (b"ftypavif", b"ftypavis", b"ftypheic", b"ftypheix")),
)

# EXIF orientation (TIFF 6.0 / EXIF 2.3, tag 0x0112) -> what makes the picture upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What Pillow says of texts and colour profiles in a PNG that unpack to megabytes.
TOO_MUCH = ("Decompressed data too large", "Too much memory used")

# What Pillow's decoders raise on damaged data.
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    RuntimeError,  # of AVIF
    AssertionError,  # of a PNG that has lost its palette
    struct.error,
    Image.DecompressionBombError,
)


class PhotoError(ValueError):
    """A photo we can't answer.

    `str` of it is one sentence for the user; `reason` and `values` serve to say it in other words.
    """

    reason: str
    sentence: str

    def __init__(self, **values: object) -> None:
        super().__init__(self.sentence.format(**values))
        self.values = values


class EmptyError(PhotoError):
    """No bytes at all."""

    reason = "empty"
    sentence = "The file is empty; please choose a photo."


class NoPictureError(PhotoError):
    """A file that is nothing we know."""

    reason = "no_picture"
    sentence = "This is not a picture we can read; please send one of {formats}."


class UnreadTypeError(PhotoError):
    """A file of a known type that we do not read."""

    reason = "unread_type"
    sentence = "We don't read {kind} files; please send one of {formats}."


class TooLargeError(PhotoError):
    """More pixels than we are ready to decode."""

    reason = "too_large"
    sentence = "The picture has more than {megapixels} megapixels; please send a smaller one."


class TooLongError(PhotoError):
    """More pixels in a row or a column than we are ready to decode."""

    reason = "too_long"
    sentence = "A side of the picture has more than {pixels} pixels; please send a smaller one."


class OverloadedError(PhotoError):
    """More in a file than any photo holds; it might keep us busy for minutes."""

    reason = "overloaded"
    sentence = "The file holds too much besides its picture; please send a plain photo."


class DamagedError(PhotoError):
    """A picture that breaks off or makes no sense."""

    reason = "damaged"
    sentence = "The picture is damaged and can't be read; please send the original file."


# How many photos are decoded at a time: more would take more memory, not less time.
_places = threading.BoundedSemaphore(CORES)


def is_called_photo(name: str) -> bool:
    """Tell whether a file's name ends like that of a photo."""
    return name.lower().endswith(SUFFIXES)


def prepare(source: bytes | Path, size: int) -> np.ndarray:
    """Return the photo's upright centre square, scaled to `size`: uint8 [size, size, 3] RGB, 0 to 255.

    The square is as large as the photo's shorter side, whatever its shape. Of an animation it is the first
    frame; transparent parts become white. Raises one of the PhotoErrors, with a sentence; and OSError if
    `source` is a path and the file can't be read.
    """
    with _places:  # a file is not read before its turn either
        return _prepared(_open(read(source) if isinstance(source, Path) else source), size)


def read(file: Path) -> bytes:
    """Return a file's content. Raises PhotoError if it can't be a photo's, else as reading does."""
    status = file.stat()
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):  # a device, which may never end
        raise NoPictureError(formats=FORMAT_NAMES)
    if status.st_size > MAX_FILE:
        raise OverloadedError
    return file.read_bytes()


def _prepared(image: Image.Image, size: int) -> np.ndarray:
    try:
        turn = UPRIGHT.get(_orientation(image))
        # Lets a JPEG decode at 1/2, 1/4 or 1/8 of its size, if that is still enough.
        image.draft("RGB", (size, size))
        image = _in_eight_bits(image)
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        square = (left, top, left + side, top + side)
        image = _on_white(image.resize((size, size), Image.Resampling.BILINEAR, square))
        if turn is not None:
            image = image.transpose(turn)  # a centre square turned is the turned photo's centre square
        return np.asarray(image)
    except DECODE_ERRORS as error:
        raise DamagedError from error


def _open(data: bytes) -> Image.Image:
    """Read the header only, and check from it that the picture is one we will decode."""
    if not data:
        raise EmptyError
    if is_overloaded(data):
        raise OverloadedError
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise TooLargeError(megapixels=MAX_PIXELS // 1_000_000) from error
    except DECODE_ERRORS as error:
        if any(said in str(error) for said in TOO_MUCH):
            raise OverloadedError from error
        if any(data.startswith(starts, offset) for offset, starts in KNOWN):
            raise DamagedError from error
        for name, (offset, starts) in UNREAD_TYPES.items():
            if data.startswith(starts, offset):
                raise UnreadTypeError(kind=name, formats=FORMAT_NAMES) from error
        raise NoPictureError(formats=FORMAT_NAMES) from error
    most = MAX_PIXELS_OF.get(image.format, MAX_PIXELS)
    if image.width * image.height > most:
        raise TooLargeError(megapixels=most // 1_000_000)
    if max(image.size) > MAX_SIDE:
        raise TooLongError(pixels=MAX_SIDE)
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODE_ERRORS:
        return 1  # metadata that can't be read turns nothing


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Convert to RGB, or RGBA if parts are transparent."""
    if image.mode.startswith("I"):  # 16-bit grey: convert("RGB") would clip, not scale
        values = np.array(image, dtype=np.float32)
        opaque = values != image.info.get("transparency", -1)
        values /= 257  # in place: a large picture is a gigabyte
        image = Image.fromarray(values.clip(0, 255, out=values).astype(np.uint8))
        del values
        if not opaque.all():
            image = image.convert("RGBA")  # whose alpha is then set in place
            image.putalpha(Image.fromarray(opaque))
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)  # which would copy it


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
