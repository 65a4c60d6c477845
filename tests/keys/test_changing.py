from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from apps.keys import services
from apps.keys.models import ApiKey
from apps.keys.rates import Limits
from apps.keys.terms import Terms
from tests.keys.cast import NOON, atlas, deeds, free, key_of_alice

pytestmark = pytest.mark.django_db


def test_a_key_can_be_issued_with_limits() -> None:
    terms = Terms(name="ci", limits=Limits(60, 90_000, 3), allowed_networks=("192.0.2.0/24",), default_model="haiku")
    key, _ = services.issue_on(project=atlas(), terms=terms, actor="user:alice", ip="192.0.2.1", now=NOON)
    stored = Terms.of(ApiKey.objects.get(pk=key.pk))
    assert stored == replace(terms, profile=key.profile)
    [deed] = deeds("key.issued")
    assert (deed.actor, deed.ip, deed.target_id, deed.project_id) == ("user:alice", "192.0.2.1", key.public_id, "atlas")
    assert deed.data["after"]["requests_per_minute"] == 60
    assert deed.data["after"]["allowed_networks"] == ["192.0.2.0/24"]


def test_a_change_is_recorded_with_what_was_and_what_is() -> None:
    key, _ = key_of_alice()
    terms = replace(Terms.of(key), profile=free(), limits=Limits(requests=5))
    assert services.change(key=key, terms=terms, actor="user:alice", now=NOON)
    [deed] = deeds("key.changed")
    assert deed.data == {
        "name": "alice",
        "before": {"profile": "pro", "requests_per_minute": None},
        "after": {"profile": "free", "requests_per_minute": 5},
    }
    assert ApiKey.objects.get(pk=key.pk).requests_per_minute == key.requests_per_minute == 5


def test_a_change_that_changes_nothing_is_no_deed() -> None:
    key, _ = key_of_alice()
    assert not services.change(key=key, terms=Terms.of(key), actor="user:alice", now=NOON)
    assert deeds("key.changed") == []


def test_a_change_acts_at_once_where_it_was_made() -> None:
    key, secret = key_of_alice()
    services.authenticate(secret=secret, ip=None, now=NOON)
    services.change(key=key, terms=replace(Terms.of(key), limits=Limits(tokens=7)), actor="user:alice", now=NOON)
    assert services.authenticate(secret=secret, ip=None, now=NOON).tokens_per_minute == 7


@pytest.mark.parametrize(
    "terms",
    [
        Terms(name="x", limits=Limits(requests=0)),
        Terms(name="x", allowed_networks=("nowhere",)),
        Terms(name="x", default_model="gpt-4"),
        Terms(name=""),
    ],
)
def test_terms_that_no_key_can_have_are_refused_and_nothing_is_written(terms: Terms) -> None:
    key, _ = key_of_alice()
    with pytest.raises(ValidationError):
        services.change(key=key, terms=terms, actor="user:alice", now=NOON)
    with pytest.raises(ValidationError):
        services.issue_on(project=atlas(), terms=terms, actor="user:alice", now=NOON)
    assert Terms.of(ApiKey.objects.get()).name == "alice"
    assert deeds("key.changed") == []


def test_a_later_end_is_warned_about_anew() -> None:
    key, _ = key_of_alice(expires_at=NOON + timedelta(days=30))
    ApiKey.objects.update(expiry_warned_days=3)
    services.change(
        key=key, terms=replace(Terms.of(key), expires_at=NOON + timedelta(days=60)), actor="user:alice", now=NOON
    )
    assert ApiKey.objects.get().expiry_warned_days is None


def test_renaming_a_project_is_recorded_and_saving_it_unchanged_is_not() -> None:
    project = atlas()
    services.save_project(project=project, actor="user:alice", now=NOON)
    project.name = "Atlas II"
    services.save_project(project=project, actor="user:alice", now=NOON)
    [deed] = deeds("project.renamed")
    assert deed.data == {"before": {"name": ""}, "after": {"name": "Atlas II"}}
