"""A person's window on the dashboard of a running service. Whatever the browser complains about is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, StorageState, expect

from tests.support.service import Service

PASSWORD = "correct horse battery"
AXE = Path(__file__).parent / "axe" / "axe.min.js"
_PEOPLE = """
from django.contrib.auth.models import User
from django.utils import timezone
from apps.keys import members
from apps.keys.models import Membership, Project, Role
for name, slug, role in {people!r}:
    user, _ = User.objects.get_or_create(username=name)
    user.set_password({password!r}); user.save()
    project = Project.objects.get(slug=slug)
    if not Membership.objects.filter(project=project, user=user).exists():
        members.add(project=project, user=user, role=Role(role), actor="system", now=timezone.now())
"""


_logins: dict[tuple[str, str], StorageState] = {}
"""Cookies of those who are logged in: a login is slow, on purpose."""


def let_in(service: Service, *people: tuple[str, str, str]) -> None:
    """Give people (name, project, role) a login."""
    service.manage("shell", "-v", "0", "-c", _PEOPLE.format(people=list(people), password=PASSWORD))


@dataclass
class Window:
    """A page and what its browser complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Requests that went to another host."""

    def axe(self) -> list[str]:
        """What axe-core finds serious or critical on the page as it is."""
        self.page.evaluate(AXE.read_text() + "; undefined")
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        bad = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
        return [f"{each['id']}: {node['html'][:160]} {node['any'][:1]}" for each in bad for node in each["nodes"]]


@contextmanager
def window(
    browser: Browser, service: Service, name: str, *, width: int = 1280, height: int = 900, **options: Any
) -> Iterator[Window]:
    """Somebody who is logged in."""
    cookies = _logins.get((service.url, name))
    context = browser.new_context(
        base_url=service.url, viewport={"width": width, "height": height}, storage_state=cookies, **options
    )
    page = context.new_page()
    seen = Window(page)
    page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda request: _note(seen, service, request.url))
    if not cookies:
        page.goto("/login/")
        page.fill("#id_username", name)
        page.fill("#id_password", PASSWORD)
        page.press("#id_password", "Enter")
        expect(page.get_by_role("navigation", name="Sections")).to_be_visible()
        _logins[service.url, name] = context.storage_state()
    yield seen
    context.close()


def _note(seen: Window, service: Service, url: str) -> None:
    if not url.startswith((service.url, service.url.replace("http", "ws", 1), "data:", "blob:")):
        seen.foreign.append(url)
