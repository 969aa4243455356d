"""Settings, which are environment variables, that hold numbers."""

import os
import sys


def whole_number(name: str, default: int, most: int = 1_000_000) -> int:
    """Return the number that a variable holds, from 0 to `most`, or the default if it is not set or empty.

    Anything else ends the program with a sentence.
    """
    told = (os.environ.get(name) or str(default)).strip()
    if not (told.isascii() and told.isdigit() and int(told) <= most):
        sys.exit(f"app.py: {name} must be a whole number, from 0 to {most}.")
    return int(told)
