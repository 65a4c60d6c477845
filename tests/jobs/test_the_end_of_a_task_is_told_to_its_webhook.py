import base64
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.jobs import deliveries, services
from apps.jobs.deliveries import NothingToDeliver
from apps.jobs.models import Delivery, Job
from apps.keys import webhooks
from apps.keys.models import ApiKey
from apps.keys.sending import MOST_ATTEMPTS
from apps.keys.webhooks import NotDelivered, Post
from tests.jobs.conftest import both_databases, task
from tests.support.receiver import HttpsReceiver, Taken

URL = "https://hooks.example.org/done"
pytestmark = pytest.mark.usefixtures("valkey")


class Receiver:
    """Takes messages, or does not."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.refuses = False

    async def __call__(self, post: Post, _timestamp: int) -> None:
        self.posts.append(post)
        if self.refuses:
            raise NotDelivered("the server answered 500")


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def ended(key: ApiKey, url: str = URL) -> Job:
    request = replace(task(), webhook_url=url)
    job = services.submit(key=key, request=request, request_id="", now=timezone.now())
    services.cancel(job=job, now=timezone.now())
    return Job.objects.select_related("project").get(pk=job.pk)


@both_databases
def test_the_end_is_told_once_with_the_job_and_a_signature(atlas: ApiKey, receiver: Receiver) -> None:
    job, now = ended(atlas), timezone.now()

    assert deliveries.deliver(now=now, send_hook=receiver) == 1
    assert deliveries.deliver(now=now, send_hook=receiver) == 0

    [post] = receiver.posts
    told = json.loads(post.body)
    assert (post.url, told["type"], told["data"]["id"]) == (URL, "job.cancelled", job.pk)
    key = base64.b64decode(deliveries.secret(atlas.project).removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, f"{post.id}.7.".encode() + post.body, sha256)).decode()
    assert webhooks.signature(post, timestamp=7) == f"v1,{expected}"


def test_projects_have_secrets_of_their_own(atlas: ApiKey, borealis: ApiKey) -> None:
    assert deliveries.secret(atlas.project) != deliveries.secret(borealis.project)


def test_nothing_is_told_where_nobody_asked(atlas: ApiKey, receiver: Receiver) -> None:
    job = ended(atlas, url="")
    assert deliveries.deliver(now=timezone.now(), send_hook=receiver) == 0
    with pytest.raises(NothingToDeliver):
        deliveries.redeliver(job=job, actor="key:atlas", now=timezone.now())


def test_what_is_not_taken_is_tried_again_later_and_given_up_in_the_end(atlas: ApiKey, receiver: Receiver) -> None:
    job, now = ended(atlas), timezone.now()
    receiver.refuses = True
    deliveries.deliver(now=now, send_hook=receiver)
    assert deliveries.deliver(now=now + timedelta(seconds=29), send_hook=receiver) == 0
    assert len(receiver.posts) == 1

    while Delivery.objects.due(now := now + timedelta(hours=1)).exists():
        deliveries.deliver(now=now, send_hook=receiver)

    assert len(receiver.posts) == MOST_ATTEMPTS
    assert len({post.id for post in receiver.posts}) == 1
    row = Delivery.objects.get()
    assert (row.delivered_at, row.error) == (None, "the server answered 500")
    assert AuditEvent.objects.get(action="webhook.abandoned").target_id == job.pk


def test_it_can_be_sent_again(atlas: ApiKey, receiver: Receiver) -> None:
    job = ended(atlas)
    deliveries.deliver(now=timezone.now(), send_hook=receiver)

    deliveries.redeliver(job=job, actor="key:atlas", now=timezone.now())

    assert deliveries.deliver(now=timezone.now(), send_hook=receiver) == 1
    assert len(receiver.posts) == 2
    assert AuditEvent.objects.get(action="webhook.requeued").actor == "key:atlas"


def test_no_webhook_reaches_the_network_inside(atlas: ApiKey) -> None:
    ended(atlas, url="https://127.0.0.1:1/hook")

    assert deliveries.deliver(now=timezone.now()) == 0

    assert "not a public address" in Delivery.objects.get().error


def test_a_receiver_of_ones_own_gets_it_by_https_and_again_after_a_500(atlas: ApiKey, tmp_path: Path) -> None:
    with HttpsReceiver(tmp_path).listening() as taking:
        taking.statuses = [500]
        job, now = ended(atlas, url=taking.url), timezone.now()

        async def trusting(post: Post, timestamp: int) -> None:
            await webhooks.send(post, timestamp=timestamp, allowed=lambda _: True, trust=taking.trust)

        assert deliveries.deliver(now=now, send_hook=trusting) == 0
        assert Delivery.objects.get().error == "the server answered 500"
        assert deliveries.deliver(now=now + timedelta(seconds=31), send_hook=trusting) == 1
        deliveries.redeliver(job=job, actor="key:atlas", now=now)
        assert deliveries.deliver(now=now + timedelta(seconds=60), send_hook=trusting) == 1

    assert [verified(each, deliveries.secret(atlas.project))["data"]["id"] for each in taking.taken] == [job.pk] * 3
    assert len({each.headers["webhook-id"] for each in taking.taken}) == 1
    assert len({each.headers["webhook-timestamp"] for each in taking.taken}) == 3


def verified(taken: Taken, secret: str) -> dict[str, Any]:
    """The message, checked as docs/tasks.md tells a receiver to."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{taken.headers['webhook-id']}.{taken.headers['webhook-timestamp']}.".encode() + taken.body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()
    assert hmac.compare_digest(taken.headers["webhook-signature"], expected)
    told: dict[str, Any] = json.loads(taken.body)
    return told


def test_only_the_hosts_that_the_operator_names_are_reached_inside(
    atlas: ApiKey, tmp_path: Path, settings: Settings
) -> None:
    with HttpsReceiver(tmp_path).listening() as taking:
        ended(atlas, url=taking.url)
        now = timezone.now()
        settings.WEBHOOK_HOSTS = ("hooks.internal",)
        deliveries.deliver(now=now)
        assert "not a public address" in Delivery.objects.get().error
        settings.WEBHOOK_HOSTS = ("localhost",)
        deliveries.deliver(now=now + timedelta(seconds=60))
        assert "certificate" in Delivery.objects.get().error.lower(), "it was reached, and is not trusted"
    assert taking.taken == []
