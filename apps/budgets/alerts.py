"""Somebody is told when a budget runs low: a row, an audit event, and a notification to each destination."""

from datetime import datetime

from apps.audit import services as audit
from apps.budgets.fitting import MEASURES, Amounts, Measure, crossed
from apps.budgets.models import Alert, BudgetWindow, Notification
from apps.budgets.models.budgets import split_emails
from apps.budgets.periods import alert_period_start

UNKNOWN = Amounts(-1, -1)
"""`before` when the limits have moved and not the spend: every threshold that has been reached counts."""


def raise_due(window: BudgetWindow, *, before: Amounts, now: datetime) -> None:
    """Report each threshold that the locked window's spend has crossed since it was `before`, once in its period.

    The rows are part of the caller's transaction; `notifying.deliver_alerts` sends what they announce.
    """
    budget = window.budget
    reached: dict[int, Measure] = {}
    for measure in reversed(MEASURES):
        limit, after = _limit(window, measure, now), _spent(window, measure)
        for percent in crossed(budget.thresholds, before=before.of(measure), after=after, limit=limit):
            reached[percent] = measure
    for percent, measure in sorted(reached.items()):
        _raise(window, percent, measure, now=now)


def _raise(window: BudgetWindow, percent: int, measure: Measure, *, now: datetime) -> None:
    budget = window.budget
    since = alert_period_start(budget.cycle, now=now, since=budget.created_at) if budget.rolling else window.starts_at
    spent, limit = _spent(window, measure), _limit(window, measure, now) or 0
    alert, new = Alert.objects.get_or_create(
        window=window,
        threshold=percent,
        period_starts_at=since,
        defaults={"measure": measure, "spent": spent, "limit": limit, "created_at": now},
    )
    if not new:
        return
    hooks = [(Notification.Channel.WEBHOOK, budget.webhook_url)] if budget.webhook_url else []
    mails = [(Notification.Channel.EMAIL, address) for address in split_emails(budget.emails)]
    Notification.objects.bulk_create(
        Notification(alert=alert, channel=channel, destination=destination, next_attempt_at=now)
        for channel, destination in [*hooks, *mails]
    )
    audit.record(
        actor="system",
        action="budget.threshold_crossed",
        target_type="budget",
        target_id=str(budget.pk),
        project_id=budget.project.slug,
        outcome="success",
        reason=f"{percent} % of the limit",
        ip=None,
        data={"threshold": percent, "measure": measure, "spent": spent, "limit": limit},
        now=now,
    )


def _spent(window: BudgetWindow, measure: Measure) -> int:
    return window.spent_microusd if measure == "microusd" else window.spent_tokens


def _limit(window: BudgetWindow, measure: Measure, now: datetime) -> int | None:
    budget = window.budget
    return budget.limit_microusd_at(now) if measure == "microusd" else budget.limit_tokens_at(now)
