"""Uploads wait in files; large blocks of memory go back to the system, also after larger ones were free."""

import contextlib
import platform
import sys
import time
from pathlib import Path

import pytest
from conftest import run
from connecting import HEAD, begun

FREED = """
import sys
from pathlib import Path
from web.server.memory import use_little_memory

def held():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1000

if sys.argv[1] == "yes":
    use_little_memory()
del (largest := [b"x" * 30_000_000])[0]
before = held()
kept = []
photos = []
for _ in range(20):
    photos.append(b"x" * 5_000_000)
    kept.append(b"x" * 2_000)  # on top of it in the heap, if it lies there
photos.clear()
print(held() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps large blocks")
def test_large_blocks_go_back_to_the_system():
    megabytes = {told: int(run("-c", FREED, told).stdout) for told in ("yes", "no")}
    assert megabytes["yes"] <= 5
    assert megabytes["no"] >= 20


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_upload_waits_in_a_file(server):
    def unnamed_files() -> set[str]:
        names = set()
        for opened in Path(f"/proc/{server.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                names.add(str(opened.readlink()))
        return {name for name in names if name.endswith(" (deleted)")}

    before = unnamed_files()  # pytest's own, for what the server prints
    until = time.monotonic() + 20
    with begun(server.url, HEAD + bytes(300_000), 1_000_000):
        while not unnamed_files() - before:
            assert time.monotonic() < until
            time.sleep(0.02)
