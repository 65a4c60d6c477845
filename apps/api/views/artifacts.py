"""`/v1/jobs/{id}/artifacts`: files that a task left. Whatever they hold, a browser only ever saves them."""

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import quote

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.schema.tasks import artifact_schema, artifacts_schema
from apps.api.views.jobs import find_job
from apps.jobs import artifacts
from apps.jobs.artifacts import OpenArtifact
from apps.jobs.wire import job_object

_PIECE_BYTES = 256 * 1024


class Artifacts(View):
    """All of them."""

    @artifacts_schema
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """List the files that a task left."""
        job = find_job(self.caller, job_id)
        return answer({"object": "list", "data": job_object(job)["artifacts"]}, headers={"x-job-id": job_id})


class Artifact(View):
    """One of them."""

    @artifact_schema
    def get(self, request: Request, job_id: str, name: str) -> HttpResponseBase:
        """Download a file that a task left."""
        found = artifacts.open_artifact(job=find_job(self.caller, job_id), name=name)
        self.visit.closers.append(found.file.close)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2], safe='')}",
            "Content-Length": str(found.size),
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
            "x-job-id": job_id,
        }
        return StreamingHttpResponse(_pieces(found), content_type="application/octet-stream", headers=headers)


async def _pieces(found: OpenArtifact) -> AsyncGenerator[bytes]:
    while piece := await asyncio.to_thread(found.file.read, _PIECE_BYTES):
        yield piece
