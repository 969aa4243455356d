"""Large blocks of memory go back to the system, also after larger ones were free."""

import platform

import pytest
from conftest import run

FREED = """
import sys
from pathlib import Path
from web.memory import give_back_large_blocks

def held():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1000

if sys.argv[1] == "yes":
    give_back_large_blocks()
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
