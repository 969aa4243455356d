import io
import os
import re
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hostile
import numpy as np
import pytest
from making import AVIF, HEIC, JPEG, LEAF, WEBP, encode
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from model import photo
from model.overload import is_heavy_exif


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return np.abs(a.astype(int) - b).mean()


def test_it_gives_the_centre_square_scaled():
    wide = Image.new("RGB", (400, 200), "red")
    wide.paste(LEAF, (100, 0))
    assert difference(photo.prepare(encode(wide), 64), photo.prepare(encode(LEAF), 64)) < 1


def test_a_path_and_its_bytes_are_the_same_photo(tmp_path):
    path = tmp_path / "leaf.jpg"
    path.write_bytes(encode(LEAF, "JPEG"))
    np.testing.assert_array_equal(photo.prepare(path, 64), photo.prepare(path.read_bytes(), 64))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(200, 200), (211, 150)])
def test_exif_orientation_shows_the_photo_upright(orientation, shape):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encode(LEAF.resize(shape), exif=exif)
    with Image.open(io.BytesIO(stored)) as opened:
        upright = encode(ImageOps.exif_transpose(opened))
    assert difference(photo.prepare(stored, 64), photo.prepare(upright, 64)) < 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "YCbCr"])
def test_every_mode_is_read(mode):
    form = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    pixels = photo.prepare(encode(LEAF.convert(mode), form), 64)
    grey = mode in ("L", "LA", "1")
    expected = photo.prepare(encode(LEAF.convert("L") if grey else LEAF), 64)
    assert difference(pixels, expected) < (40 if mode == "1" else 12)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF"])
def test_every_format_is_read(form):
    assert difference(photo.prepare(encode(LEAF, form), 64), photo.prepare(encode(LEAF), 64)) < 12


def test_16_bit_grey_is_scaled_not_clipped():
    grey = np.asarray(LEAF.convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    expected = photo.prepare(encode(LEAF.convert("L")), 64)
    assert difference(photo.prepare(encode(deep), 64), expected) < 1


CLEAR = {  # modes of a PNG: what is black there, and what is transparent, by itself or as the file says
    "RGBA": ((0, 0, 0, 255), (0, 0, 0, 0), {}),
    "LA": ((0, 255), (0, 0), {}),
    "P": (0, 1, {"transparency": 1}),
    "L": (0, 9, {"transparency": 9}),
    "RGB": ((0, 0, 0), (9, 9, 9), {"transparency": (9, 9, 9)}),
    "I;16": (0, 0x0909, {"transparency": 0x0909}),
}


@pytest.mark.parametrize("mode", CLEAR)
def test_transparent_parts_are_white(mode):
    black, clear, told = CLEAR[mode]
    picture = Image.new(mode, (64, 64), black)
    picture.paste(clear, (32, 0, 64, 64))
    if mode == "P":
        picture.putpalette([0, 0, 0, 9, 9, 9])
    pixels = photo.prepare(encode(picture, **told), 64)
    assert (pixels[:, :31] == 0).all()
    assert (pixels[:, 33:] == 255).all()


def test_of_an_animation_it_takes_the_first_frame():
    blank = Image.new("RGB", LEAF.size, "blue")
    animation = encode(LEAF, "GIF", save_all=True, append_images=[blank, blank])
    assert difference(photo.prepare(animation, 64), photo.prepare(encode(LEAF), 64)) < 12


def test_one_pixel_is_a_photo():
    assert (photo.prepare(encode(Image.new("RGB", (1, 1), (10, 20, 30))), 64) == [10, 20, 30]).all()


def test_a_large_jpeg_is_decoded_at_reduced_size_to_nearly_the_same_pixels():
    large = LEAF.resize((300, 300), Image.Resampling.BICUBIC)
    reduced, full = photo.prepare(encode(large, "JPEG", quality=95), 64), photo.prepare(encode(large), 64)
    assert difference(reduced, full) < 2


def png_claiming(width: int, height: int, colour_type: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(hostile.chunk(*part) for part in parts)


READ = "please send one of JPEG, PNG, WebP, GIF, BMP, AVIF, HEIC."
DAMAGED = "The picture is damaged and can't be read; please send the original file."
MUCH = "The file holds too much besides its picture; please send a plain photo."
LARGE = "The picture has more than 64 megapixels; please send a smaller one."
REFUSED = {
    "empty": (b"", photo.EmptyError, "The file is empty; please choose a photo."),
    "text": (b"hello, I am a photo", photo.NoPictureError, f"This is not a picture we can read; {READ}"),
    "truncated": (JPEG[: len(JPEG) // 2], photo.DamagedError, DAMAGED),
    "damaged": (png_claiming(300, 300), photo.DamagedError, DAMAGED),
    "without its palette": (png_claiming(48, 48, colour_type=3), photo.DamagedError, DAMAGED),
    "damaged AVIF": (AVIF[: len(AVIF) // 2] + bytes(len(AVIF) // 2), photo.DamagedError, DAMAGED),
    "half an AVIF": (AVIF[: len(AVIF) // 2], photo.DamagedError, DAMAGED),
    "a WebP without its end": (WEBP[:-2], photo.DamagedError, DAMAGED),
    "a row of a million": (
        png_claiming(1_000_000, 1),
        photo.TooLongError,
        "A side of the picture has more than 65535 pixels; please send a smaller one.",
    ),
    "a column of a million": (
        png_claiming(1, 1_000_000),
        photo.TooLongError,
        "A side of the picture has more than 65535 pixels; please send a smaller one.",
    ),
    "huge": (png_claiming(30_000, 30_000), photo.TooLargeError, LARGE),
    "large": (png_claiming(9_000, 9_000), photo.TooLargeError, LARGE),
    "damaged HEIC": (HEIC[: len(HEIC) // 2], photo.DamagedError, DAMAGED),
    "the beginning of a HEIC": (b"\0\0\0\x24ftypheic\0\0\0\0", photo.DamagedError, DAMAGED),
    "large for an AVIF": (
        re.sub(rb"(?s)(ispe.{4}).{8}", rb"\1" + struct.pack(">II", 8000, 5000), AVIF),
        photo.TooLargeError,
        LARGE.replace("64", "32"),
    ),
    "large for a WebP": (
        encode(Image.new("RGB", (6000, 6000)), "WEBP", lossless=True, quality=0, method=0),
        photo.TooLargeError,
        LARGE.replace("64", "32"),
    ),
    "a comment in many blocks": (hostile.gif_of_comments(5_001), photo.OverloadedError, MUCH),
    "comments behind an extension that begins with nothing": (
        hostile.gif_of_comments(5_001, before=b"!\xf9\0,\0"),
        photo.OverloadedError,
        MUCH,
    ),
    "comments behind how often to loop, which is not told": (
        hostile.gif_of_comments(5_001, before=b"!\xff\x0bNETSCAPE2.0\0,\0"),
        photo.OverloadedError,
        MUCH,
    ),
    "many scans": (hostile.jpeg_of_many_scans(64, 101), photo.OverloadedError, MUCH),
    "many markers": (hostile.jpeg_of_markers(100_000, 101), photo.OverloadedError, MUCH),
    "many empty scans": (hostile.jpeg_of_empty_scans(64, 101), photo.OverloadedError, MUCH),
    "many segments": (
        hostile.jpeg_with(hostile.segment(0xE1, b"Exif\0\0") * 1_001),
        photo.OverloadedError,
        MUCH,
    ),
    "many segments behind an end": (
        hostile.jpeg_with(b"\xff\xd9", hostile.segment(0xE1, b"Exif\0\0") * 1_001),
        photo.OverloadedError,
        MUCH,
    ),
    "many segments in one": (
        hostile.jpeg_with(hostile.segment(0xF0, hostile.segment(0xE1, b"Exif\0\0") * 1_001)),
        photo.OverloadedError,
        MUCH,
    ),
    "junk": (hostile.jpeg_with(bytes(8_000_001)), photo.OverloadedError, MUCH),
    "many chunks": (
        hostile.png_with(hostile.chunk(b"tEXt", b"a\0b") * 10_001),
        photo.OverloadedError,
        MUCH,
    ),
    "a colour profile of 50 megabytes": (
        hostile.png_with(hostile.chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(50_000_000)))),
        photo.OverloadedError,
        MUCH,
    ),
    "a text of two megabytes": (
        hostile.png_with(hostile.chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2_000_000)))),
        photo.OverloadedError,
        MUCH,
    ),
    "many texts of a megabyte": (
        hostile.png_with(hostile.chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 70),
        photo.OverloadedError,
        MUCH,
    ),
    "a PNG that begins with nothing": (b"\x89PNG\r\n\x1a\n" + bytes(20), photo.DamagedError, DAMAGED),
    "pdf": (b"%PDF-1.7", photo.UnreadTypeError, f"We don't read PDF files; {READ}"),
}
UNREAD = [
    ("TIFF", encode(LEAF, "TIFF")),
    ("TIFF", b"MM\0*\0\0\0\x08"),
    ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ("SVG", b"<?xml version='1.0'?><svg/>"),
    ("Photoshop", b"8BPS\0\x01"),
    ("MP4", b"\0\0\0\x18ftypmp42"),
    ("MP4", b"\0\0\0\x14ftypqt  "),
    ("MP4", b"\0\0\0\x14ftypiso5"),
    ("WebM", b"\x1aE\xdf\xa3\x01"),
    ("JPEG 2000", encode(LEAF, "JPEG2000")),
    ("JPEG XL", b"\xff\x0a\xfa"),
    ("ICO", encode(LEAF, "ICO")),
    ("ZIP", b"PK\x03\x04\x14\0"),
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_why(name):
    data, error, sentence = REFUSED[name]
    with pytest.raises(photo.PhotoError) as caught:
        photo.prepare(data, 64)
    assert (type(caught.value), str(caught.value)) == (error, sentence)


def test_what_never_ends_or_is_larger_than_any_photo_is_not_read(tmp_path):
    with pytest.raises(photo.NoPictureError):
        photo.prepare(Path("/dev/zero"), 64)
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(photo.MAX_FILE + 1)  # which takes no room
    with pytest.raises(photo.OverloadedError):
        photo.prepare(tmp_path / "large.jpg", 64)


def test_a_photo_may_come_through_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit((tmp_path / "pipe").write_bytes, JPEG)
        assert photo.prepare(tmp_path / "pipe", 64).shape == (64, 64, 3)
        assert sent.result() == len(JPEG)


@pytest.mark.parametrize(("kind", "data"), UNREAD)
def test_types_that_people_do_send_and_we_do_not_read_are_named(kind, data):
    with pytest.raises(photo.UnreadTypeError, match=f"^We don't read {kind} files; {READ}$"):
        photo.prepare(data, 64)


HEAVY = hostile.exif_of_tags(600, 100_000)
NOISE = np.random.default_rng(1).integers(0, 256, (1700, 1700, 3), dtype=np.uint8)
ODD = {
    "JPEG with tags that take gigabytes": hostile.jpeg_with(
        hostile.segment(0xE1, b"Exif\0\0" + hostile.exif_of_tags(501, 50_000))
    ),
    "JPEG with such tags behind more data": hostile.jpeg_with(
        *(hostile.segment(0xE1, b"Exif\0\0" + part) for part in (HEAVY[:60_000], HEAVY[60_000:]))
    ),
    "PNG with tags that take gigabytes": hostile.png_with(hostile.chunk(b"eXIf", HEAVY)),
    "WebP with such tags": encode(LEAF, "WEBP", exif=HEAVY),
    "AVIF with such tags": hostile.avif_of_tags(600, 10_000_000),
    "JPEG with tags of fractions for a directory of pictures": hostile.jpeg_with(
        hostile.segment(0xE2, b"MPF\0" + hostile.exif_of_tags(300, 60_000, kind=5, size=8))
    ),
    "PNG with megabytes of text": hostile.png_with(
        *(hostile.chunk(b"zTXt", b"%d\0\0" % i + zlib.compress(bytes(900_000), 1)) for i in range(20))
    ),
    "JPEG with garbage for a profile": encode(LEAF, "JPEG", icc_profile=b"no profile" * 1000),
    "PNG with garbage for a profile": encode(LEAF, icc_profile=b"no profile" * 1000),
    "GIF film": hostile.animation("GIF", 2000),
    "WebP film": hostile.animation("WEBP", 1000),
    "PNG film": hostile.animation("PNG", 2000),
    "JPEG with a long run of filling": hostile.jpeg_with(b"\xff" * 100_000 + b"\0"),
    "JPEG and ZIP in one": JPEG + b"PK\x03\x04" + bytes(1000),
    "JPEG and a film behind it": JPEG + hostile.START_OF_SCAN * 10_000,
    "BMP of runs": hostile.bmp_of_runs(1000),
    "a line": encode(Image.new("RGB", (10_000, 1))),
    # As much as real photos hold, and no more than we are ready for.
    "PNG of 8.6 megabytes of pixels": encode(Image.fromarray(NOISE), compress_level=0),
    "JPEG with a depth map of 7 megabytes": hostile.jpeg_with(hostile.segment(0xE2, bytes(65_000)) * 107),
    "JPEG with EXIF of 61,000 bytes and 300 tags": hostile.jpeg_with(
        hostile.segment(0xE1, b"Exif\0\0" + hostile.exif_of_tags(300, 61_000 - 300 * 12 - 10))
    ),
    "JPEG of 90 scans": hostile.jpeg_of_many_scans(64, 90),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_but_answered(name):
    started = time.process_time()
    assert photo.prepare(ODD[name], 64).shape == (64, 64, 3)
    assert time.process_time() - started < 2


def test_tags_are_counted_however_often_the_data_says_what_it_is():
    assert is_heavy_exif(b"Exif\0\0" * 2 + HEAVY)
    assert not is_heavy_exif(b"Exif\0\0" * 2 + hostile.exif_of_tags(20, 100))


def test_tags_are_counted_in_either_order_of_bytes_and_few_may_be_too_long():
    entries = b"".join(struct.pack(">HHII", tag, 7, 1, 8) for tag in range(600))
    assert is_heavy_exif(b"MM\0*\0\0\0\x08" + struct.pack(">H", 600) + entries)
    assert is_heavy_exif(hostile.exif_of_tags(9, 200_000))


def test_a_png_is_turned_as_imagemagick_noted_it():
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = PngInfo()
    profile.add_text("Raw profile type exif", f"\nexif\n{len(exif.tobytes())}\n{exif.tobytes().hex()}")
    turned = photo.prepare(encode(LEAF, pnginfo=profile), 64)
    assert difference(turned, photo.prepare(encode(LEAF.transpose(Image.Transpose.ROTATE_270)), 64)) < 1


def test_garbage_in_the_metadata_turns_nothing():
    garbage = encode(LEAF, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert difference(photo.prepare(garbage, 64), photo.prepare(JPEG, 64)) < 1


def test_photos_are_known_by_the_ends_of_their_names():
    ends = ["jpg", "JPEG", "jfif", "png", "webp", "gif", "bmp", "avif", "HEIC", "heif"]
    assert all(photo.is_called_photo(f"leaf.{end}") for end in ends)
    assert not photo.is_called_photo("leaf.tif")
