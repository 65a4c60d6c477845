"""Somebody is told when a budget runs low: a row, an audit event, and a notification to each destination."""

from datetime import datetime

from apps.audit import services as audit
from apps.budgets.fitting import MEASURES, Amounts, Measure, crossed
from apps.budgets.models import Alert, Budget, Notification
from apps.budgets.periods import ROLLING, stretch_start
from apps.budgets.statements import Window
from apps.keys.destinations import split_emails

UNKNOWN = Amounts(-1, -1)
"""`before` when the limits have moved and not the spend: every threshold that has been reached counts."""


def raise_due(window: Window, *, before: Amounts, now: datetime) -> None:
    """Report each threshold that the locked window's spend has crossed since it was `before`, once in its period.

    The rows are part of the caller's transaction; `notifying.deliver_alerts` sends what they announce.
    """
    reached: dict[int, Measure] = {}
    for measure in reversed(MEASURES):
        limit, after = window.rule.limit(measure), window.spent.of(measure)
        for percent in crossed(window.rule.thresholds, before=before.of(measure), after=after, limit=limit):
            reached[percent] = measure
    for percent, measure in sorted(reached.items()):
        _raise(window, percent, measure, now=now)


def _raise(window: Window, percent: int, measure: Measure, *, now: datetime) -> None:
    cycle, spent, limit = window.rule.cycle, window.spent.of(measure), window.rule.limit(measure) or 0
    alert, new = Alert.objects.get_or_create(
        window_id=window.pk,
        threshold=percent,
        period_starts_at=stretch_start(ROLLING[cycle.period], now) if cycle.rolling else window.where.starts_at,
        defaults={"measure": measure, "spent": spent, "limit": limit, "created_at": now},
    )
    if not new:
        return
    budget = Budget.objects.select_related("project").get(pk=window.rule.budget_id)
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
