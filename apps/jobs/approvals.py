"""Tool calls that wait for somebody's yes: asked by the worker, decided once, by a person, a key or the clock."""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, cast

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from apps.audit import services as audit
from apps.budgets import services as budgets
from apps.claude.spec import ApprovalAsked, ApprovalDecided, Event
from apps.jobs import eventlog
from apps.jobs.admission import HOLD_GRACE
from apps.jobs.models import Job
from apps.jobs.taskmodels import Approval
from apps.keys.models import ApiKey, Membership, Role

Decision = Literal["once", "job", "deny"]
Emit = Callable[[Event], Coroutine[Any, Any, None]]
DECISIONS: tuple[Decision, ...] = ("once", "job", "deny")


class ApprovalNotFound(Exception):
    """No call of that id has ever waited in this job."""

    def __init__(self, call_id: str) -> None:
        super().__init__(f"No tool call '{call_id[:100]}' of this job waits for an approval.")


class NotWaiting(Exception):
    """It has been decided already, or its job or its time is over."""

    def __init__(self, approval: Approval) -> None:
        decided = f"{approval.decision} by {approval.decided_by}" if approval.decision else "denied, its time is over"
        super().__init__(f"This call does not wait any more: {decided}.")


class MayNotDecide(Exception):
    """Others decide; the message says who."""


def decide_with_key(
    *, key: ApiKey, job: Job, call_id: str, decision: Decision, now: datetime, ip: str | None = None
) -> Approval:
    """`decide` by whoever holds a key of the job's project. Raises MayNotDecide as APPROVAL_BY has it."""
    if settings.APPROVAL_BY == "member":
        raise MayNotDecide("Only people who work in the project decide about its calls, in the dashboard or the admin.")
    if settings.APPROVAL_BY == "other" and key.pk == job.api_key_id:
        raise MayNotDecide("The key that runs a task does not decide about its calls: use another key of the project.")
    return decide(job=job, call_id=call_id, decision=decision, actor=f"key:{key.public_id}", now=now, ip=ip)


def decide_as_member(
    *, user: AbstractBaseUser, job: Job, call_id: str, decision: Decision, now: datetime, ip: str | None = None
) -> Approval:
    """`decide` by a person. Raises MayNotDecide for one who may only look at the project, or not even that."""
    working = Membership.objects.filter(project_id=job.project_id, user_id=user.pk).exclude(role=Role.VIEWER)
    if not getattr(user, "is_superuser", False) and not working.exists():
        raise MayNotDecide("Owners and members of the project decide about its calls.")
    return decide(job=job, call_id=call_id, decision=decision, actor=f"user:{user.get_username()}", now=now, ip=ip)


def decide(*, job: Job, call_id: str, decision: Decision, actor: str, now: datetime, ip: str | None = None) -> Approval:
    """Let a call run once, let this tool run for the rest of the job, or deny the call. First one wins.

    The caller has checked that the actor may. Raises ApprovalNotFound or NotWaiting.
    """
    with transaction.atomic():
        waiting = Approval.objects.waiting(now).filter(job=job, call_id=call_id)
        if not waiting.update(decision=decision, decided_by=actor, decided_at=now):
            raise _why_not(job, call_id)
        approval = Approval.objects.get(job=job, call_id=call_id)
        _record("approval.decided", job, approval, actor=actor, outcome=decision, ip=ip, now=now)
        told = {"decide": job.pk, "call_id": call_id, "decision": decision, "by": actor}
        transaction.on_commit(partial(eventlog.tell_workers, **told))
    return approval


def ask(*, job: Job, asked: ApprovalAsked, now: datetime) -> None:
    """Write down that a call waits. The job's money is held for as much longer as its clock may stand."""
    expires_at = datetime.fromtimestamp(asked.expires_at, UTC)
    with transaction.atomic():
        budgets.extend(
            job_id=job.pk, expires_at=expires_at + timedelta(seconds=settings.JOB_TIMEOUT_SECONDS) + HOLD_GRACE
        )
        approval = Approval.objects.create(
            job=job,
            call_id=asked.id,
            tool=asked.name[:200],
            input=asked.input,
            asked_at=now,
            expires_at=expires_at,
        )
        _record("approval.asked", job, approval, actor="system", now=now)


def note(*, job: Job, decided: ApprovalDecided, now: datetime) -> None:
    """Write down what became of a call that nobody decided: its time, or its job, was over."""
    with transaction.atomic():
        mine = Approval.objects.filter(job=job, call_id=decided.id, decision="")
        if mine.update(decision=decided.decision, decided_by=decided.by[:200], decided_at=now):
            approval = Approval.objects.get(job=job, call_id=decided.id)
            _record("approval.decided", job, approval, actor="system", outcome=decided.decision, now=now)


def heard(orders: Mapping[str, str]) -> tuple[str, Decision, str]:
    """Call, decision and decider of a message that `decide` sent."""
    return orders["call_id"], cast(Decision, orders["decision"]), orders["by"]


def decided(job_ids: Collection[str]) -> list[tuple[str, str, Decision, str]]:
    """Job, call, decision and decider of all decided calls of these jobs, for a worker that missed a message."""
    rows = Approval.objects.decided().filter(job_id__in=job_ids)
    found = rows.values_list("job_id", "call_id", "decision", "decided_by")
    return [(job_id, call_id, cast(Decision, decision), by) for job_id, call_id, decision, by in found]


def taking_note(
    job: Job,
    emit: Emit,
    write: Callable[[Callable[[], None]], Awaitable[None]],
    now: Callable[[], datetime],
) -> Emit:
    """`emit`, which first writes down what concerns approvals, so that whoever hears of a call can decide it."""

    async def noted(event: Event) -> None:
        match event:
            case ApprovalAsked():
                await write(lambda: ask(job=job, asked=event, now=now()))
            case ApprovalDecided():
                await write(lambda: note(job=job, decided=event, now=now()))
        await emit(event)

    return noted


def _why_not(job: Job, call_id: str) -> ApprovalNotFound | NotWaiting:
    approval = Approval.objects.filter(job=job, call_id=call_id).first()
    return NotWaiting(approval) if approval else ApprovalNotFound(call_id)


def _record(
    action: str,
    job: Job,
    approval: Approval,
    *,
    actor: str,
    outcome: str = "ok",
    ip: str | None = None,
    now: datetime,
) -> None:
    """Which tool, not what with: inputs hold customers' words."""
    audit.record(
        actor=actor,
        action=action,
        target_type="job",
        target_id=job.pk,
        project_id=job.project.slug,
        outcome=outcome,
        ip=ip,
        data={"call_id": approval.call_id, "tool": approval.tool, "by": approval.decided_by},
        request_id=job.request_id,
        now=now,
    )
