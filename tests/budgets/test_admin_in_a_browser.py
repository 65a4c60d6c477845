"""The budget pages in Chromium, on the whole service with its real security headers: light, dark, narrow."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import heard, operator
from tests.support.service import Service

CAST = """
from datetime import timedelta
from django.utils import timezone
from apps.budgets import services
from apps.budgets.periods import Cycle
from apps.claude.spec import Usage
from apps.keys import services as keys

now = timezone.now()
project, _ = keys.ensure_project(slug="budgeted", now=now)
key, _ = keys.issue(project=project, name="ci", now=now)
month, day = Cycle("month", time_zone="Europe/Berlin"), Cycle("day", rolling=True)
for cycle, of, limit, tokens in ((month, None, 25_000_000, 4_000_000), (day, key, 2_000_000, None)):
    terms = services.Terms(name=f"of {cycle.period}", limit_microusd=limit, limit_tokens=tokens, emails="b@example.org")
    services.create(project=project, api_key=of, cycle=cycle, terms=terms, actor="test", now=now)
for number in range(4):
    job = {"project_id": project.pk, "key_id": key.pk, "job_id": f"job_{number:032}", "now": now}
    services.reserve(amount_microusd=420_000, tokens=9000, expires_at=now + timedelta(hours=1), **job)
    if number != 3:
        services.settle(cost_microusd=(150_000, 4_200, 300_000)[number], usage=Usage(1200, 400, 7000), **job)
"""
PAGES = ["budget", "budgetwindow", "hold", "ledgerentry", "alert", "budget/add"]


@pytest.fixture(scope="module")
def page(service: Service) -> Iterator[Page]:
    """A signed-in operator's window."""
    service.manage("shell", "-v", "0", "-c", CAST)
    with operator(service, "bea") as window:
        yield window


@pytest.fixture(autouse=True)
def complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about fails the test that made it complain."""
    with heard(page):
        yield


def photograph(page: Page, name: str) -> None:
    """For people who want to look: `PHOTOGRAPHS=directory bin/test tests/budgets`."""
    if directory := os.environ.get("PHOTOGRAPHS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", [360, 1280])
def test_pages_fit_their_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for name in PAGES:
        page.goto(f"/admin/budgets/{name}/")
        expect(page.locator("h1").first).to_be_visible()
        _look(page, width, name)
    page.goto("/admin/budgets/budget/?q=budgeted")
    page.get_by_role("link", name="of month").click()
    _look(page, width, "change")
    page.emulate_media(color_scheme=None)


def _look(page: Page, width: int, name: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        photograph(page, f"{name.replace('/', '-')}-{scheme}-{width}")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, name


def test_a_bar_shows_what_is_spent_and_held(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/admin/budgets/budget/?q=budgeted")
    bar = page.get_by_role("img", name="$0.4542 spent, $0.42 held of $2.00")
    whole, spent = bar.bounding_box(), bar.locator(".spent").bounding_box()
    assert whole is not None
    assert spent is not None
    assert spent["width"] / whole["width"] == pytest.approx(0.4542 / 2, abs=0.02)
    colours = {bar.locator(f".{part}").evaluate("node => getComputedStyle(node).fill") for part in ("spent", "free")}
    assert len(colours) == 2


def test_a_budget_is_made_changed_increased_and_deactivated(page: Page) -> None:
    page.goto("/admin/budgets/budget/add/?project=" + _project(page))
    page.fill("#id_name", "from the browser")
    page.fill("#id_limit_usd", "12.5")
    page.select_option("#id_period", "week")
    page.fill("#id_webhook_url", "https://hooks.example.org/x")
    page.get_by_role("button", name="Save", exact=True).click()
    assert page.get_by_label("Signing secret").input_value().startswith("whsec_")
    photograph(page, "secret")
    page.get_by_role("link", name="from the browser").click()
    page.fill("#id_limit_usd", "13")
    page.fill("#id_reason", "more traffic")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".messagelist")).to_contain_text("was changed successfully")
    page.get_by_role("button", name="Increase for a while").click()
    photograph(page, "increase")
    page.get_by_label("More US dollars").fill("5")
    page.get_by_label("Reason").fill("launch")
    page.get_by_role("button", name="Increase budgets").click()
    expect(page.locator(".messagelist")).to_contain_text("rom the browser: increased.")
    row = page.get_by_role("row").filter(has_text="from the browser")
    expect(row).to_contain_text("$18.00")
    row.get_by_role("link", name="from the browser").click()
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_label("Reason").fill("trial over")
    page.get_by_role("button", name="Deactivate budgets").click()
    expect(page.locator(".messagelist")).to_contain_text("1 budget deactivated.")


def test_a_hold_is_released(page: Page) -> None:
    page.goto("/admin/budgets/hold/?state__exact=held")
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", "release_selected")
    page.get_by_role("button", name="Go").click()
    photograph(page, "release")
    page.get_by_label("Reason").fill("its worker is gone")
    page.get_by_role("button", name="Release holds").click()
    expect(page.locator(".messagelist")).to_contain_text("1 hold released.")


def _project(page: Page) -> str:
    """The project's id, by its page's address."""
    page.goto("/admin/keys/project/?q=budgeted")
    page.get_by_role("link", name="budgeted").first.click()
    return page.url.split("/")[-3]
