"""The memory that app.py takes while 32 photos of 50 megapixels come in at once, and what becomes of them.

python tests/bench/hostile.py [--photos 32] [--model FOLDER]

One server for each kind of file; the peak is that of the process, before the photos and after.
"""

import argparse
import collections
import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx2
from conftest import serve
from drawing import photograph
from hostile import saved
from PIL import Image
from serve import peak_memory

from model import bundle

SIZE = (8160, 6120)
KINDS = {
    "JPEG": lambda picture: saved(picture, "JPEG", quality=85),
    "progressive JPEG": lambda picture: saved(picture, "JPEG", quality=85, progressive=True),
    "PNG with transparency": lambda picture: saved(
        Image.new("RGBA", picture.size, (90, 120, 60, 9)), "PNG", compress_level=1
    ),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=32)
    parser.add_argument("--model", default=str(bundle.DEFAULT), metavar="FOLDER")
    options = parser.parse_args()
    with Image.open(io.BytesIO(photograph(2040, 1530))) as drawn:
        picture = drawn.resize(SIZE, Image.Resampling.BILINEAR)
    for kind, make in KINDS.items():
        photo = make(picture)
        with serve(MODEL_REPO=options.model) as server:
            httpx2.get(server.url, timeout=60)  # the page is there
            before, started = peak_memory(server.process), time.perf_counter()

            def send(_: int, photo: bytes = photo, url: str = server.url) -> int:
                return httpx2.post(f"{url}/predict", files={"file": photo}, timeout=600).status_code

            with ThreadPoolExecutor(options.photos) as pool:
                statuses = collections.Counter(pool.map(send, range(options.photos)))
            seconds, peak = time.perf_counter() - started, peak_memory(server.process)
            print(
                f"{kind}, {len(photo) / 1e6:.1f} MB: {dict(statuses)} in {seconds:.1f} s; "
                f"peak memory {before:.0f} -> {peak:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
