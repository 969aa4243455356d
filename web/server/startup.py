"""Gradio comes up in half the time."""

import gc
import inspect
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_start() -> Iterator[None]:
    """Import and build gradio without its writing type stubs and Python's looking for garbage.

    For each component's class, gradio parses the class's source and writes a .pyi file for editors beside it,
    unless `inspect.getfile` finds no source: 0.8 s. There is hardly any garbage yet; looking takes 0.2 s.
    """
    getfile = inspect.getfile

    def of_no_class(thing: object) -> str:
        if isinstance(thing, type):
            raise OSError("no source wanted")
        return getfile(thing)

    inspect.getfile = of_no_class
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        inspect.getfile = getfile
