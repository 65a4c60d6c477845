from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from apps.keys import rotation, services
from apps.keys.models import ApiKey
from apps.keys.rates import Limits
from apps.keys.rotation import NotRotatable, rotate
from apps.keys.terms import Terms
from tests.keys.cast import NOON, atlas, deeds, key_of_alice

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    services._cache.clear()


@pytest.fixture
def handed_on() -> Iterator[list[tuple[int, int]]]:
    """The pairs of old and new keys that upper floors were told of."""
    pairs: list[tuple[int, int]] = []
    before = list(rotation._with_rotation)
    rotation.with_rotation(lambda old, new, deed: pairs.append((old.pk, new.pk)))
    yield pairs
    rotation._with_rotation[:] = before


def works(secret: str, *, now: datetime) -> bool:
    try:
        services.authenticate(secret=secret, ip="192.0.2.1", now=now)
    except services.InvalidKey:
        return False
    return True


def test_both_keys_work_until_the_overlap_ends() -> None:
    old, old_secret = key_of_alice()
    new, new_secret = rotate(key=old, overlap=DAY, actor="user:alice", now=NOON)
    assert new.rotated_from == old
    assert works(new_secret, now=NOON)
    assert works(old_secret, now=NOON + DAY - timedelta(seconds=1))
    assert not works(old_secret, now=NOON + DAY)
    assert works(new_secret, now=NOON + DAY)


def test_the_successor_has_the_same_terms() -> None:
    terms = Terms(name="ci", limits=Limits(60, 900, 3), allowed_networks=("192.0.2.0/24",), default_model="opus")
    old, _ = services.issue_on(project=atlas(), terms=terms, actor="user:alice", now=NOON)
    new, _ = rotate(key=old, overlap=DAY, actor="user:alice", now=NOON)
    assert Terms.of(ApiKey.objects.get(pk=new.pk)) == Terms.of(old)


def test_a_successor_lives_as_long_as_its_predecessor_was_given() -> None:
    old, _ = key_of_alice(expires_at=NOON + 30 * DAY)
    new, _ = rotate(key=old, overlap=DAY, actor="user:alice", now=NOON + 25 * DAY)
    assert new.expires_at == NOON + 55 * DAY


def test_an_overlap_does_not_prolong_the_old_key() -> None:
    old, secret = key_of_alice(expires_at=NOON + DAY)
    rotate(key=old, overlap=7 * DAY, actor="user:alice", now=NOON)
    assert ApiKey.objects.get(pk=old.pk).expires_at == NOON + DAY
    assert not works(secret, now=NOON + DAY)


def test_without_an_overlap_the_old_key_is_revoked() -> None:
    old, secret = key_of_alice()
    _, new_secret = rotate(key=old, overlap=timedelta(0), actor="user:alice", now=NOON)
    assert ApiKey.objects.get(pk=old.pk).revoked_at == NOON
    assert not works(secret, now=NOON)
    assert works(new_secret, now=NOON)
    assert [deed.target_id for deed in deeds("key.revoked")] == [old.public_id]


def test_a_key_has_one_successor() -> None:
    old, _ = key_of_alice()
    new, _ = rotate(key=old, overlap=DAY, actor="user:alice", now=NOON)
    with pytest.raises(NotRotatable, match=new.public_id):
        rotate(key=old, overlap=DAY, actor="user:alice", now=NOON)
    rotate(key=new, overlap=DAY, actor="user:alice", now=NOON)
    assert ApiKey.objects.count() == 3


def test_a_key_that_does_not_work_cannot_be_rotated() -> None:
    revoked, _ = key_of_alice()
    services.revoke(key=revoked, now=NOON)
    expired, _ = key_of_alice(expires_at=NOON + DAY)
    for key in (revoked, expired):
        with pytest.raises(NotRotatable, match="issue a new one"):
            rotate(key=key, overlap=DAY, actor="user:alice", now=NOON + DAY)
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=91)])
def test_an_overlap_is_neither_negative_nor_endless(overlap: timedelta) -> None:
    key, _ = key_of_alice()
    with pytest.raises(ValueError, match="90 days"):
        rotate(key=key, overlap=overlap, actor="user:alice", now=NOON)


def test_both_sides_of_a_rotation_are_recorded() -> None:
    old, _ = key_of_alice()
    new, secret = rotate(key=old, overlap=DAY, actor="user:alice", ip="192.0.2.1", now=NOON)
    [rotated] = deeds("key.rotated")
    [issued] = [deed for deed in deeds("key.issued") if deed.target_id == new.public_id]
    assert (rotated.target_id, rotated.actor, rotated.ip) == (old.public_id, "user:alice", "192.0.2.1")
    assert rotated.data["successor"] == new.public_id
    assert rotated.data["before"] == {"expires_at": None}
    assert rotated.data["after"] == {"expires_at": (NOON + DAY).isoformat()}
    assert issued.data["rotated_from"] == old.public_id
    assert secret.split("_")[3] not in rotated.data_text + issued.data_text


def test_what_hangs_on_a_key_can_be_handed_on_with_it(handed_on: list[tuple[int, int]]) -> None:
    old, _ = key_of_alice()
    new, _ = rotate(key=old, overlap=DAY, actor="user:alice", now=NOON)
    assert handed_on == [(old.pk, new.pk)]


def test_a_rotation_that_cannot_be_handed_on_did_not_happen(handed_on: list[tuple[int, int]]) -> None:
    def fail(old: ApiKey, new: ApiKey, deed: rotation.Deed) -> None:
        raise RuntimeError("budgets are away")

    rotation.with_rotation(fail)
    old, _ = key_of_alice()
    with pytest.raises(RuntimeError):
        rotate(key=old, overlap=DAY, actor="user:alice", now=NOON)
    assert ApiKey.objects.get().expires_at is None
    assert deeds("key.rotated") == []
