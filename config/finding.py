"""From an id or a name to the page of the thing in the admin."""

import re

from django.contrib.auth.models import User
from django.urls import reverse

from apps.budgets.models import Budget
from apps.jobs.ids import PREFIX
from apps.jobs.models import Job
from apps.keys.models import ApiKey, Project
from apps.permissions.models import Profile

# A job's id may come with the prefix of the wire it went over: `chatcmpl-…`, `msg_…`, `resp_…`.
_JOB = re.compile(r"(?:[a-z]+[_-])?([0-9a-f]{32})")
_KEY = re.compile(r"(?:key:)?(?:ccs_[a-z]+_)?([a-z0-9]{12})(?:_.*)?")


def place_of(text: str, kind: str = "") -> str:
    """The address of the job, key, project, person, profile or (by kind) budget; else of every deed that names it."""
    text = text.strip()
    for name, pk in (
        ("jobs_job", _job(text)),
        ("keys_apikey", _key(text) if kind in ("", "key") else None),
        ("keys_project", _pk(Project, slug=text) if kind in ("", "project") else None),
        ("auth_user", _pk(User, username=text.removeprefix("user:")) if kind in ("", "user") else None),
        ("permissions_profile", _pk(Profile, slug=text) if kind in ("", "profile") else None),
        ("budgets_budget", _pk(Budget, pk=text) if kind == "budget" and text.isdecimal() else None),
    ):
        if pk is not None:
            return reverse(f"admin:{name}_change", args=[pk])
    return ""


def _job(text: str) -> object | None:
    found = _JOB.fullmatch(text)
    return _pk(Job, pk=f"{PREFIX}{found[1]}") if found else None


def _key(text: str) -> object | None:
    found = _KEY.fullmatch(text)
    return _pk(ApiKey, public_id=found[1]) if found else None


def _pk(model: type, **facts: str) -> object | None:
    pk: object | None = model.objects.filter(**facts).values_list("pk", flat=True).first()  # type: ignore[attr-defined]
    return pk
