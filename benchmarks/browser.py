"""Debian's Chromium without a window, driven by Playwright: for benchmarks and tests of the desk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--mute-audio", "--disable-dev-shm-usage",
)  # fmt: skip
# How long the page may take to become what is waited for, milliseconds.
_PATIENCE = 60_000.0


def find_chromium() -> str | None:
    """The browser's program, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def open_page(program: str) -> Iterator[Page]:
    """An empty page, 1440 by 900 CSS pixels. While it is open, its thread cannot run an event loop of its own.

    Args:
        program: of the browser, see `find_chromium`
    """
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=_OPTIONS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(_PATIENCE)
        yield page


def grab(page: Page, selector: str) -> tuple[float, float]:
    """Press the mouse on the middle of an element; return where that is, CSS pixels."""
    box = page.locator(selector).bounding_box()
    if box is None:
        raise RuntimeError(f"{selector} is not to be seen")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y
