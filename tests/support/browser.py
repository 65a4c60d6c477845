"""Chromium, for the files of tests that look at pages."""

from pathlib import Path

from playwright.sync_api import Browser, Playwright, expect

_CHROMIUM = Path("/usr/bin/chromium")
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
expect.set_options(timeout=30_000)  # milliseconds, as for everything else that a page does; a busy machine needs them


def launch(playwright: Playwright) -> Browser:
    """Chromium from the distribution's packages."""
    assert _CHROMIUM.exists(), "the pages are tested in Chromium: apt-get install chromium"
    return playwright.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)
