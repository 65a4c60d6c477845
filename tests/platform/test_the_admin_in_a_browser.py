"""The admin and the logins in Chromium, on the whole service with its real headers: light, dark, on a phone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.people.cast import totp_of
from tests.support.browser import faint, launch
from tests.support.service import Person, Service

PASSWORD = "correct horse battery"
CAST = f"""
from django.contrib.auth.models import User
for name in ("ada", "grace"):
    User.objects.filter(username=name).exists() or User.objects.create_superuser(name, password="{PASSWORD}")
"""
PAGES = [
    "/admin/",
    "/admin/jobs/job/",
    "JOB",
    "/admin/keys/apikey/",
    "/admin/keys/apikey/add/",
    "/admin/keys/apikey/1/change/",
    "/admin/keys/project/1/change/",
    "/admin/permissions/profile/",
    "/admin/permissions/profile/try/?model=opus&profile=pro",
    "/admin/budgets/budget/add/",
    "/admin/budgets/ledgerentry/",
    "/admin/audit/auditevent/?outcome=refused",
    "EVENT",
    "/admin/auth/user/",
    "/admin/auth/user/1/change/",
    "/admin/auth/group/add/",
    "/account/",
    "/account/password/",
]


@pytest.fixture(scope="module")
def browser(service: Service) -> Iterator[Browser]:
    service.manage("shell", "-v", "0", "-c", CAST)
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def page(service: Service, browser: Browser) -> Iterator[Page]:
    """A fresh window, logged in nowhere. Whatever the browser complains about fails the test that made it complain."""
    said: list[str] = []
    window = browser.new_context(base_url=service.url).new_page()
    window.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    window.on("pageerror", lambda error: said.append(str(error)))
    yield window
    window.context.close()
    assert said == []


@pytest.fixture
def admin(page: Page) -> Page:
    """The window, logged in as an operator."""
    sign_in(page, "ada")
    expect(page.get_by_label("Find")).to_be_visible()
    return page


@pytest.fixture(scope="module")
def job(service: Service) -> str:
    """A chat that Alice had, after one that she was refused. The job's id."""
    alice: Person = service.alice
    ask = {"messages": [{"role": "user", "content": "Say hello."}]}
    alice.http.post("/v1/chat/completions", {**ask, "model": "opus"})
    answer = alice.http.post("/v1/chat/completions", {**ask, "model": "haiku"})
    return str(answer.json()["id"]).replace("chatcmpl-", "job_")


def sign_in(page: Page, name: str, door: str = "/admin/login/") -> None:
    page.goto(door)
    page.fill("#id_username", name)
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")


def photograph(page: Page, name: str) -> None:
    """For people who want to look: `PHOTOGRAPHS=directory bin/test tests/platform`."""
    if directory := os.environ.get("PHOTOGRAPHS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)


def look(page: Page, scheme: str, width: int, name: str) -> None:
    """The page fits its window, and every word on it stands out from its ground."""
    photograph(page, f"{name}-{scheme}-{width}")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} is {overflow} px too wide"
    assert faint(page) == [], name


@pytest.mark.parametrize("width", [390, 1280])
def test_main_pages_fit_their_window_and_can_be_read(admin: Page, job: str, width: int) -> None:
    admin.set_viewport_size({"width": width, "height": 850})
    for number, address in enumerate(PAGES):
        if address == "EVENT":
            admin.locator("#result_list .field-time a").first.click()
        else:
            admin.goto(address.replace("JOB", f"/admin/jobs/job/{job}/change/"))
        expect(admin.locator("h1").first).to_be_attached()
        for scheme in ("light", "dark"):
            admin.emulate_media(color_scheme=scheme)
            look(admin, scheme, width, f"admin-{number:02}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_logins_fit_a_phone_and_can_be_read(page: Page, scheme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 850})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for door in ("/login/", "/admin/login/"):
        page.goto(door)
        look(page, scheme, 390, f"login{door.replace('/', '-')}")
        page.fill("#id_username", "ada")
        page.fill("#id_password", "wrong")
        page.press("#id_password", "Enter")
        expect(page.get_by_role("alert")).to_contain_text("do not belong together")
        look(page, scheme, 390, f"login{door.replace('/', '-')}wrong")


def test_the_readers_choice_of_colours_is_kept_everywhere(admin: Page) -> None:
    admin.emulate_media(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light, switch = admin.evaluate(ground), admin.locator(".theme-toggle")
    switch.click()
    assert admin.evaluate(ground) == light
    switch.click()
    dark = admin.evaluate(ground)
    assert dark != light
    for address in ("/admin/keys/project/", "/account/", "/account/password/"):
        admin.goto(address)
        assert admin.evaluate(ground) == dark
        expect(admin.locator(".theme-toggle")).to_have_attribute("title", "Colours: dark")
    admin.locator(".theme-toggle").click()
    assert admin.evaluate(ground) == light


def test_a_refusal_and_a_cost_are_explained_in_two_clicks(admin: Page, job: str) -> None:
    admin.get_by_role("region", name="Refused: why?").get_by_role("link").nth(1).click()
    expect(admin.get_by_text("This key may not use model").first).to_be_visible()
    admin.goto("/admin/")
    admin.get_by_label("Find").fill(job)
    admin.get_by_role("button", name="Open").click()
    expect(admin.locator(".job-facts")).to_contain_text("Completed")
    expect(admin.locator(".job-table").first).to_contain_text("claude-haiku-5-5")
    admin.get_by_role("link", name="Audit", exact=True).click()
    expect(admin.locator("#result_list")).to_contain_text("job.submitted")


def test_a_filter_opens_over_the_list_and_closes_the_other(admin: Page, job: str) -> None:
    admin.goto("/admin/jobs/job/")
    status, model = admin.locator(".filter").nth(1), admin.locator(".filter").nth(3)
    status.locator("summary").click()
    expect(status.get_by_role("link", name="Completed")).to_be_visible()
    model.locator("summary").click()
    expect(status.get_by_role("link", name="Completed")).to_be_hidden()
    model.get_by_role("link", name="Claude Haiku 5.5").click()
    expect(admin.locator(".filter").nth(3).locator("summary")).to_have_text("Model: Claude Haiku 5.5")
    admin.get_by_role("link", name="Clear filters").click()
    expect(admin.locator(".filter").nth(3).locator("summary")).to_have_text("Model")


def test_a_key_is_issued_and_its_secret_copied_once(admin: Page) -> None:
    admin.goto("/admin/keys/apikey/add/")
    admin.locator(".select2-selection").first.click()
    admin.locator(".select2-search__field").fill("atlas")
    admin.get_by_role("option", name="atlas").click()
    admin.fill("#id_name", "from the browser")
    admin.get_by_role("button", name="Save", exact=True).click()
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.get_by_role("button", name="Copy").click()
    expect(admin.get_by_role("button", name="Copied")).to_be_visible()
    secret = admin.evaluate("navigator.clipboard.readText()")
    assert secret.startswith("ccs_live_")
    admin.get_by_role("link", name="I stored it").click()
    assert secret not in admin.content()
    expect(admin.locator("#result_list")).to_contain_text("from the browser")


def test_a_second_factor_is_turned_on_used_and_turned_off(page: Page) -> None:
    sign_in(page, "grace", door="/login/")
    page.goto("/account/")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("img", name="QR code for an authenticator")).to_be_visible()
    look(page, "light", 1280, "enrol")
    key = page.locator(".key").inner_text().replace(" ", "")
    page.locator("#id_code").fill(totp_of(key))
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator(".codes code").first).to_be_visible()
    codes = page.locator(".codes code").all_inner_texts()
    look(page, "light", 1280, "codes")
    page.get_by_role("link", name="I stored them").click()
    expect(page.get_by_text("10 recovery codes left.")).to_be_visible()
    look(page, "light", 1280, "account-on")
    page.get_by_role("button", name="Log out").click()
    sign_in(page, "grace")
    look(page, "light", 1280, "second-factor")
    page.locator("#id_code").fill(codes[0])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("9 recovery codes left: make new ones in your account.")).to_be_visible()
    page.goto("/account/")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_text("The second factor is off.")).to_be_visible()
