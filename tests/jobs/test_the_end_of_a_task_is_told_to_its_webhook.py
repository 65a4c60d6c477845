import base64
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.budgets import webhooks
from apps.budgets.sending import MOST_ATTEMPTS
from apps.budgets.webhooks import NotDelivered, Post
from apps.jobs import deliveries, services
from apps.jobs.deliveries import NothingToDeliver
from apps.jobs.models import Delivery, Job
from apps.keys.models import ApiKey
from tests.jobs.conftest import both_databases, task

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
