"""What a photo took goes back to the system when it is answered."""

import ctypes
import sys

M_MMAP_THRESHOLD = -3  # mallopt's name for it, malloc.h
LARGE = 256 * 1024  # bytes


def give_back_large_blocks() -> None:
    """Let glibc map each block above LARGE by itself, and so unmap it as soon as it is free.

    Left alone it does so only up to the size of the largest block freed so far: after the first large photos
    all others' pixels lie in the heap, which thereby grows and hardly ever shrinks. Other C libraries return
    memory in ways of their own.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
