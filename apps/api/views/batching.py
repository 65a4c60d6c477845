"""What the two ways to batches share: making one once, finding it again, listing them."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from apps.api.answers import answer
from apps.api.base import View
from apps.api.problems import ApiError, of_status
from apps.api.query import listing, whole
from apps.jobs import idempotency
from apps.jobs.batches import feeding, services
from apps.jobs.batches.models import Batch, BatchQuerySet
from apps.keys.models import ApiKey


class BatchesView(View):
    """The project's batches, in one of their two shapes."""

    def made_before(self) -> Batch | None:
        """The batch that was made under the request's Idempotency-Key."""
        row = self.once and idempotency.find(key=self.caller, once=self.once, now=timezone.now())
        if not row or not row.target:
            return None
        self.made_something = True
        return find_batch(self.caller, row.target)

    def make(self, **facts: Any) -> Batch:
        """Make a batch and begin it; as it was made, so that its life begins with `validating`."""
        now = timezone.now()
        request_id = self.visit.request_id
        try:
            batch = services.create(key=self.caller, request_id=request_id, once=self.once, now=now, **facts)
        except idempotency.Raced:
            earlier = self.made_before()
            assert earlier
            return earlier
        self.made_something = True
        feeding.feed(batch_id=batch.pk, now=now)
        return batch

    def listed(self, found: BatchQuerySet, shown: Callable[[Batch], dict[str, Any]]) -> HttpResponse:
        """A page of them, newest first. `after` is the id of the last batch of the page before."""
        query = self.request._request.GET
        limit = whole(query, "limit", 20, least=1, most=100)
        found = found.of(self.caller.project).newest_first().select_related("project")
        if after := query.get("after"):
            found = found.filter(pk__lt=after)
        page = list(found[: limit + 1])
        return answer(listing([shown(batch) for batch in page[:limit]], has_more=len(page) > limit))


def find_batch(key: ApiKey, batch_id: str) -> Batch:
    """The batch of the caller's project. Raises ApiError (404), also for another project's."""
    found = Batch.objects.of(key.project).filter(pk=batch_id[:64])
    batch = found.select_related("project", "api_key__project", "api_key__profile").first()
    if batch is None:
        raise ApiError(of_status(404, f"There is no batch '{batch_id[:64]}'."))
    return batch
