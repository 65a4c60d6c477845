"""Answers in JSON, without DRF's rendering."""

from django.http import HttpResponse

from apps.api import jsonio
from apps.api.problems import Problem


def answer(data: object, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse(jsonio.dumps(data), status=status, content_type="application/json", headers=headers)


def failure(problem: Problem) -> HttpResponse:
    """The answer that tells a problem."""
    return answer(problem.body(), status=problem.status, headers=problem.headers)
