"""Settings from environment variables, of which a wrong one ends the program, and limits that nobody sets."""

import ipaddress
import os
import re
import sys

ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/\s*]+")
DEFAULT_PORT = re.compile(r"^(http://.*):80$|^(https://.*):443$")  # browsers leave it out


def whole_number(name: str, default: int, least: int = 0, most: int = 1_000_000) -> int:
    """Return the number in a variable, from `least` to `most`, or the default if it is not set or empty."""
    told = (os.environ.get(name) or str(default)).strip()
    if not (told.isascii() and told.isdigit() and least <= int(told) <= most):
        sys.exit(f"app.py: {name} must be a whole number, from {least} to {most}.")
    return int(told)


def number_of_minutes(name: str) -> float:
    """Return the minutes in a variable, 0 if it is not set or empty, up to a year."""
    try:
        minutes = float(os.environ.get(name) or 0)
    except ValueError:
        minutes = -1
    if not 0 <= minutes <= 60 * 24 * 365:
        sys.exit(f"app.py: {name} must be a number of minutes, or 0 for never.")
    return minutes


def origins(name: str) -> list[str]:
    """Return the sites in a variable as browsers name them, such as https://farm.example, or * for all."""
    told = os.environ.get(name, "").split(",")
    sites = [DEFAULT_PORT.sub(r"\1\2", site) for part in told if (site := part.strip(" /").lower())]
    if wrong := [site for site in sites if not ORIGIN.fullmatch(site)]:
        sys.exit(
            f"app.py: {name} names sites like https://farm.example, separated by commas; not {wrong[0]}."
        )
    return sites


def networks(name: str) -> str:
    """Return the addresses and networks in a variable, separated by commas, or * for all."""
    told = [part for each in os.environ.get(name, "").split(",") if (part := each.strip())]
    for part in told if told != ["*"] else ():
        try:
            ipaddress.ip_network(part)
        except ValueError:
            sys.exit(f"app.py: {name} names addresses or networks, like 10.0.0.0/8; not {part}.")
    return ",".join(told)


ON_SPACE = "SPACE_ID" in os.environ  # of the Hub
MAX_UPLOAD_MB = whole_number("MAX_UPLOAD_MB", 20, least=1)  # megabytes of a photo
# Requests of one client, 0 for any number. A photo on the page is two of them, or three: the one before is
# cleared, it is sent, and then answered.
MAX_PER_MINUTE = whole_number("MAX_PER_MINUTE", 120 if ON_SPACE else 0)
MAX_PHOTOS = 32  # at once
MEGABYTE = 1_000_000  # bytes
