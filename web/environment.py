"""Numeric settings from environment variables."""

import os
import sys


def whole_number(name: str, default: int, least: int = 0, most: int = 1_000_000) -> int:
    """Return the number in a variable, from `least` to `most`, or the default if it is not set or empty.

    Anything else ends the program with a sentence.
    """
    told = (os.environ.get(name) or str(default)).strip()
    if not (told.isascii() and told.isdigit() and least <= int(told) <= most):
        sys.exit(f"app.py: {name} must be a whole number, from {least} to {most}.")
    return int(told)


def number_of_minutes(name: str) -> float:
    """Return the minutes in a variable, 0 if it is not set or empty, up to a year.

    Anything else ends the program with a sentence.
    """
    try:
        minutes = float(os.environ.get(name) or 0)
    except ValueError:
        minutes = -1
    if not 0 <= minutes <= 60 * 24 * 365:
        sys.exit(f"app.py: {name} must be a number of minutes, or 0 for never.")
    return minutes
