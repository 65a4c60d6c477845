"""The profile pages in Chromium, on the whole service with its real security headers."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import faint, heard, operator
from tests.support.service import Service


@pytest.fixture(scope="module")
def page(service: Service) -> Iterator[Page]:
    """A signed-in operator's window."""
    with operator(service, "petra") as window:
        yield window


@pytest.fixture(autouse=True)
def complaints(page: Page) -> Iterator[list[str]]:
    """Whatever the browser complains about fails the test that made it complain."""
    with heard(page) as said:
        yield said


def _open(page: Page, profile: str) -> None:
    page.goto("/admin/permissions/profile/")
    page.locator("#result_list").get_by_role("link", name=f"{profile}", exact=False).first.click()


@pytest.fixture
def copy(page: Page) -> Iterator[Page]:
    """The form of a fresh copy of Free, which is deleted afterwards."""
    _open(page, "Free free")
    page.get_by_role("button", name="Copy profile").click()
    expect(page.locator(".messagelist")).to_contain_text("This is the copy, free-copy.")
    address = page.url
    yield page
    page.goto(address.replace("/change/", "/delete/"))
    page.get_by_role("button", name="Yes").click()


def test_what_is_typed_is_judged_before_it_is_saved(copy: Page) -> None:
    panel = copy.locator("#profile-allows")
    expect(panel).not_to_contain_text("tool:Bash")
    copy.fill("#id_tool_allow", "Read\nBash")
    expect(panel).to_contain_text("tool:Bash")
    expect(panel).to_contain_text("Bash is allowed. A shell can")
    expect(panel.get_by_role("status")).to_have_text("As typed, not saved yet.")
    copy.reload()
    expect(panel).not_to_contain_text("tool:Bash")


def test_a_line_that_cannot_be_read_is_explained_while_typing(copy: Page) -> None:
    copy.fill("#id_tool_allow", "Bash(git:*)")
    expect(copy.locator("#profile-allows")).to_contain_text("a rule names a whole tool")
    copy.fill("#id_tool_allow", "Grpe")
    expect(copy.locator("#profile-allows")).to_contain_text("tool:Grpe matches no known tool.")


def test_after_a_refused_save_the_panel_shows_what_was_typed(copy: Page) -> None:
    copy.fill("#id_tool_allow", "Bash")
    copy.fill("#id_max_turns", "")
    copy.get_by_role("button", name="Save", exact=True).click()
    expect(copy.locator("#profile-allows")).to_contain_text("Turns: This field is required.")


def test_a_server_that_does_not_answer_is_said_and_not_hidden(copy: Page, complaints: list[str]) -> None:
    copy.route("**/preview/", lambda route: route.abort())
    copy.fill("#id_tool_allow", "Bash")
    expect(copy.get_by_role("status")).to_contain_text("this may be out of date")
    copy.unroute("**/preview/")
    assert [line for line in complaints if "ERR_FAILED" in line]
    complaints.clear()


def test_a_request_is_tried_and_its_address_can_be_sent_to_somebody(page: Page) -> None:
    _open(page, "Free free")
    page.get_by_role("link", name="Try a request").click()
    page.fill("#id_tools", "Read Bash")
    page.get_by_role("button", name="Try").click()
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("Refused for 1 reason")
    page.goto(page.url)
    expect(verdict).to_contain_text("no rule of profile 'free' allows tool:Bash")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_fit_their_window_and_words_stand_out_from_their_ground(page: Page, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    _open(page, "Free free")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faint(page, "#profile-allows-body") == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme=None)
