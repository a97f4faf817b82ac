"""Pages in a browser of this machine, by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

_NAMES = "chromium", "chromium-browser", "google-chrome", "chrome"
# As root, and without a GPU.
_FLAGS = "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"


def lacking() -> str:
    """What is not here, for people; empty if nothing."""
    if find_spec("playwright") is None:
        return "the package playwright"
    return "" if _found() else "a browser, such as by apt-get install chromium"


@contextmanager
def page(width: int, height: int) -> Iterator[Any]:
    """An empty page, of pixels; skips where there is no browser."""
    if missing := lacking():
        pytest.skip(f"a page in a browser takes {missing}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_found(), args=_FLAGS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def _found() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)
