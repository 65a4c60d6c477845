from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.jobs import deliveries, services
from apps.jobs.ids import new_job_id
from apps.jobs.models import Approval, Delivery, Job, Session
from apps.keys.models import ApiKey
from tests.jobs.conftest import task

pytestmark = pytest.mark.usefixtures("valkey")
APPROVALS, DELIVERIES, SESSIONS = (f"/admin/jobs/{name}/" for name in ("approval", "delivery", "session"))


@pytest.fixture
def waiting(atlas: ApiKey) -> Approval:
    """A call of a running job that waits."""
    now = timezone.now()
    job = Job.objects.create(
        id=new_job_id(now),
        kind="task",
        status="in_progress",
        project=atlas.project,
        api_key=atlas,
        request={},
        cap_microusd=1,
        created_at=now,
        started_at=now,
        lease_until=now,
        expires_at=now,
    )
    asked = {"tool": "Bash", "input": {"command": "<b>make</b>"}}
    later = now + timedelta(hours=1)
    return Approval.objects.create(job=job, call_id="c1", asked_at=now, expires_at=later, **asked)


def test_an_operator_sees_exactly_what_would_run_and_decides(admin_client: Client, waiting: Approval) -> None:
    page = admin_client.get(f"{APPROVALS}?state=waiting").content.decode()
    assert "&lt;b&gt;make&lt;/b&gt;" in page
    assert admin_client.get(f"{APPROVALS}{waiting.pk}/change/").status_code == 200

    decide = {"action": "allow_for_job", "_selected_action": [waiting.pk]}
    assert "1 decided" in admin_client.post(APPROVALS, decide, follow=True).content.decode()
    waiting.refresh_from_db()
    assert (waiting.decision, waiting.decided_by) == ("job", "user:admin")
    again = admin_client.post(APPROVALS, {**decide, "action": "deny"}, follow=True).content.decode()
    assert "does not wait any more" in again
    waiting.refresh_from_db()
    assert waiting.decision == "job"


def test_who_may_only_look_decides_nothing(client: Client, waiting: Approval) -> None:
    viewer = User.objects.create_user("vera", password="x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_approval"))
    client.force_login(viewer)

    client.post(APPROVALS, {"action": "allow_once", "_selected_action": [waiting.pk]})

    waiting.refresh_from_db()
    assert waiting.decision == ""


def test_a_webhook_is_sent_again_and_a_session_forgotten(
    admin_client: Client, atlas: ApiKey, settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR, now = tmp_path, timezone.now()
    job = services.submit(key=atlas, request=task(), request_id="", now=now)
    session = Session.objects.get()
    forget = {"action": "forget", "_selected_action": [session.pk]}
    assert "has not ended" in admin_client.post(SESSIONS, forget, follow=True).content.decode()
    services.cancel(job=job, now=now)
    row = Delivery.objects.create(job=job, url="https://hooks.example.org", attempts=10, error="it failed")
    assert not Delivery.objects.due(now).exists()

    admin_client.post(DELIVERIES, {"action": "send_again", "_selected_action": [row.pk]})
    admin_client.post(SESSIONS, forget)

    assert Delivery.objects.due(timezone.now()).exists()
    assert not Session.objects.exists()
    assert deliveries.secret(atlas.project) not in admin_client.get(DELIVERIES).content.decode()
