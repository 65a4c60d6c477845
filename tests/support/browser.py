"""Chromium, for the files of tests that look at pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.support.service import Service

_CHROMIUM = Path("/usr/bin/chromium")
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
expect.set_options(timeout=30_000)  # milliseconds, as for everything else that a page does; a busy machine needs them


def launch(playwright: Playwright) -> Browser:
    """Chromium from the distribution's packages."""
    assert _CHROMIUM.exists(), "the pages are tested in Chromium: apt-get install chromium"
    return playwright.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)


_PASSWORD = "correct horse battery"
_OPERATOR = """
from django.contrib.auth.models import User
User.objects.filter(username="{name}").exists() or User.objects.create_superuser("{name}", password="{password}")
"""


@contextmanager
def operator(service: Service, name: str) -> Iterator[Page]:
    """A superuser's window, signed in to the admin; the user is made if need be."""
    service.manage("shell", "-v", "0", "-c", _OPERATOR.format(name=name, password=_PASSWORD))
    with sync_playwright() as playwright:
        browser = launch(playwright)
        window = browser.new_page(base_url=service.url)
        window.goto("/admin/login/")
        window.fill("#id_username", name)
        window.fill("#id_password", _PASSWORD)
        window.press("#id_password", "Enter")
        expect(window.get_by_label("Find")).to_be_visible()
        yield window
        browser.close()


@contextmanager
def heard(page: Page) -> Iterator[list[str]]:
    """What the browser's console says; nothing may be left at the end. A refused script or style would be there."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield said
    assert not [line for line in said if "favicon" not in line], said


def faint(page: Page, within: str = "body") -> list[str]:
    """The visible words that do not stand out from what is behind them: a contrast under 4.5 (WCAG 2.2)."""
    found: list[str] = page.evaluate(_FAINT, within)
    return found


_FAINT = """(within) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll(`${within} *:not(option, script, style)`)) {
    if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) continue;
    const shown = node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!shown || node.closest(":disabled")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${node.tagName} ${node.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
