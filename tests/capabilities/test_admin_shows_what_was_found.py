from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.capabilities import services
from apps.capabilities.models import Capability
from tests.capabilities.conftest import agent, skill

pytestmark = pytest.mark.django_db
LIST = "/admin/capabilities/capability/"


def test_an_operator_scans_searches_and_switches(admin_client: Client, home: Path) -> None:
    agent(home, "reviewer", description="Reviews <b>Python</b>.")
    skill(home, "deploy", body="!`git status`")
    (home / "agents" / "bad.md").write_text("nothing")

    page = admin_client.post(reverse("admin:capabilities_scan"), follow=True).content.decode()
    assert "3 agents and skills: 3 new" in page
    assert "Reviews &lt;b&gt;Python&lt;/b&gt;." in page
    assert "no front matter" in page

    found = admin_client.get(f"{LIST}?q=python").content.decode()
    assert "reviewer" in found
    assert "deploy" not in found

    ids = {row.name: row.pk for row in Capability.objects.all()}
    admin_client.post(LIST, {"action": "disable_selected", "_selected_action": [ids["reviewer"]]})
    admin_client.post(LIST, {"action": "trust_selected", "_selected_action": list(ids.values())})
    assert not Capability.objects.get(name="reviewer").enabled
    assert [row.name for row in Capability.objects.filter(trusted=True)] == ["deploy"]
    usable = admin_client.get(f"{LIST}?state=usable").content.decode()
    assert ">deploy<" in usable
    assert ">reviewer<" not in usable
    assert admin_client.get(f"{LIST}{ids['deploy']}/change/").status_code == 200


def test_who_may_only_look_changes_nothing(client: Client, home: Path) -> None:
    agent(home, "reviewer")
    services.scan(actor="system", now=timezone.now())
    viewer = User.objects.create_user("vera", password="x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_capability"))
    client.force_login(viewer)
    row = Capability.objects.get()

    assert "Scan now" not in client.get(LIST).content.decode()
    client.post(LIST, {"action": "disable_selected", "_selected_action": [row.pk]})
    agent(home, "second")
    client.post(reverse("admin:capabilities_scan"))

    assert list(Capability.objects.usable()) == [row]


def test_the_command_tells_what_cannot_be_used(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent(home, "reviewer")
    (home / "agents" / "bad.md").write_text("nothing")

    call_command("scan_capabilities")

    printed = capsys.readouterr().out
    assert "2 agents and skills: 2 new" in printed
    assert "bad.md: it has no front matter" in printed
