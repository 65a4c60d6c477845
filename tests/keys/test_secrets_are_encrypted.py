"""What has to be computed with is encrypted where it lies, and outlives a change of the secret key."""

import json
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from apps.budgets import services as budgets
from apps.budgets.models import Budget
from apps.budgets.periods import Cycle
from apps.keys import services, signing
from apps.keys.encryption import PREFIX, Undecryptable, decrypt, encrypt
from apps.keys.webhooks import Post, signature
from tests.keys.cast import key_of_alice

SECRET = "whsec_" + "A" * 43 + "="


def new_secret_key(settings: Settings, *, keep: bool = True) -> None:
    """The operator changes DJANGO_SECRET_KEY."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY] if keep else []
    settings.SECRET_KEY = "another secret key of fifty characters or even more"


def kept(budget: Budget) -> str:
    """What the table has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT webhook_secret FROM budgets_budget WHERE id = %s", [budget.pk])
        return str(cursor.fetchone()[0])


def test_a_text_is_read_by_its_purpose_and_its_install_only(settings: Settings) -> None:
    text = encrypt(b"secret", purpose="a")
    assert text.startswith(PREFIX)
    assert text != encrypt(b"secret", purpose="a"), "no two look alike"
    assert decrypt(text, purpose="a") == b"secret"
    for wrong, purpose in ((text, "b"), (text[:-4] + "AAAA", "a"), ("secret", "a"), (PREFIX + "x", "a"), (PREFIX, "a")):
        with pytest.raises(Undecryptable):
            decrypt(wrong, purpose=purpose)
    new_secret_key(settings)
    assert decrypt(text, purpose="a") == b"secret"
    new_secret_key(settings, keep=False)
    with pytest.raises(Undecryptable, match="DJANGO_SECRET_KEY_FALLBACKS"):
        decrypt(text, purpose="a")


@pytest.mark.django_db
def test_a_budgets_webhook_secret_is_not_in_the_table(settings: Settings) -> None:
    key, _ = key_of_alice()
    terms = budgets.Terms(limit_microusd=1, webhook_url="https://hooks.example.org/", webhook_secret=SECRET)
    now = timezone.now()
    budget = budgets.create(project=key.project, api_key=None, cycle=Cycle("day"), terms=terms, actor="test", now=now)
    assert kept(budget).startswith(PREFIX)
    assert "AAAA" not in kept(budget)
    assert Budget.objects.get().webhook_secret == SECRET
    new_secret_key(settings)
    assert Budget.objects.get().webhook_secret == SECRET


@pytest.mark.django_db
def test_keys_work_on_when_the_secret_key_changes(settings: Settings) -> None:
    key, secret = key_of_alice()
    new_secret_key(settings)
    assert services.authenticate(secret=secret, ip=None, now=timezone.now()) == key
    new_secret_key(settings, keep=False)
    with pytest.raises(services.InvalidKey):
        services.authenticate(secret=secret, ip=None, now=timezone.now())


@pytest.mark.django_db
def test_receivers_of_webhooks_may_learn_the_new_secret_in_their_own_time(settings: Settings) -> None:
    key, _ = key_of_alice()
    (before,) = signing.webhook_secrets(key.project)
    new_secret_key(settings)
    today, *earlier = signing.webhook_secrets(key.project)
    assert earlier == [before]
    url = "https://hooks.example.org/"
    both = signature(Post("id", url, today, b"{}", earlier_secrets=tuple(earlier)), timestamp=7).split(" ")
    assert both == [signature(Post("id", url, each, b"{}"), timestamp=7) for each in (today, before)]


@pytest.fixture
def before_encryption(transactional_db: None) -> Iterator[None]:
    """The tables as they were; they are as they should be afterwards, whatever happens."""
    yield
    call_command("migrate", verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_what_was_there_before_is_encrypted_and_can_be_taken_back(before_encryption: None) -> None:
    key, _ = key_of_alice()
    terms = budgets.Terms(limit_microusd=1, webhook_url="https://hooks.example.org/", webhook_secret=SECRET)
    now = timezone.now()
    budget = budgets.create(project=key.project, api_key=None, cycle=Cycle("day"), terms=terms, actor="test", now=now)
    call_command("migrate", "budgets", "0001", verbosity=0)
    assert kept(budget) == SECRET
    call_command("migrate", "budgets", verbosity=0)
    assert kept(budget).startswith(PREFIX)
    assert Budget.objects.get().webhook_secret == SECRET
    assert json.loads(json.dumps(Budget.objects.get().thresholds)) == [80, 95], "the rest of the row is as it was"
