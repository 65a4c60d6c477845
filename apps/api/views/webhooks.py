"""Completion webhooks: what signs them, and sending one again."""

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.schema.tasks import redeliver_schema, secret_schema
from apps.api.views.jobs import find_job
from apps.jobs import deliveries


class WebhookSecret(View):
    """What signs the webhooks of the caller's project."""

    @secret_schema
    def get(self, request: Request) -> HttpResponse:
        """The secret that signs this project's webhooks, for https://www.standardwebhooks.com libraries."""
        shown = {"object": "webhook_secret", "secret": deliveries.secret(self.caller.project)}
        return answer(shown, headers={"Cache-Control": "no-store"})


class Redeliver(View):
    """Sending a job's webhook again."""

    @redeliver_schema
    def post(self, request: Request, job_id: str) -> HttpResponse:
        """Send the completion webhook of a job again, delivered or not."""
        job = find_job(self.caller, job_id)
        row = deliveries.redeliver(job=job, actor=f"key:{self.caller.public_id}", now=timezone.now())
        told = {"object": "delivery", "job_id": job_id, "url": row.url, "status": "queued"}
        return answer(told, status=202, headers={"x-job-id": job_id})
