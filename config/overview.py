"""What the admin's first page shows: what was refused and why, what cost, what runs, what is near its limit.

Everything is bounded and goes through an index, however many rows there are.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.audit.models import AuditEvent
from apps.audit.paging import MOST_COUNTED
from apps.budgets.models import Alert, Hold
from apps.jobs.ids import floor_id
from apps.jobs.models import Job
from apps.keys.models import ApiKey
from apps.permissions.words import dollars

ROWS = 8
MOST_LOOKED_AT = 500
_DAY = timedelta(days=1)


def shown(request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    """The page's facts; of what the person may not view, none."""
    may = request.user.has_perm
    facts: dict[str, Any] = {}
    if may("audit.view_auditevent"):
        facts["refused"] = list(AuditEvent.objects.filter(action="job.refused").order_by("-at")[:ROWS])
        failed = AuditEvent.objects.filter(action="login.failed", at__gte=now - _DAY)
        facts["failed_logins"] = _most(failed)
    if may("jobs.view_job"):
        facts["running"] = _most(Job.objects.queued(), Job.objects.running())  # apart: each has an index of its own
        facts["dearest"] = _dearest(now)
    if may("budgets.view_alert"):
        budgets = Alert.objects.select_related("window__budget__project", "window__budget__api_key")
        facts["alerts"] = list(budgets.filter(created_at__gte=now - 7 * _DAY).order_by("-pk")[:ROWS])
    if may("budgets.view_hold"):
        facts["held"] = _most(Hold.objects.held())
    if may("keys.view_apikey"):
        facts["expiring"] = _most(ApiKey.objects.expiring(within=7 * _DAY, now=now))
    return facts


def _dearest(now: datetime) -> list[dict[str, Any]]:
    """Of the last day's jobs, or the newest of them where there are many, those that cost most."""
    newest = Job.objects.filter(pk__gte=floor_id(now - _DAY)).order_by("-pk").values_list("pk", "cost_microusd")
    ids = sorted(newest[:MOST_LOOKED_AT], key=lambda row: -row[1])[:ROWS]
    jobs = Job.objects.select_related("project", "api_key").only(
        "status", "cost_microusd", "model", "created_at", "project__slug", "api_key__name"
    )
    found = sorted(jobs.filter(pk__in=[pk for pk, cost in ids if cost]), key=lambda job: -job.cost_microusd)
    return [{"job": job, "cost": dollars(job.cost_microusd)} for job in found]


def _most(*parts: QuerySet[Any]) -> str:
    """How many there are together, each part counted to MOST_COUNTED."""
    count = sum(rows.order_by()[:MOST_COUNTED].count() for rows in parts)
    return f"{count:,}" if count < MOST_COUNTED else f"{MOST_COUNTED:,} or more"
