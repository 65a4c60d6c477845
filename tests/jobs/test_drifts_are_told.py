"""What a model costs has drifted: the operators hear of it, once for each day, however they want to."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.jobs import notices, usage
from apps.jobs.models import Drift, DriftNotice
from apps.keys import sending
from apps.keys.models import ApiKey
from apps.keys.sending import MOST_ATTEMPTS
from apps.keys.webhooks import NotDelivered, Post
from tests.jobs.ended import HAIKU, call, end

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOOK = "https://hooks.example.org/drift"


class Receiver:
    """Takes messages, or does not."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.refuses = False

    async def __call__(self, post: Post, _timestamp: int) -> None:
        self.posts.append(post)
        if self.refuses:
            raise NotDelivered("the server answered 500")


@pytest.fixture(autouse=True)
def _destinations(settings: Settings, valkey: object) -> None:
    settings.ALERT_EMAILS = ("ops@example.org", "money@example.org")
    settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_SECRET = HOOK, "a secret"


@pytest.fixture
def drift(atlas: ApiKey) -> Drift:
    fair = call(read=1_000_000)
    end(atlas, NOON, fair, cli_microusd=fair.cost_microusd * 2)
    usage.fold()
    assert (usage.raise_drifts(now=NOON), usage.raise_drifts(now=NOON)) == (1, 0)
    return Drift.objects.get()


def test_operators_get_it_once_by_webhook_and_e_mail(drift: Drift) -> None:
    receiver = Receiver()
    assert notices.deliver(now=NOON, send_hook=receiver) == 3
    assert notices.deliver(now=NOON, send_hook=receiver) == 0
    [post] = receiver.posts
    assert (post.url, post.secret) == (HOOK, "a secret")
    told = json.loads(post.body)
    assert (told["type"], told["data"]["model"], told["data"]["measure"]) == ("cost.drifted", HAIKU, "cli")
    assert told["data"]["metered_microusd"] * 2 == told["data"]["other_microusd"]
    assert sorted(message.to for message in mail.outbox) == [["money@example.org"], ["ops@example.org"]]
    assert HAIKU in mail.outbox[0].subject


def test_what_is_not_taken_is_tried_again_and_given_up_in_the_open(drift: Drift) -> None:
    receiver = Receiver()
    receiver.refuses = True
    for number in range(MOST_ATTEMPTS):
        notices.deliver(now=NOON + timedelta(hours=2 * number), send_hook=receiver)
    assert len(receiver.posts) == MOST_ATTEMPTS
    assert len({post.id for post in receiver.posts}) == 1
    row = DriftNotice.objects.get(channel="webhook")
    assert (row.next_attempt_at, row.delivered_at, row.error) == (None, None, "the server answered 500")
    assert AuditEvent.objects.filter(action="alert.abandoned", target_id=HAIKU).count() == 1


def test_an_attempt_that_took_too_long_says_nothing_of_the_next(drift: Drift) -> None:
    def give_up() -> None:
        raise AssertionError("it is not over")

    slow, later = (DriftNotice.objects.get(channel="webhook") for _ in range(2))
    assert sending.claim(slow, now=NOON)
    assert not sending.claim(later, now=NOON), "it is under way"
    later.refresh_from_db()
    assert sending.claim(later, now=NOON + timedelta(hours=1))
    assert not sending.note(slow, "no answer", now=NOON + timedelta(hours=1), give_up=give_up)
    assert sending.note(later, "", now=NOON + timedelta(hours=1), give_up=give_up)
    row = DriftNotice.objects.get(channel="webhook")
    assert (row.delivered_at, row.error) == (NOON + timedelta(hours=1), "")


def test_the_admin_says_who_was_told(drift: Drift, admin_client: Client) -> None:
    page = admin_client.get("/admin/jobs/drift/", headers={"host": "localhost"}).content.decode()
    assert "Webhook after 0 attempts" in page
