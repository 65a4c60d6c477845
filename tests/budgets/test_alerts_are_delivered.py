"""Notifications: tried until they are taken, by one at a time, and given up in the open."""

import json
import threading
from datetime import datetime, timedelta

import pytest
from django.core import mail

from apps.audit.models import AuditEvent
from apps.budgets import notifying, services
from apps.budgets.models import Notification
from apps.keys import sending
from apps.keys.models import ApiKey
from apps.keys.sending import MOST_ATTEMPTS, pause
from apps.keys.webhooks import NotDelivered, Post
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, hold, settle
from tests.support.waiting import eventually

HOOK = "https://hooks.example.org/budget"


class Hooks:
    """Takes the place of the network."""

    def __init__(self) -> None:
        self.posts: list[tuple[Post, int]] = []
        self.refuse = ""

    async def send(self, post: Post, timestamp: int) -> None:
        self.posts.append((post, timestamp))
        if self.refuse:
            raise NotDelivered(self.refuse)

    def deliver(self, now: datetime = NOON) -> int:
        return services.deliver_alerts(now=now, send_hook=self.send)


@pytest.fixture
def hooks() -> Hooks:
    return Hooks()


def cross(key: ApiKey) -> None:
    """Spend 85 per cent of a dollar."""
    hold(key, "job_1", 85 * CENT)
    settle(key, "job_1", 85 * CENT)


def test_a_webhook_tells_which_budget_and_how_far(ci: ApiKey, budget: MakeBudget, hooks: Hooks) -> None:
    made = budget(USD, webhook_url=HOOK, key=ci, name="ci")
    cross(ci)
    assert hooks.deliver() == 1
    ((post, timestamp),) = hooks.posts
    assert (post.url, post.secret, timestamp) == (HOOK, made.webhook_secret, int(NOON.timestamp()))
    assert json.loads(post.body) == {
        "type": "budget.threshold_crossed",
        "timestamp": "2025-11-12T12:00:00+00:00",
        "data": {
            "project_id": "atlas",
            "key_id": ci.public_id,
            "budget_id": made.pk,
            "budget": "ci",
            "period": "day",
            "rolling": False,
            "threshold_percent": 80,
            "spent_microusd": 85 * CENT,
            "limit_microusd": USD,
            "period_starts_at": "2025-11-12T00:00:00+00:00",
            "resets_at": "2025-11-13T00:00:00+00:00",
        },
    }


def test_what_was_delivered_is_not_sent_again(ci: ApiKey, budget: MakeBudget, hooks: Hooks) -> None:
    budget(USD, webhook_url=HOOK, emails="alice@example.org")
    cross(ci)
    assert [hooks.deliver(NOON), hooks.deliver(NOON + timedelta(days=1))] == [2, 0]
    assert (len(hooks.posts), len(mail.outbox)) == (1, 1)


def test_a_mail_says_it_in_words(ci: ApiKey, budget: MakeBudget, hooks: Hooks) -> None:
    budget(USD, emails="alice@example.org, bob@example.org")
    cross(ci)
    assert hooks.deliver() == 2
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@example.org", "bob@example.org"]
    assert mail.outbox[0].subject == "80 % of a budget is spent: project atlas, $0.85 of $1.00 a day"
    assert "threshold_percent: 80" in mail.outbox[0].body


def test_what_fails_is_tried_again_with_longer_pauses_and_the_same_id(
    ci: ApiKey, budget: MakeBudget, hooks: Hooks
) -> None:
    budget(USD, webhook_url=HOOK)
    cross(ci)
    hooks.refuse = "the server answered 503"
    assert hooks.deliver(NOON) == 0
    waiting = Notification.objects.get()
    assert (waiting.error, waiting.attempts) == ("the server answered 503", 1)
    assert hooks.deliver(NOON + timedelta(seconds=29)) == 0
    assert len(hooks.posts) == 1
    hooks.refuse = ""
    assert hooks.deliver(NOON + timedelta(seconds=30)) == 1
    assert len({post.id for post, _ in hooks.posts}) == 1
    waiting.refresh_from_db()
    assert (waiting.error, waiting.delivered_at) == ("", NOON + timedelta(seconds=30))
    assert [pause(attempts).total_seconds() for attempts in (1, 2, 3, 7, 8, 50)] == [30, 60, 120, 1920, 3600, 3600]


def test_one_that_fails_does_not_keep_the_others(ci: ApiKey, budget: MakeBudget, hooks: Hooks) -> None:
    budget(USD, webhook_url=HOOK, emails="alice@example.org")
    cross(ci)
    hooks.refuse = "no"
    assert hooks.deliver() == 1
    assert len(mail.outbox) == 1


def test_in_the_end_it_is_given_up_and_in_the_record(ci: ApiKey, budget: MakeBudget, hooks: Hooks) -> None:
    made, now = budget(USD, webhook_url=HOOK), NOON
    cross(ci)
    hooks.refuse = "the server answered 410"
    for _ in range(MOST_ATTEMPTS + 3):
        hooks.deliver(now)
        now += timedelta(hours=2)
    assert len(hooks.posts) == MOST_ATTEMPTS
    assert Notification.objects.get().next_attempt_at is None
    event = AuditEvent.objects.get(action="alert.abandoned")
    assert (event.target_id, event.reason) == (str(made.pk), "the server answered 410")


def test_an_attempt_belongs_to_the_process_that_claims_it_first(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, webhook_url=HOOK)
    cross(ci)
    ours, theirs = Notification.objects.get(), Notification.objects.get()
    assert sending.claim(ours, now=NOON)
    assert not sending.claim(theirs, now=NOON)
    assert Notification.objects.get().attempts == 1


def test_a_mail_server_that_is_away_is_tried_again(
    ci: ApiKey, budget: MakeBudget, hooks: Hooks, settings: object
) -> None:
    budget(USD, emails="alice@example.org")
    cross(ci)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # type: ignore[attr-defined]
    assert hooks.deliver() == 0
    assert "ConnectionRefusedError" in Notification.objects.get().error


def test_when_nothing_is_due_nothing_is_done(ci: ApiKey, budget: MakeBudget, hooks: Hooks) -> None:
    budget(USD, webhook_url=HOOK)
    assert hooks.deliver() == 0


def test_a_sweep_that_may_not_wait_has_them_delivered_aside(
    ci: ApiKey, budget: MakeBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget(USD, webhook_url=HOOK)
    assert not services.deliver_aside(now=NOON)
    cross(ci)
    called, go_on = threading.Event(), threading.Event()

    def deliver(*, now: datetime) -> int:
        called.set()
        go_on.wait(60)
        return 1

    monkeypatch.setattr(notifying, "deliver_alerts", deliver)
    assert services.deliver_aside(now=NOON)
    assert called.wait(60)
    assert not services.deliver_aside(now=NOON), "one at a time"
    go_on.set()
    eventually(lambda: services.deliver_aside(now=NOON), message="the thread did not give way")
