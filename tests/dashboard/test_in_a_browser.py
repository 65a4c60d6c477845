"""The dashboard as people use it: Chromium, the whole service, the real CLI and the scripted model."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.dashboard.browser import Window, let_in, window
from tests.support.browser import launch
from tests.support.http import chat_body
from tests.support.service import Person, Service

PAGES = (
    "",
    "jobs",
    "refused",
    "keys",
    "keys/new",
    "budgets",
    "budgets/new",
    "batches",
    "capabilities",
    "playground",
    "members",
    "audit",
)
MOST_BYTES = 250_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def owner(service: Service, browser: Browser) -> Iterator[Window]:
    """Olga, who owns the project sirius, with a key in it."""
    person, _ = service.people(("ci-bot", "sirius"), ("ci-bot", "vega"))
    let_in(service, ("olga", "sirius", "owner"), ("vera", "sirius", "viewer"), ("max", "sirius", "member"))
    let_in(service, ("nina", "vega", "viewer"))
    assert person.http.post("/v1/chat/completions", chat_body("[[say: The first answer.]]")).status == 200
    with window(browser, service, "olga") as seen:
        yield seen


@pytest.fixture
def page(owner: Window) -> Iterator[Page]:
    """Olga's window. A refused script or style, or another host, fails the test."""
    owner.complaints.clear()
    yield owner.page
    assert owner.complaints == []
    assert owner.foreign == []


def issue(page: Page, name: str) -> str:
    """A key, made as a person would; its secret."""
    page.goto("/p/sirius/keys")
    page.get_by_role("link", name="Issue key").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Issue key").click()
    return page.get_by_label("The key").input_value()


@pytest.fixture
def bot(page: Page, service: Service) -> Person:
    """Somebody with a key that Olga has just issued."""
    secret = issue(page, "fresh")
    return Person("fresh", "sirius", secret, secret.split("_")[2], service.http(secret))


def test_a_key_is_issued_and_used(page: Page, service: Service) -> None:
    secret = issue(page, "nightly")
    assert secret.startswith("ccs_live_")
    assert secret in page.locator("#code-curl").inner_text()
    page.get_by_role("tab", name="Python").click()
    expect(page.locator("#code-python")).to_contain_text(secret)
    page.get_by_role("link", name="I stored it").click()
    expect(page.get_by_role("heading", name="nightly", level=1)).to_be_visible()
    assert secret not in page.content()
    assert service.http(secret).post("/v1/chat/completions", chat_body("[[say: Used.]]")).status == 200
    page.reload()
    expect(page.get_by_role("link", name=re.compile("say: Used"))).to_be_visible()


def test_a_job_streams_onto_its_page(page: Page, service: Service, bot: Person) -> None:
    body = chat_body("[[tokens: 400]] [[rate: 80]]", stream=True)
    with bot.http.stream("POST", "/v1/chat/completions", body) as stream:
        job_id = stream.headers["x-job-id"]
        page.goto(f"/p/sirius/jobs/{job_id}")
        expect(page.get_by_text("Running", exact=True)).to_be_visible()
        said = page.locator(".step.text .said").last
        before = len(said.inner_text())
        page.wait_for_function(
            "n => document.querySelector('.step.text .said').textContent.length > n + 60", arg=before
        )
        stream.read()
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible()
    whole = bot.http.get(f"/v1/jobs/{job_id}").json()["result"]
    expect(said).to_have_text(whole)
    expect(page.get_by_role("heading", name="Calls to the model")).to_be_visible()


def test_a_job_is_cancelled(page: Page, bot: Person) -> None:
    with bot.http.stream("POST", "/v1/chat/completions", chat_body("[[hang: 3]]", stream=True)) as stream:
        page.goto(f"/p/sirius/jobs/{stream.headers['x-job-id']}")
        page.get_by_role("button", name="Cancel job").click()
        stream.read()
    expect(page.get_by_text("Cancelled", exact=True).first).to_be_visible()
    page.get_by_role("link", name="Audit of this job").click()
    expect(page.get_by_role("link", name="job.cancel_requested")).to_be_visible()
    expect(page.get_by_role("link", name="user:olga").first).to_be_visible()


def test_the_list_of_jobs_follows_what_happens(page: Page, bot: Person, marker: str) -> None:
    page.goto("/p/sirius/jobs")
    assert bot.http.post("/v1/chat/completions", chat_body(f"{marker} [[say: Seen.]]")).status == 200
    expect(page.get_by_role("link", name=re.compile(marker))).to_be_visible()


def test_a_budget_is_hit_and_raised(page: Page, bot: Person) -> None:
    page.goto("/p/sirius/budgets/new")
    page.get_by_label("Name", exact=True).fill("Tiny")
    page.get_by_label("For", exact=True).select_option(bot.key_id)
    page.get_by_label("Limit in US dollars").fill("0.000001")
    page.get_by_role("button", name="Set budget").click()
    expect(page.get_by_role("heading", name="Tiny", level=1)).to_be_visible()
    refused = bot.http.post("/v1/chat/completions", chat_body("[[say: No.]]"))
    assert (refused.status, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    page.get_by_role("link", name="Increase for a while").click()
    page.get_by_label("More US dollars").fill("1")
    page.get_by_label("Until (UTC)").fill(f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}")
    page.get_by_label("Reason", exact=True).fill("A long night")
    page.get_by_role("button", name="Increase", exact=True).click()
    expect(page.get_by_text("Increased by")).to_be_visible()
    assert bot.http.post("/v1/chat/completions", chat_body("[[say: Yes.]]")).status == 200
    page.goto("/p/sirius/refused")
    expect(page.get_by_text("Tiny").first).to_be_visible()


def test_two_ranges_are_compared_and_a_measure_chosen(page: Page) -> None:
    page.goto("/p/sirius/?range=7d")
    page.get_by_role("link", name="Tokens", exact=True).click()
    expect(page.get_by_role("heading", name="Tokens by model")).to_be_visible()
    page.get_by_role("link", name="Key", exact=True).click()
    expect(page).to_have_url(re.compile("range=7d.*show=tokens.*by=key"))
    page.get_by_text("Last 7 days").first.click()
    page.get_by_role("link", name="Last 24 hours").click()
    expect(page).to_have_url(re.compile("range=24h.*by=key"))
    page.get_by_role("switch", name="Compare").click()
    expect(page).to_have_url(re.compile("compare=0"))


def test_every_chart_has_its_table_with_the_same_sum(page: Page, service: Service, bot: Person) -> None:
    assert bot.http.post("/v1/chat/completions", chat_body("[[say: Counted.]]")).status == 200
    page.goto("/p/sirius/?range=24h&show=spend")
    expect(page.locator(".plot canvas").first).to_be_visible()
    assert page.locator("[data-chart]").count() == page.locator("[data-chart] .chart-table").count() == 3
    page.locator("[data-chart=spend] summary").click()
    sums = page.locator("[data-chart=spend] tbody tr td:last-child").all_inner_texts()
    total = sum(round(float(each.strip("$").replace(",", "")) * 1e6) for each in sums)
    shown = page.locator(".stat .value").first.get_attribute("title") or ""
    assert f"${total / 1e6:,.6f}" == shown
    spent = bot.http.get("/v1/usage").json()["data"] if bot.http.get("/v1/usage").status == 200 else None
    assert spent is None or spent


def test_the_playground_talks_and_counts(page: Page) -> None:
    page.goto("/p/sirius/playground")
    page.get_by_label("Your message", exact=True).fill("[[say: Hello <b>you</b> ![x](https://evil.example/x.png)]]")
    page.get_by_label("Your message", exact=True).press("Control+Enter")
    answer = page.locator(".turn.assistant").last
    expect(answer.get_by_role("link", name="job")).to_be_visible()
    assert answer.locator(".said").first.inner_text() == "Hello <b>you</b> ![x](https://evil.example/x.png)"
    expect(answer.locator(".foot")).to_contain_text("tokens")
    page.get_by_role("button", name="Copy as code").click()
    expect(page.locator("#as-code")).to_contain_text("/v1/chat/completions")
    page.get_by_label("Task", exact=True).check()
    page.get_by_label("Your message", exact=True).fill('[[tool: Glob {"pattern":"*"}]] [[say: Looked.]]')
    page.get_by_role("button", name="Send").click()
    task = page.locator(".turn.assistant").last
    expect(task.get_by_role("link", name="job")).to_be_visible(timeout=30_000)
    expect(task.get_by_text("Glob")).to_be_visible()
    task.get_by_role("link", name="job").click()
    expect(page.locator(".step.tool .name")).to_have_text("Glob")


def test_a_hostile_answer_does_nothing(page: Page, bot: Person) -> None:
    said = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    answer = bot.http.post("/v1/chat/completions", chat_body(f"[[say: {said}]]"))
    page.goto(f"/p/sirius/jobs/{answer.headers['x-job-id']}")
    expect(page.locator(".step.text .said").last).to_have_text(said)
    assert page.title() != "owned"


def test_a_member_is_added_promoted_and_removed(page: Page) -> None:
    page.goto("/p/sirius/members")
    page.get_by_label("User name or e-mail address").fill("nina")
    page.get_by_role("button", name="Add member").click()
    expect(page.get_by_role("status")).to_contain_text("nina is member of sirius")
    page.get_by_label("Role of nina").select_option("viewer")
    expect(page.get_by_role("status")).to_contain_text("nina is viewer now")
    page.get_by_role("button", name="Remove nina").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove nina").click()
    expect(page.get_by_role("status")).to_contain_text("nina is no member of sirius any more")
    page.get_by_label("Role of olga").select_option("viewer")
    expect(page.get_by_role("status")).to_contain_text("olga is the last owner of sirius")


def test_all_projects_lead_to_each(page: Page, bot: Person, marker: str) -> None:
    page.goto("/all/?range=7d")
    expect(page.get_by_role("heading", name="Spend by project")).to_be_visible()
    page.get_by_role("link", name="Jobs", exact=True).click()
    assert bot.http.post("/v1/chat/completions", chat_body(f"{marker} [[say: Seen from afar.]]")).status == 200
    expect(page.get_by_role("link", name=re.compile(marker))).to_be_visible()
    page.get_by_role("link", name="Overview", exact=True).click()
    page.get_by_role("link", name="sirius").click()
    expect(page).to_have_url(re.compile("/p/sirius/"))


def test_keys_of_the_keyboard_lead_everywhere(page: Page) -> None:
    page.goto("/p/sirius/")
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    page.wait_for_load_state()  # the heading is there before the scripts are
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("body").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def test_a_list_that_changes_keeps_the_row_that_was_chosen(page: Page, service: Service) -> None:
    [bot] = service.people(("a-bot-beside", "sirius"))
    page.goto("/p/sirius/jobs")
    page.wait_for_load_state()
    page.keyboard.press("j")
    chosen = page.locator("tr.on").get_attribute("data-href")
    came = bot.http.post("/v1/chat/completions", chat_body("[[say: New.]]")).headers["x-job-id"]
    expect(page.locator(f'tr[data-href$="{came}"]')).to_be_visible()
    expect(page.locator("tr.on")).to_have_attribute("data-href", str(chosen))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(re.escape(str(chosen))))


def test_roles_see_what_they_may(browser: Browser, owner: Window, service: Service) -> None:
    with window(browser, service, "vera") as vera:
        sections = vera.page.get_by_role("navigation", name="Sections")
        expect(sections.get_by_role("link", name="Audit")).to_have_count(0)
        expect(sections.get_by_role("link", name="Playground")).to_have_count(0)
        vera.page.goto("/p/sirius/keys")
        expect(vera.page.get_by_role("link", name="ci-bot")).to_be_visible()
        expect(vera.page.get_by_role("link", name="Issue key")).to_have_count(0)
        vera.page.goto("/p/sirius/audit")
        expect(vera.page.get_by_role("heading", name="Not yours to do")).to_be_visible()
        vera.page.goto("/p/atlas/")
        expect(vera.page.get_by_role("heading", name="Nothing is here")).to_be_visible()
    with window(browser, service, "max") as member:
        expect(member.page.get_by_role("navigation").get_by_role("link", name="Playground")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, owner: Window, service: Service, scheme: str) -> None:
    found: dict[str, list[str]] = {}
    with window(browser, service, "olga", color_scheme=scheme) as seen:
        for name in (*(f"/p/sirius/{page}" for page in PAGES), *_things(seen.page)):
            seen.page.goto(name)
            if faults := seen.axe():
                found[name] = faults
    assert found == {}


def test_a_phone_shows_every_page_without_sideways_scrolling(browser: Browser, owner: Window, service: Service) -> None:
    wide: list[str] = []
    with window(browser, service, "olga", width=375, height=740) as seen:
        for name in (*(f"/p/sirius/{page}" for page in PAGES), *_things(seen.page)):
            seen.page.goto(name)
            if seen.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(name)
    assert wide == []


def test_a_page_weighs_little(browser: Browser, owner: Window, service: Service) -> None:
    """With everything it loads, nothing cached, nothing compressed."""
    heavy: dict[str, int] = {}
    sizes: list[int] = []
    with window(browser, service, "olga") as seen:
        client = seen.page.context.new_cdp_session(seen.page)
        client.send("Network.enable")
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        for name in ("/all/", *(f"/p/sirius/{page}" for page in PAGES)):
            sizes.clear()
            seen.page.goto(name, wait_until="load")
            heavy[name] = int(sum(sizes))
    assert min(heavy.values()) > 10_000, "everything is loaded anew"
    assert {name: size for name, size in heavy.items() if size > MOST_BYTES} == {}


def _things(page: Page) -> list[str]:
    """The pages of a job and a key, and those over all projects."""
    found = ["/all/", "/all/jobs"]
    for section in ("jobs", "keys"):
        page.goto(f"/p/sirius/{section}")
        found.append(page.locator("tbody tr[data-href]").first.get_attribute("data-href") or "")
    return found
