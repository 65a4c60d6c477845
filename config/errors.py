"""Errors of addresses that are no API's: a page for people, the API's own shape for everybody else."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from apps.api import errors

_PAGES = {
    403: ("Not yours to do", "Your role in this project does not reach so far. One of its owners can change that."),
    404: ("Nothing is here", "The address is wrong, or what it names is gone or belongs to another project."),
    500: ("Something went wrong here", "It has been logged. Try again; if it stays so, the operator's log says why."),
}


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """403."""
    return _page(request, 403) if _is_for_people(request) else errors.forbidden(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404."""
    return _page(request, 404) if _is_for_people(request) else errors.not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500."""
    return _page(request, 500) if _is_for_people(request) else errors.server_error(request)


def _is_for_people(request: HttpRequest) -> bool:
    return not request.path.startswith("/v1") and "text/html" in request.headers.get("accept", "")


def _page(request: HttpRequest, status: int) -> HttpResponseBase:
    title, words = _PAGES[status]
    return render(request, "dashboard/error.html", {"title": title, "words": words, "status": status}, status=status)
