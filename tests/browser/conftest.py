"""A Chromium for the tests of the page."""

import os
from collections.abc import Iterator

import pytest
from driving import find_chromium, open_browser
from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("Chromium is not on this machine")
    with open_browser(chromium) as running:
        yield running
