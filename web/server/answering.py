"""The threads that answer photos, so that decoding never blocks the event loop, and how many may wait."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from fastapi import HTTPException

from model.cores import CORES
from web.server.limits import BUSY

T = TypeVar("T")


class Answering:
    """A thread for each core, and one for a photo that comes alone.

    That one always finds what it left in its core's caches, as does the multi-threaded interpreter that such
    a photo takes. The others take the next photo by themselves: anyio's would wait until the event loop hands
    it out.
    """

    def __init__(self, most: int) -> None:
        self.most, self.requests = most, 0
        self.alone, self.together = ThreadPoolExecutor(1), ThreadPoolExecutor(CORES)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a request in hand. Raises HTTPException (503) instead of keeping too many waiting."""
        if self.requests == self.most:
            raise HTTPException(503, BUSY, {"Retry-After": "1"})
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function for a request in hand on one of the threads; return what it returns."""
        threads = self.alone if self.requests == 1 else self.together
        return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)
