"""Tasks that ask, refuse and leave files, and batches: on the dashboard, with the real CLI."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.api.tasking import call, make_profile, person
from tests.dashboard.browser import let_in, window
from tests.support.browser import launch
from tests.support.service import Person, Service


@pytest.fixture(scope="module")
def page(service: Service) -> Iterator[Page]:
    """The window of Ines, who works in the project lyra."""
    service.people(("anybody", "lyra"))
    let_in(service, ("ines", "lyra", "member"))
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with window(browser, service, "ines") as seen:
            yield seen.page
        browser.close()


@pytest.fixture(scope="module")
def asking(service: Service) -> Person:
    """Has a key of lyra whose calls of Bash wait for a yes."""
    make_profile(service, "asks-in-lyra", allow=["tool:*", "model:*"], deny=["tool:WebFetch"], ask=["tool:Bash"])
    return person(service, "lyra", profile="asks-in-lyra")


@pytest.mark.parametrize(
    ("button", "told", "ran"), [("Approve once", "Approved once", True), ("Deny", "Denied", False)]
)
def test_a_tool_waits_until_it_is_approved_on_the_page(
    page: Page, asking: Person, marker: str, button: str, told: str, ran: bool
) -> None:
    body = {"description": f"{call('Bash', command='echo it-ran')} {marker}", "allow_tools": ["Bash"], "stream": True}
    with asking.http.stream("POST", "/v1/task", body) as stream:
        page.goto(f"/p/lyra/jobs/{stream.headers['x-job-id']}")
        page.get_by_role("button", name=button).click()
        stream.read()
    expect(page.get_by_text(f"{told} by user:ines")).to_be_visible()
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible()
    assert (page.locator("pre[id$=-out]").last.text_content() == "it-ran") is ran


def test_who_looks_at_the_overview_is_asked_and_answers_there(page: Page, asking: Person, marker: str) -> None:
    page.goto("/p/lyra/")
    expect(page.get_by_text("Waiting for you")).to_have_count(0)
    body = {"description": f"{call('Bash', command='echo it-ran')} {marker}", "allow_tools": ["Bash"], "stream": True}
    with asking.http.stream("POST", "/v1/task", body) as stream:
        waiting = page.get_by_role("region", name="Waiting for you")
        expect(waiting.get_by_text("echo it-ran")).to_be_visible()
        waiting.get_by_role("button", name="Approve once").click()
        expect(page).to_have_url(re.compile("/p/lyra/$"))
        stream.read()
    page.goto(f"/p/lyra/jobs/{stream.headers['x-job-id']}")
    expect(page.get_by_text("Approved once by user:ines")).to_be_visible()


def test_what_a_task_left_is_only_ever_saved(page: Page, service: Service, marker: str) -> None:
    erin = person(service, "lyra")
    body = {"description": f"{call('Bash', command='echo hello > note.html')} {marker}", "allow_tools": ["Bash"]}
    job = erin.http.post("/v1/task", body).json()
    page.goto(f"/p/lyra/jobs/{job['id']}")
    with page.expect_download() as download:
        page.get_by_role("link", name="note.html").click()
    assert download.value.suggested_filename == "note.html"
    assert download.value.path().read_text() == "hello\n"


def test_a_batch_is_followed_to_its_items(page: Page, service: Service) -> None:
    erin = person(service, "lyra")
    prompts = [{"prompt": f"[[say: answer {number}]]"} for number in range(3)]
    batch = erin.http.post("/v1/batch", {"model": "haiku", "prompts": prompts}, prefer="respond-async").json()
    page.goto("/p/lyra/batches")
    page.get_by_role("link", name=batch["id"]).click()
    expect(page.get_by_text("Completed", exact=True)).to_have_count(4, timeout=30_000)
    page.locator("tbody tr a").last.click()
    expect(page.locator(".step.text .said")).to_have_text("answer 2")
    expect(page.get_by_role("link", name=batch["id"])).to_be_visible()


def test_a_task_that_may_not_is_refused_with_every_reason(page: Page, asking: Person) -> None:
    body = {"description": "Read the page.", "allow_tools": ["WebFetch"], "model": "haiku"}
    assert asking.http.post("/v1/task", body).status == 403
    page.goto("/p/lyra/refused")
    expect(page.get_by_text("rule tool:WebFetch of profile 'asks-in-lyra' denies it").first).to_be_visible()
