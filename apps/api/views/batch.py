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
from apps.api.query import whole
from apps.api.schema.batch import batch_cancel_schema, batch_schema, batches_schema, create_batch_schema
from apps.api.threads import in_thread
from apps.api.views.batching import BatchesView, find_batch
from apps.api.views.tasks import is_async
from apps.jobs.batches import services
from apps.jobs.batches.models import Batch
from apps.jobs.batches.services import MAX_ITEMS
from apps.jobs.following import follow_batches
from apps.keys.models import ApiKey

_PAGE = 1_000
"""Results of a page at most: they are built in memory."""


class Batches(BatchesView):
    """The project's batches."""

    @create_batch_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Ask many things at once: prompts, conversations and tasks, mixed."""
        later = is_async(request)
        body = read_json(request)
        items = read(body, default_model=self.default_model, waits=not later)
        batch = self.made_before()
        if batch is None:
            made = self.make(items=items, metadata=fields.metadata(body), patient=later)
            batch = find_batch(self.caller, made.pk)
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
        return self.listed(Batch.objects.all(), batch_object)


class OneBatch(View):
    """One batch of the project."""

    @batch_schema
    def get(self, request: Request, batch_id: str) -> HttpResponse:
        """Look at a batch and the results it has so far. `after` is the index of the last item of the page before."""
        query = request._request.GET
        limit = whole(query, "limit", _PAGE, least=1, most=_PAGE)
        after = whole(query, "after", 0, least=0, most=MAX_ITEMS) if "after" in query else -1
        return answer(with_results(find_batch(self.caller, batch_id), after=after, limit=limit))


class BatchCancel(View):
    """Stopping a batch."""

    @batch_cancel_schema
    def post(self, request: Request, batch_id: str) -> HttpResponse:
        """Cancel a batch: what has been answered stays, the rest is not asked. One that has ended stays as it is."""
        services.cancel(batch=find_batch(self.caller, batch_id), now=timezone.now())
        return answer(batch_object(find_batch(self.caller, batch_id)))


async def _whole(batch_id: str, key: ApiKey) -> HttpResponse:
    async with aclosing(follow_batches(batch_id)) as told:
        async for batch in told:
            if batch[-1].terminal:
                break
    return answer(await in_thread(_results, batch_id, key))


def _results(batch_id: str, key: ApiKey) -> dict[str, object]:
    return with_results(find_batch(key, batch_id), limit=MAX_WAITING)
