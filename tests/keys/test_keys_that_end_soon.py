"""Their project is told in time, thrice, by signed webhook and e-mail; their requests are answered with the end."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from apps.jobs.sweep import sweep
from apps.keys import expiry, rotation, services, signing
from apps.keys.expiry import deliver, warn
from apps.keys.models import ApiKey, KeyWarning, Membership, Project, Role
from apps.keys.sending import MOST_ATTEMPTS
from apps.keys.terms import Terms
from apps.keys.webhooks import NotDelivered, Post
from tests.keys.cast import NOON, atlas, deeds, key_of_alice
from tests.support.waiting import eventually

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
END = NOON + 30 * DAY
HOOK = "https://hooks.example.org/keys"


class Hooks:
    """Takes the place of the network."""

    def __init__(self, refuse: str = "") -> None:
        self.posts: list[Post] = []
        self.refuse = refuse

    async def send(self, post: Post, timestamp: int) -> None:
        self.posts.append(post)
        if self.refuse:
            raise NotDelivered(self.refuse)


def told_at(project: Project, **where: str) -> None:
    """An operator says where the project is told."""
    for name, value in where.items():
        setattr(project, name, value)
    services.save_project(project=project, actor="user:root", now=NOON)


def warned_on(days: range) -> dict[int, list[str]]:
    """By the day after NOON, the names of the keys that were warned about; once a day."""
    found = {day: [key.name for key in warn(now=NOON + day * DAY)] for day in days}
    return {day: names for day, names in found.items() if names}


def test_a_key_is_warned_about_two_weeks_three_days_and_one_day_before_its_end() -> None:
    key_of_alice(expires_at=END)
    key_of_alice(expires_at=NOON + 300 * DAY)
    key_of_alice()
    assert warned_on(range(31)) == {16: ["alice"], 27: ["alice"], 29: ["alice"]}
    assert [(deed.data["days"], deed.data["expires_at"]) for deed in deeds("key.expiry_warned")] == [
        (days, END.isoformat()) for days in (14, 3, 1)
    ]


def test_what_was_missed_while_nothing_ran_is_told_once() -> None:
    key_of_alice(expires_at=END)
    assert warned_on(range(28, 31)) == {28: ["alice"], 29: ["alice"]}
    assert [deed.data["days"] for deed in deeds("key.expiry_warned")] == [3, 1]


def test_nobody_is_warned_about_keys_that_are_replaced_or_over() -> None:
    replaced, _ = key_of_alice(expires_at=END)
    rotation.rotate(key=replaced, overlap=30 * DAY, actor="user:alice", now=NOON)
    ApiKey.objects.filter(rotated_from=replaced).update(expires_at=None)
    revoked, _ = key_of_alice(expires_at=END)
    services.revoke(key=revoked, now=NOON)
    assert warned_on(range(40)) == {}


def test_a_key_that_was_meant_to_be_short_is_not_warned_about_before_it_began() -> None:
    key_of_alice(expires_at=NOON + 7 * DAY)
    assert warned_on(range(8)) == {4: ["alice"], 6: ["alice"]}


def test_a_later_end_is_announced_anew() -> None:
    key, _ = key_of_alice(expires_at=END)
    assert warned_on(range(29)) == {16: ["alice"], 27: ["alice"]}
    services.change(key=key, terms=replace(Terms.of(key), expires_at=END + 30 * DAY), actor="user:alice", now=NOON)
    assert warned_on(range(29, 61)) == {46: ["alice"], 57: ["alice"], 59: ["alice"]}


def test_the_projects_webhook_is_told_signed_with_its_secret() -> None:
    key, _ = key_of_alice(expires_at=END)
    told_at(key.project, webhook_url=HOOK)
    warn(now=NOON + 27 * DAY)
    hooks = Hooks()
    assert [deliver(now=NOON + 27 * DAY, send_hook=hooks.send) for _ in range(2)] == [1, 0]
    (post,) = hooks.posts
    assert (post.url, post.secret) == (HOOK, signing.webhook_secrets(key.project)[0])
    assert json.loads(post.body) == {
        "type": "key.expires_soon",
        "timestamp": (NOON + 27 * DAY).isoformat(),
        "data": {
            "project_id": "atlas",
            "key_id": key.public_id,
            "key": "alice",
            "expires_at": END.isoformat(),
            "days": 3,
            "last_used_at": None,
        },
    }


def test_mail_goes_to_whom_the_project_names_else_to_its_owners() -> None:
    key, _ = key_of_alice(expires_at=END)
    for name, role, active in (("olga", Role.OWNER, True), ("mo", Role.MEMBER, True), ("gone", Role.OWNER, False)):
        user = User.objects.create_user(name, email=f"{name}@example.org", is_active=active)
        Membership.objects.create(project=key.project, user=user, role=role, created_at=NOON)
    warn(now=NOON + 16 * DAY)
    assert deliver(now=NOON + 16 * DAY) == 1
    told_at(key.project, emails="ops@example.org, sec@example.org")
    warn(now=NOON + 29 * DAY)
    assert deliver(now=NOON + 29 * DAY) == 2
    assert [message.to for message in mail.outbox] == [["olga@example.org"], ["ops@example.org"], ["sec@example.org"]]
    assert mail.outbox[-1].subject == f"An API key of project atlas ends in less than 1 day: alice ({key.hint})"
    assert f"key_id: {key.public_id}" in mail.outbox[-1].body


def test_what_fails_is_tried_again_and_in_the_end_given_up_on_record() -> None:
    key, _ = key_of_alice(expires_at=END)
    told_at(key.project, webhook_url=HOOK)
    now = NOON + 29 * DAY
    warn(now=now)
    hooks = Hooks(refuse="the server answered 503")
    for _ in range(MOST_ATTEMPTS + 3):
        deliver(now=now, send_hook=hooks.send)
        now += 2 * timedelta(hours=1)
    assert len(hooks.posts) == MOST_ATTEMPTS
    assert len({post.id for post in hooks.posts}) == 1
    assert KeyWarning.objects.get().state == "given up"
    [deed] = deeds("key.warning_abandoned")
    assert (deed.target_id, deed.data["error"]) == (key.public_id, "the server answered 503")


def test_a_place_that_is_none_is_refused_and_a_change_of_it_is_on_record() -> None:
    project = atlas()
    for wrong in ({"webhook_url": "http://hooks.example.org/"}, {"emails": "nobody"}):
        with pytest.raises(ValidationError):
            told_at(Project.objects.get(), **wrong)
    told_at(project, webhook_url=HOOK)
    [deed] = deeds("project.changed")
    assert deed.data == {"before": {"webhook_url": ""}, "after": {"webhook_url": HOOK}}


def test_answers_to_a_key_that_ends_soon_say_when(client: Client) -> None:
    now = timezone.now()
    soon, secret = key_of_alice(now=now, expires_at=now + 13 * DAY)
    _, later = key_of_alice(now=now, expires_at=now + 15 * DAY)
    assert soon.expires_at
    for path, status in (("/v1/models", 200), ("/v1/jobs/job_nobodys", 404)):
        answer = client.get(path, headers={"authorization": f"Bearer {secret}"})
        assert answer.status_code == status
        assert answer[expiry.HEADER] == soon.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert not client.get("/v1/models", headers={"authorization": f"Bearer {later}"}).has_header(expiry.HEADER)


def test_the_admin_shows_who_was_told(admin_client: Client) -> None:
    now = timezone.now()
    key, _ = key_of_alice(now=now - 20 * DAY, expires_at=now + DAY / 2)
    told_at(key.project, webhook_url=HOOK)
    warn(now=now)
    deliver(now=now, send_hook=Hooks(refuse="the server answered 503").send)
    page = admin_client.get(f"/admin/keys/apikey/{key.pk}/change/").content.decode()
    assert f"1 d before by webhook to {HOOK}, waiting: the server answered 503" in page
    assert HOOK in admin_client.get(f"/admin/keys/project/{key.project_id}/change/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_sweep_warns_and_sends(valkey: object) -> None:
    now = timezone.now()
    key, _ = key_of_alice(now=now - 20 * DAY, expires_at=now + DAY / 2)
    told_at(key.project, emails="ops@example.org")
    sweep(node="n", now=now)
    eventually(lambda: [message.to for message in mail.outbox] == [["ops@example.org"]])
    eventually(lambda: KeyWarning.objects.get().state == "delivered")
