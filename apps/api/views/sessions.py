"""`/v1/sessions`: the conversations of the caller's project."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.query import whole
from apps.api.schema.sessions import delete_session_schema, fork_schema, session_schema, sessions_schema
from apps.jobs import sessions
from apps.jobs.models import Session

MAX_PAGE = 100


class Sessions(View):
    """All of them."""

    @sessions_schema
    def get(self, request: Request) -> HttpResponse:
        """List sessions, the most recently used first."""
        query = request._request.GET
        limit = whole(query, "limit", 20, least=1, most=MAX_PAGE)
        found = Session.objects.of(self.caller.project).select_related("project").order_by("-last_used_at", "-id")
        if after := query.get("after"):
            last = sessions.find(project=self.caller.project, session_id=after)
            found = found.filter(last_used_at__lt=last.last_used_at)
        page = [session_object(row) for row in found[: limit + 1]]
        return answer({"object": "list", "data": page[:limit], "has_more": len(page) > limit})


class OneSession(View):
    """One of them."""

    http_method_names = ["get", "head", "delete"]

    @session_schema
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """Look at a session. Its jobs are listed by GET /v1/jobs?session_id=…"""
        return answer(session_object(sessions.find(project=self.caller.project, session_id=session_id)))

    @delete_session_schema
    def delete(self, request: Request, session_id: str) -> HttpResponse:
        """Forget a conversation. Its jobs, and what they cost, stay."""
        session = sessions.find(project=self.caller.project, session_id=session_id)
        sessions.delete(session=session, actor=f"key:{self.caller.public_id}", now=timezone.now())
        return answer({"id": session_id, "object": "session.deleted", "deleted": True})


class Fork(View):
    """A copy of one."""

    @fork_schema
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Go on from where a session is, in a session of its own."""
        session = sessions.find(project=self.caller.project, session_id=session_id)
        copy = sessions.fork(session=session, actor=f"key:{self.caller.public_id}", now=timezone.now())
        return answer(session_object(copy), status=201, headers={"Location": f"/v1/sessions/{copy.pk}"})


def session_object(row: Session) -> dict[str, Any]:
    """A session as clients see it."""
    return {
        "id": row.pk,
        "object": "session",
        "kind": row.kind,
        "project_id": row.project.slug,
        "forked_from": row.forked_from or None,
        "last_job_id": row.last_job_id or None,
        "created_at": round(row.created_at.timestamp(), 3),
        "last_used_at": round(row.last_used_at.timestamp(), 3),
    }
