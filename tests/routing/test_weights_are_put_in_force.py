from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.routing import services
from apps.routing.models import RoutingVersion
from apps.routing.scoring import Weights, shipped

pytestmark = pytest.mark.django_db
WEIGHTS = Weights(bias=0.5, features={"code": 1.0}, thresholds=(0.2, 0.6))


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(
        User.objects.create_superuser("ann", password="x" * 12), "django.contrib.auth.backends.ModelBackend"
    )
    return client


def create(note: str, now: datetime, bias: float = 0.5) -> RoutingVersion:
    weights = Weights(bias=bias, features={"code": 1.0}, thresholds=(0.2, 0.6))
    return services.create(weights=weights, note=note, actor="user:ann", now=now)


def test_the_shipped_weights_decide_until_somebody_puts_others_in_force(now: datetime) -> None:
    assert services.in_force() is shipped()
    create("mine", now)
    assert services.in_force() == Weights(version=1, bias=0.5, features={"code": 1.0}, thresholds=(0.2, 0.6))
    assert services.use_shipped(actor="user:ann", now=now)
    assert services.in_force() is shipped()
    assert not services.use_shipped(actor="user:ann", now=now)


def test_an_earlier_version_can_decide_again(now: datetime) -> None:
    first, second = create("one", now, bias=0.1), create("two", now, bias=0.2)
    assert services.in_force().version == second.number == 2
    assert services.put_in_force(version=first, actor="user:ann", now=now)
    assert (services.in_force().version, services.in_force().bias) == (1, 0.1)
    assert not services.put_in_force(version=first, actor="user:ann", now=now)
    assert sorted(AuditEvent.objects.values_list("action", "target_id")) == [
        ("routing.changed", "version 1"),
        ("routing.changed", "version 2"),
        ("routing.restored", "version 1"),
    ]


def test_a_damaged_version_leaves_the_shipped_weights_to_decide(now: datetime) -> None:
    RoutingVersion.objects.filter(pk=create("mine", now).pk).update(weights={"bias": "much"})
    assert services.in_force() is shipped()


def form(**changes: Any) -> dict[str, Any]:
    fields = {"sonnet_from": "0.2", "opus_from": "0.6", "low_budget": "0.1", "bias": "0.5", "note": "less opus"}
    return {**fields, "features": '{"code": 1.0}', "words": "{}", **changes}


def test_saving_the_form_puts_a_new_version_in_force(admin: Client) -> None:
    page = admin.get("/admin/routing/routingversion/add/").content.decode()
    assert f'value="{shipped().thresholds[0]}"' in page  # it begins as what is in force
    assert admin.post("/admin/routing/routingversion/add/", form()).status_code == 302
    assert services.in_force() == Weights(version=1, bias=0.5, features={"code": 1.0}, thresholds=(0.2, 0.6))
    version = RoutingVersion.objects.get()
    assert (version.note, version.author) == ("less opus", "user:ann")
    assert "code" in admin.get(f"/admin/routing/routingversion/{version.pk}/change/").content.decode()
    listed = admin.get("/admin/routing/routingversion/").content.decode()
    assert "sonnet from 0.2, opus from 0.6" in listed


@pytest.mark.parametrize(
    "change", [{"features": '{"charm": 1}'}, {"opus_from": "0.1"}, {"features": "[1]"}, {"words": "x"}]
)
def test_a_form_that_makes_no_sense_changes_nothing(admin: Client, change: dict[str, str]) -> None:
    answer = admin.post("/admin/routing/routingversion/add/", form(**change))
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode() or "errornote" in answer.content.decode()
    assert not RoutingVersion.objects.exists()


def test_the_list_s_actions_put_versions_in_force(admin: Client, now: datetime) -> None:
    first, second = create("one", now), create("two", now)

    def act(action: str, *versions: RoutingVersion) -> None:
        chosen = {"action": action, "_selected_action": [version.pk for version in versions]}
        admin.post("/admin/routing/routingversion/", chosen)

    act("put_in_force", first, second)
    assert services.in_force().version == 2
    act("put_in_force", first)
    assert services.in_force().version == 1
    act("use_shipped", first)
    assert services.in_force() is shipped()
