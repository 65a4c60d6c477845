"""What the egress saw of each job, for whoever has to prove the bills."""

from collections.abc import Iterator

from django.db.models import Sum

from apps.budgets.verifying import Metered
from apps.jobs.models import Call

_AT_ONCE = 5000


def metered() -> Iterator[Metered]:
    """All calls of each job together, in the order of job ids."""
    sums = (
        Call.objects.order_by("job_id")
        .values_list("job_id")
        .annotate(
            Sum("cost_microusd"),
            Sum("input_tokens"),
            Sum("output_tokens"),
            Sum("cache_read_input_tokens"),
            written=Sum("cache_creation_5m_input_tokens") + Sum("cache_creation_1h_input_tokens"),
        )
    )
    return (Metered(*row) for row in sums.iterator(_AT_ONCE))
