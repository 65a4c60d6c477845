"""Making and changing budgets. Every deed is in the record, with what was before and what is now."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit import services as audit
from apps.audit.changes import diff
from apps.budgets import alerts, windows
from apps.budgets.models import Budget
from apps.budgets.periods import Cycle
from apps.keys.models import ApiKey, Project
from apps.keys.webhooks import new_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What can be changed about a budget. Its scope and its period cannot: its windows are counted by them."""

    name: str = ""
    limit_microusd: int | None = None
    limit_tokens: int | None = None
    thresholds: tuple[int, ...] = (80, 95)
    webhook_url: str = ""
    webhook_secret: str = ""
    """Empty: the one it has, or a new one."""
    emails: str = ""

    @classmethod
    def of(cls, budget: Budget) -> "Terms":
        """The present ones."""
        present = {field.name: getattr(budget, field.name) for field in fields(cls)}
        return cls(**present | {"thresholds": tuple(budget.thresholds)})


def create(
    *,
    project: Project,
    api_key: ApiKey | None = None,
    cycle: Cycle,
    terms: Terms,
    actor: str,
    ip: str | None = None,
    now: datetime,
) -> Budget:
    """A budget that binds every request from now on. Raises ValidationError."""
    if api_key is not None and api_key.project_id != project.pk:
        raise ValidationError({"api_key": "The key belongs to another project."})
    budget = Budget(
        project=project,
        api_key=api_key,
        period=cycle.period,
        rolling=cycle.rolling,
        time_zone=cycle.time_zone,
        anchor=cycle.anchor,
        created_at=now,
        updated_at=now,
    )
    _set(budget, terms)
    budget.full_clean()
    with transaction.atomic():
        budget.save(force_insert=True)
        _record("budget.created", budget, data={"after": _facts(budget)}, actor=actor, ip=ip, now=now)
    return budget


def edit(*, budget: Budget, terms: Terms, actor: str, reason: str = "", ip: str | None = None, now: datetime) -> bool:
    """Put new terms in force at once; what is held stays held. False if nothing differs. Raises ValidationError."""
    with transaction.atomic():
        row = _locked(budget)
        before, secret = _facts(row), row.webhook_secret
        _set(row, terms)
        row.full_clean()
        changed = diff(before, _facts(row))
        if not changed and row.webhook_secret == secret:
            return False
        row.updated_at = now
        row.save(force_update=True, update_fields=[*(field.name for field in fields(Terms)), "updated_at"])
        data = {**changed, "new_webhook_secret": row.webhook_secret != secret}
        _record("budget.changed", row, data=data, actor=actor, reason=reason, ip=ip, now=now)
        _look_at_thresholds(row, now=now)
    budget.refresh_from_db()
    return True


def deactivate(*, budget: Budget, actor: str, reason: str = "", ip: str | None = None, now: datetime) -> bool:
    """Stop binding requests. What is held settles as before. False if it did not bind."""
    return _switch(budget, active=False, action="budget.deactivated", actor=actor, reason=reason, ip=ip, now=now)


def activate(*, budget: Budget, actor: str, reason: str = "", ip: str | None = None, now: datetime) -> bool:
    """Bind requests again. What was spent meanwhile is not counted. False if it did bind."""
    return _switch(budget, active=True, action="budget.activated", actor=actor, reason=reason, ip=ip, now=now)


def increase_temporarily(
    *,
    budget: Budget,
    extra_microusd: int = 0,
    extra_tokens: int = 0,
    until: datetime,
    actor: str,
    reason: str,
    ip: str | None = None,
    now: datetime,
) -> None:
    """Raise the limits until a moment. It takes the place of an increase that is in force; 0 and 0 ends that one.

    Raises ValidationError if the end has passed or an amount is below 0 or has no limit to be added to.
    """
    if until <= now:
        raise ValidationError("Choose an end that is still to come.")
    if min(extra_microusd, extra_tokens) < 0:
        raise ValidationError("An increase cannot be below 0.")
    if (extra_microusd and budget.limit_microusd is None) or (extra_tokens and budget.limit_tokens is None):
        raise ValidationError("The budget has no such limit to increase.")
    ends = until if extra_microusd or extra_tokens else None
    with transaction.atomic():
        row = _locked(budget)
        before = _increase(row)
        row.extra_microusd, row.extra_tokens, row.extra_until, row.updated_at = extra_microusd, extra_tokens, ends, now
        row.clean_fields(exclude=["emails", "webhook_url"])
        row.save(force_update=True, update_fields=["extra_microusd", "extra_tokens", "extra_until", "updated_at"])
        _record("budget.increased", row, data=diff(before, _increase(row)), actor=actor, reason=reason, ip=ip, now=now)
    budget.refresh_from_db()


def _switch(
    budget: Budget, *, active: bool, action: str, actor: str, reason: str, ip: str | None, now: datetime
) -> bool:
    with transaction.atomic():
        rows = Budget.objects.filter(pk=budget.pk, active=not active)
        if not rows.update(active=active, updated_at=now):
            return False
        data = {"before": {"active": not active}, "after": {"active": active}}
        _record(action, budget, data=data, actor=actor, reason=reason, ip=ip, now=now)
    budget.active, budget.updated_at = active, now
    return True


def _locked(budget: Budget) -> Budget:
    """Its row, which nobody else changes meanwhile. Not its key: a job that opens a window refers to that."""
    rows = Budget.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("project", "api_key").get(pk=budget.pk)


def _set(budget: Budget, terms: Terms) -> None:
    secret = terms.webhook_secret or budget.webhook_secret or new_secret()
    for field in fields(terms):
        setattr(budget, field.name, getattr(terms, field.name))
    budget.thresholds = sorted(terms.thresholds)
    budget.webhook_secret = secret if terms.webhook_url else ""


def _look_at_thresholds(budget: Budget, *, now: datetime) -> None:
    """A limit that was lowered may have passed the spend."""
    alerts.raise_due(windows.lock(budget.rule(now), now=now), before=alerts.UNKNOWN, now=now)


def _facts(budget: Budget) -> dict[str, Any]:
    """What the record says of a budget: never its secret."""
    names = ("name", "limit_microusd", "limit_tokens", "thresholds", "webhook_url", "emails")
    shape = ("period", "rolling", "time_zone", "anchor")
    return {name: getattr(budget, name) for name in (*names, *shape)} | {
        "key": budget.api_key.public_id if budget.api_key else None
    }


def _increase(budget: Budget) -> dict[str, Any]:
    return {
        "extra_microusd": budget.extra_microusd,
        "extra_tokens": budget.extra_tokens,
        "until": budget.extra_until.isoformat() if budget.extra_until else None,
    }


def _record(
    action: str,
    budget: Budget,
    *,
    data: Mapping[str, Any],
    actor: str,
    reason: str = "",
    ip: str | None,
    now: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="budget",
        target_id=str(budget.pk),
        project_id=budget.project.slug,
        reason=reason,
        ip=ip,
        data=dict(data),
        now=now,
    )
