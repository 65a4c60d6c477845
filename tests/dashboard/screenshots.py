"""`python -m tests.dashboard.screenshots`: each page of the demonstration as docs/screenshots: light, dark, narrow."""

import base64
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from config.env import ROOT
from tests.dashboard.browser import let_in, window
from tests.support.browser import launch
from tests.support.service import Service

FOLDER = ROOT / "docs" / "screenshots"
PAGES = ("overview", "jobs", "keys", "budgets", "batches", "capabilities", "playground", "members", "audit", "refused")
PROJECTS = ("atlas", "borealis")
LOOKS = {"light": ("light", 1280, 860), "dark": ("dark", 1280, 860), "narrow": ("light", 390, 780)}


def main() -> None:
    """Start the demonstration and take the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ccs-shots-") as directory, sync_playwright() as playwright:
        service = Service(Path(directory), upstream="", environ={"DEMO": "1"})
        try:
            service.environ["DATA_DIR"] = str(service.data_dir / "demo")  # where a demonstration keeps its own
            let_in(service, *(("mira", slug, "owner") for slug in PROJECTS))
            browser = launch(playwright)
            for look, (scheme, width, height) in LOOKS.items():
                with window(browser, service, "mira", width=width, height=height, color_scheme=scheme) as seen:
                    for name, address in _addresses(seen.page).items():
                        seen.page.goto(address)
                        seen.page.wait_for_load_state("networkidle" if name == "playground" else "load")
                        _take(seen.page, FOLDER / f"{name}-{look}.webp")
            browser.close()
        finally:
            service.stop()
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    sys.stdout.write(f"{len(list(FOLDER.iterdir()))} pictures, {size / 1e6:.2f} MB\n")


def _addresses(page: Page) -> dict[str, str]:
    found = {name: f"/p/atlas/{'' if name == 'overview' else name}" for name in PAGES}
    found["all"] = "/all/"
    page.goto("/p/atlas/jobs?kind=task&status=completed")
    found["job"] = page.locator("tbody tr[data-href]").first.get_attribute("data-href") or ""
    page.goto("/p/atlas/keys")
    found["key"] = page.locator("tbody tr[data-href]").nth(3).get_attribute("data-href") or ""
    page.goto("/p/atlas/budgets")
    found["budget"] = page.locator(".budget a").first.get_attribute("href") or ""
    return found


def _take(page: Page, path: Path) -> None:
    client = page.context.new_cdp_session(page)
    shot = client.send("Page.captureScreenshot", {"format": "webp", "quality": 72})
    path.write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    main()
