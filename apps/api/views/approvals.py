"""`/v1/jobs/{id}/approvals`: tool calls that wait for a yes, and saying it."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.body import read_json
from apps.api.openai import fields
from apps.api.schema.tasks import approvals_schema, decide_schema, waiting_schema
from apps.api.views.jobs import find_job
from apps.jobs import approvals
from apps.jobs.approvals import DECISIONS, Decision
from apps.jobs.models import Approval
from apps.keys.models import ApiKey

MOST_WAITING = 500


class WaitingApprovals(View):
    """All of the project's that somebody can still decide."""

    @waiting_schema
    def get(self, request: Request) -> HttpResponse:
        """List the calls of the project's jobs that wait for an approval, those first that wait the longest."""
        rows = Approval.objects.waiting(timezone.now()).filter(job__project=self.caller.project).order_by("asked_at")
        return answer({"object": "list", "data": [approval_object(row) for row in rows[:MOST_WAITING]]})


class Approvals(View):
    """All of a job's."""

    @approvals_schema
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """List the calls of a job that wait, or waited, for an approval."""
        rows = Approval.objects.filter(job=find_job(self.caller, job_id)).order_by("asked_at")
        return answer({"object": "list", "data": [approval_object(row) for row in rows]}, headers={"x-job-id": job_id})


class Decide(View):
    """One of them."""

    @decide_schema
    def post(self, request: Request, job_id: str, call_id: str) -> HttpResponse:
        """Let a call run once, let its tool run for the rest of the job, or deny the call."""
        body = read_json(request)
        if not isinstance(body, dict):
            raise fields.wrong_type("body", "a JSON object")
        decided = decide(self.caller, job_id, call_id, body.get("decision"), ip=request.META.get("REMOTE_ADDR") or None)
        return answer(approval_object(decided), headers={"x-job-id": job_id})


def decide(key: ApiKey, job_id: str, call_id: str, decision: Any, *, ip: str | None) -> Approval:
    """What REST and WebSocket share. Raises ApiError, MayNotDecide, ApprovalNotFound or NotWaiting."""
    if decision not in DECISIONS:
        raise fields.wrong_value("decision", f"'decision' is one of {', '.join(DECISIONS)}.")
    chosen: Decision = decision
    job = find_job(key, job_id)
    return approvals.decide_with_key(key=key, job=job, call_id=call_id, decision=chosen, now=timezone.now(), ip=ip)


def approval_object(row: Approval) -> dict[str, Any]:
    """An approval as clients see it, with exactly what would run."""
    return {
        "object": "approval",
        "job_id": row.job_id,
        "tool_use_id": row.call_id,
        "name": row.tool,
        "input": row.input,
        "asked_at": round(row.asked_at.timestamp(), 3),
        "expires_at": round(row.expires_at.timestamp(), 3),
        "decision": row.decision or None,
        "decided_by": row.decided_by or None,
        "decided_at": round(row.decided_at.timestamp(), 3) if row.decided_at else None,
    }
