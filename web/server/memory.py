"""Photos take little memory while they wait, and it goes back to the system afterwards."""

import ctypes
import sys

from starlette.formparsers import MultiPartParser

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # mallopt's names for them, malloc.h
LARGE = 256 * 1024  # bytes
WAITING = 128 * 1024  # bytes of an upload to the REST API kept in memory; in a file it takes 1 ms more


def use_little_memory() -> None:
    """Keep larger uploads in files, and have glibc map each block above LARGE by itself, in one heap for all.

    Starlette would keep a megabyte of each upload. glibc unmaps such a block as soon as it is free; left
    alone it does so only up to the size of the largest block freed so far: after the first large photos all
    others' pixels lie in the heap, which thereby grows and hardly ever shrinks. Each thread would have a heap
    of its own, with gaps of its own. Other C libraries return memory in ways of their own.
    """
    MultiPartParser.spool_max_size = WAITING
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_ARENA_MAX, 1)
