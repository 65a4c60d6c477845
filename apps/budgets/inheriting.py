"""A rotated key's budgets: its successor's from now on, binding both while the old one still works."""

from apps.audit import services as audit
from apps.budgets.models import Budget
from apps.keys.models import ApiKey
from apps.keys.rotation import Deed


def hand_on(old: ApiKey, new: ApiKey, deed: Deed) -> None:
    """Give a key's budgets to its successor, with what they have spent and hold. In the rotation's transaction.

    Inactive ones too, lest activating one binds nobody. `statements.binding` looks for an old key's budgets with its
    successors, so there is one budget for both and no moment without.
    """
    for budget in Budget.objects.filter(api_key=old).order_by("pk").select_for_update(no_key=True):
        Budget.objects.filter(pk=budget.pk).update(api_key=new, updated_at=deed.now)
        audit.record(
            actor=deed.actor,
            action="budget.changed",
            target_type="budget",
            target_id=str(budget.pk),
            project_id=old.project.slug,
            outcome="success",
            reason=f"Key {old.public_id} was rotated.",
            ip=deed.ip,
            data={"before": {"key": old.public_id}, "after": {"key": new.public_id}},
            now=deed.now,
        )
