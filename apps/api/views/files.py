"""`/v1/files`: OpenAI's Files API: what goes into batches and what comes out."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, BinaryIO
from urllib.parse import quote

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import EventStreamRenderer, View
from apps.api.openai.fields import wrong_value
from apps.api.problems import ApiError, invalid, of_status
from apps.api.query import listing, whole
from apps.api.schema.files import content_schema, delete_file_schema, file_schema, files_schema, upload_schema
from apps.jobs.batches import files
from apps.jobs.batches.models import StoredFile

PURPOSES = ("batch", "assistants", "vision", "user_data", "evals")
_PIECE_BYTES = 256 * 1024


class Files(View):
    """The project's files."""

    @upload_schema
    def post(self, request: Request) -> HttpResponse:
        """Upload a file, as a form with `purpose` and `file`."""
        if not request.META.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
            raise ApiError(
                of_status(415, "Send a form: 'Content-Type: multipart/form-data' with 'purpose' and 'file'.")
            )
        form, sent = request._request.POST, request._request.FILES.get("file")
        purpose = form.get("purpose")
        if purpose not in PURPOSES:
            raise wrong_value("purpose", f"'purpose' is one of {', '.join(PURPOSES)}.")
        if sent is None:
            raise invalid("The form has no file 'file'.", param="file", code="missing_parameter")
        if strange := sorted(set(form) - {"purpose"}):
            raise invalid(f"A file has no '{strange[0][:60]}' here.", param=strange[0], code="unsupported_parameter")
        name = (sent.name or "file")[:255]
        now = timezone.now()
        row = files.store(key=self.caller, purpose=str(purpose), filename=name, content=sent.read(), now=now)
        return answer(file_object(row))

    @files_schema
    def get(self, request: Request) -> HttpResponse:
        """List files, newest first. `after` is the id of the last file of the page before."""
        query = request._request.GET
        limit = whole(query, "limit", 1_000, least=1, most=10_000)
        found = StoredFile.objects.of(self.caller.project)
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise wrong_value("order", "'order' is asc or desc.")
        if purpose := query.get("purpose"):
            found = found.filter(purpose=purpose)
        # Outputs have ids that do not sort by time, so the moment leads.
        signs = ("", "gt") if order == "asc" else ("-", "lt")
        found = found.order_by(f"{signs[0]}created_at", f"{signs[0]}id")
        if after := query.get("after"):
            last = files.find(key=self.caller, file_id=after)
            found = found.filter(created_at=last.created_at, **{f"id__{signs[1]}": last.pk}) | found.filter(
                **{f"created_at__{signs[1]}": last.created_at}
            )
        page = list(found[: limit + 1])
        return answer(listing([file_object(row) for row in page[:limit]], has_more=len(page) > limit))


class OneFile(View):
    """One file of the project."""

    http_method_names = ["get", "head", "delete"]

    @file_schema
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """Look at a file's facts."""
        return answer(file_object(files.find(key=self.caller, file_id=file_id)))

    @delete_file_schema
    def delete(self, request: Request, file_id: str) -> HttpResponse:
        """Delete a file. A batch that was made of it goes on."""
        row = files.find(key=self.caller, file_id=file_id)
        files.delete(key=self.caller, row=row, now=timezone.now())
        return answer({"id": file_id, "object": "file", "deleted": True})


class AnythingRenderer(EventStreamRenderer):
    """Lets content negotiation accept whatever the client says it takes: OpenAI's SDK asks for application/binary."""

    media_type = "*/*"
    format = "binary"


class FileContent(View):
    """What is in a file."""

    renderer_classes = [JSONRenderer, AnythingRenderer]

    @content_schema
    def get(self, request: Request, file_id: str) -> HttpResponseBase:
        """Download a file."""
        row = files.find(key=self.caller, file_id=file_id)
        file = files.open_file(row)
        self.visit.closers.append(file.close)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.filename, safe='')}",
            "Content-Length": str(row.size_bytes),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        }
        return StreamingHttpResponse(_pieces(file), content_type="application/octet-stream", headers=headers)


def file_object(row: StoredFile) -> dict[str, Any]:
    """OpenAI's file object."""
    return {
        "id": row.pk,
        "object": "file",
        "bytes": row.size_bytes,
        "created_at": int(row.created_at.timestamp()),
        "expires_at": None,
        "filename": row.filename,
        "purpose": row.purpose,
        "status": "processed",
        "status_details": None,
    }


async def _pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
        yield piece
