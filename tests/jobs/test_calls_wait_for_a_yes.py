from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.budgets.models import Hold
from apps.jobs import approvals, eventlog, services
from apps.jobs.approvals import ApprovalNotFound, Decision, MayNotDecide, NotWaiting
from apps.jobs.execution import Worker
from apps.jobs.models import Approval, Job
from apps.keys.models import ApiKey, Membership
from tests.jobs.batching import limit
from tests.jobs.conftest import both_databases, followed, task
from tests.support.waiting import eventually

Start = Callable[[], Job]


@pytest.fixture
def waiting(atlas: ApiKey, worker: Worker) -> Start:
    """A task whose call of Bash waits."""

    def start() -> Job:
        job = services.submit(key=atlas, request=task(ask="Bash"), request_id="", now=timezone.now())
        worker.ring()
        eventually(lambda: Approval.objects.filter(job=job).exists())
        return job

    return start


def decide(job: Job, decision: Decision, *, call_id: str = "call_ask") -> Approval:
    return approvals.decide(job=job, call_id=call_id, decision=decision, actor="user:petra", now=timezone.now())


@pytest.mark.parametrize("decision", ["once", "job", "deny"])
def test_what_somebody_decides_reaches_the_run(waiting: Start, decision: Decision) -> None:
    job = waiting()
    row = Approval.objects.get()
    assert (row.tool, row.input, row.decision) == ("Bash", {"command": "make"}, "")

    assert decide(job, decision).decided_by == "user:petra"

    events = followed(job)
    assert [event.type for event in events] == ["started", "tool_use", "approval", "approval_decided", "done"]
    assert events[-1].data["result"] == f"{decision} by user:petra"
    asked, decided = AuditEvent.objects.filter(action__startswith="approval.").order_by("at", "id")
    assert (asked.action, asked.data["tool"]) == ("approval.asked", "Bash")
    assert (decided.actor, decided.outcome) == ("user:petra", decision)
    assert "make" not in str([asked.data, decided.data])


@both_databases
def test_the_first_decision_stands(waiting: Start) -> None:
    job = waiting()
    decide(job, "deny")

    with pytest.raises(NotWaiting, match="deny by user:petra"):
        decide(job, "once")

    assert followed(job)[-1].data["result"] == "deny by user:petra"
    with pytest.raises(ApprovalNotFound):
        decide(job, "once", call_id="another")


def test_what_nobody_decides_is_denied_in_time(waiting: Start, settings: Settings) -> None:
    settings.APPROVAL_SECONDS = 0.2
    job = waiting()

    assert followed(job)[-1].data["result"] == "deny by expiry"

    assert Approval.objects.get().decision == "deny"
    with pytest.raises(NotWaiting):
        decide(job, "once")
    assert AuditEvent.objects.get(action="approval.decided").actor == "system"


def test_a_worker_that_missed_the_message_reads_the_row(waiting: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    job = waiting()
    monkeypatch.setattr(eventlog, "tell_workers", lambda **_: None)

    decide(job, "once")

    assert followed(job)[-1].data["result"] == "once by user:petra"


def test_the_calls_of_a_job_that_ended_wait_no_more(waiting: Start) -> None:
    job = waiting()
    Job.objects.filter(pk=job.pk).update(
        cancel_requested_at=timezone.now(), status="cancelled", finished_at=timezone.now()
    )

    with pytest.raises(NotWaiting):
        decide(job, "once")


@pytest.mark.parametrize(
    ("setting", "own", "others"), [("key", True, True), ("other", False, True), ("member", False, False)]
)
def test_the_operator_says_whether_keys_decide(
    waiting: Start, atlas: ApiKey, settings: Settings, setting: str, own: bool, others: bool
) -> None:
    settings.APPROVAL_BY = setting
    job = waiting()
    another = ApiKey.objects.create(
        project=atlas.project, name="other", public_id="other", digest="d", last4="0000", created_at=timezone.now()
    )

    def may(key: ApiKey) -> bool:
        try:
            approvals.decide_with_key(key=key, job=job, call_id="call_ask", decision="once", now=timezone.now())
        except NotWaiting:
            return True
        except MayNotDecide:
            return False
        return True

    assert (may(atlas), may(another)) == (own, others)
    if not others:
        decide(job, "deny")
    followed(job)


@pytest.mark.parametrize(("role", "may"), [("owner", True), ("member", True), ("viewer", False), (None, False)])
def test_people_who_work_in_the_project_decide(waiting: Start, atlas: ApiKey, role: str | None, may: bool) -> None:
    job, user, now = waiting(), User.objects.create_user("petra"), timezone.now()
    if role:
        Membership.objects.create(project=atlas.project, user=user, role=role, created_at=now)

    if may:
        approvals.decide_as_member(user=user, job=job, call_id="call_ask", decision="once", now=now)
        assert followed(job)[-1].data["result"] == "once by user:petra"
    else:
        with pytest.raises(MayNotDecide):
            approvals.decide_as_member(user=user, job=job, call_id="call_ask", decision="once", now=now)
        decide(job, "deny")
        followed(job)


def test_the_money_of_a_job_that_waits_is_held_for_as_long_as_it_may_go_on(
    atlas: ApiKey, waiting: Start, settings: Settings
) -> None:
    limit(atlas, 1_000_000, timezone.now())
    settings.APPROVAL_SECONDS = 100_000
    job = waiting()
    hold, approval = Hold.objects.get(job_id=job.pk), Approval.objects.get(job=job)
    assert hold.expires_at >= approval.expires_at + timedelta(seconds=settings.JOB_TIMEOUT_SECONDS)
    decide(job, "deny")
    assert followed(job)[-1].type == "done"
