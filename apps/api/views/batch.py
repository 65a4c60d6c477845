"""`/v1/batch`: many requests at once; wait for them, or come back later. A client that leaves stops nothing."""

from contextlib import aclosing
from functools import partial

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.batches.answers import batch_object, with_results
from apps.api.batches.requests import MAX_WAITING, read
from apps.api.body import read_json
from apps.api.later import Later
from apps.api.openai import fields
from apps.api.problems import ApiError, of_status
from apps.api.query import whole
from apps.api.schema.batch import batch_cancel_schema, batch_schema, batches_schema, create_batch_schema
from apps.api.threads import in_thread
from apps.api.views.tasks import is_async
from apps.jobs import idempotency
from apps.jobs.batches import feeding, services
from apps.jobs.batches.items import NewItem
from apps.jobs.batches.models import Batch
from apps.jobs.batches.services import MAX_ITEMS
from apps.jobs.following import follow_batches
from apps.keys.models import ApiKey

_PAGE = 1_000


class Batches(View):
    """The project's batches."""

    @create_batch_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Ask many things at once: prompts, conversations and tasks, mixed."""
        later = is_async(request)
        body = read_json(request)
        items = read(body, default_model=self.default_model, waits=not later)
        batch = self._earlier() or self._create(items, fields.metadata(body))
        location = f"/v1/batch/{batch.pk}"
        if later:
            headers = {"Location": location, "Preference-Applied": "respond-async"}
            return answer(batch_object(batch), status=202, headers=headers)
        response = Later(partial(_whole, batch.pk, self.caller))
        response.headers["Location"] = location
        return response

    @batches_schema
    def get(self, request: Request) -> HttpResponse:
        """List batches, newest first, without results. `after` is the id of the last batch of the page before."""
        query = request._request.GET
        limit = whole(query, "limit", 20, least=1, most=100)
        found = Batch.objects.of(self.caller.project).newest_first().select_related("project")
        if after := query.get("after"):
            found = found.filter(pk__lt=after)
        page = list(found[: limit + 1])
        data = [batch_object(batch) for batch in page[:limit]]
        return answer(
            {
                "object": "list",
                "data": data,
                "first_id": data[0]["id"] if data else None,
                "last_id": data[-1]["id"] if data else None,
                "has_more": len(page) > limit,
            }
        )

    def _earlier(self) -> Batch | None:
        """The batch that was made under the request's Idempotency-Key."""
        row = self.once and idempotency.find(key=self.caller, once=self.once, now=timezone.now())
        if not row or not row.target:
            return None
        self.made_something = True
        return find_batch(self.caller, row.target)

    def _create(self, items: list[NewItem], metadata: dict[str, str]) -> Batch:
        now = timezone.now()
        facts = {"key": self.caller, "items": items, "metadata": metadata, "request_id": self.visit.request_id}
        try:
            batch = services.create(**facts, once=self.once, now=now)  # type: ignore[arg-type]  # as they are named
        except idempotency.Raced:
            earlier = self._earlier()
            assert earlier
            return earlier
        self.made_something = True
        feeding.feed(batch_id=batch.pk, now=now)
        return find_batch(self.caller, batch.pk)


class OneBatch(View):
    """One batch of the project."""

    @batch_schema
    def get(self, request: Request, batch_id: str) -> HttpResponse:
        """Look at a batch and the results it has so far. `after` is the index of the last item of the page before."""
        query = request._request.GET
        limit = whole(query, "limit", _PAGE, least=1, most=MAX_ITEMS)
        after = whole(query, "after", 0, least=0, most=MAX_ITEMS) if "after" in query else -1
        return answer(with_results(find_batch(self.caller, batch_id), after=after, limit=limit))


class BatchCancel(View):
    """Stopping a batch."""

    @batch_cancel_schema
    def post(self, request: Request, batch_id: str) -> HttpResponse:
        """Cancel a batch: what has been answered stays, the rest is not asked. One that has ended stays as it is."""
        services.cancel(batch=find_batch(self.caller, batch_id), now=timezone.now())
        return answer(batch_object(find_batch(self.caller, batch_id)))


def find_batch(key: ApiKey, batch_id: str) -> Batch:
    """The batch of the caller's project. Raises ApiError (404), also for another project's."""
    found = Batch.objects.of(key.project).filter(pk=batch_id[:64])
    batch = found.select_related("project", "api_key__project", "api_key__profile").first()
    if batch is None:
        raise ApiError(of_status(404, f"There is no batch '{batch_id[:64]}'."))
    return batch


async def _whole(batch_id: str, key: ApiKey) -> HttpResponse:
    async with aclosing(follow_batches(batch_id)) as told:
        async for batch in told:
            if batch[-1].terminal:
                break
    return answer(await in_thread(_results, batch_id, key))


def _results(batch_id: str, key: ApiKey) -> dict[str, object]:
    return with_results(find_batch(key, batch_id), limit=MAX_WAITING)
