import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.audit import paging
from apps.keys import services
from apps.keys.models import ApiKey, Project
from tests.keys.cast import atlas, free, key_of_alice

pytestmark = pytest.mark.django_db

KEYS = reverse("admin:keys_apikey_changelist")
ADD = reverse("admin:keys_apikey_add")
NO_MEMBERS = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


def form(project: Project, **fields: str) -> dict[str, str]:
    return {
        "project": str(project.pk),
        "name": "laptop",
        "profile": str(free().pk),
        "expires_at_0": "",
        "expires_at_1": "",
        "default_model": "",
        "requests_per_minute": "",
        "tokens_per_minute": "",
        "concurrent_jobs": "",
        "allowed_networks": "",
    } | fields


def test_issuing_shows_the_secret_once_and_nowhere_else(admin_client: Client) -> None:
    page = admin_client.post(ADD, form(atlas()))
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    found = re.search(r"ccs_live_\w+", page.content.decode())
    assert found
    key = services.authenticate(secret=found[0], ip=None, now=timezone.now())
    assert (key.name, key.project.slug, key.profile) == ("laptop", "atlas", free())
    secret_part = found[0].split("_")[3]
    for address in (KEYS, reverse("admin:keys_apikey_change", args=[key.pk]), reverse("admin:index")):
        assert secret_part not in admin_client.get(address).content.decode()
    assert secret_part not in str(admin_client.cookies)


def test_a_key_cannot_be_given_an_end_in_the_past(admin_client: Client) -> None:
    page = admin_client.post(ADD, form(atlas(), expires_at_0="2020-01-01", expires_at_1="00:00:00"))
    assert "still to come" in page.content.decode()
    assert not ApiKey.objects.exists()


def test_the_list_shows_state_and_hint_without_a_query_per_row(
    admin_client: Client, django_assert_max_num_queries: object
) -> None:
    for number in range(12):
        services.issue(project=atlas(), name=f"key {number}", now=timezone.now())
    with django_assert_max_num_queries(14):  # type: ignore[operator]
        page = admin_client.get(KEYS).content.decode()
    assert page.count("Usable") >= 12
    assert page.count("_…") >= 12


@pytest.mark.parametrize(("state", "shown"), [("usable", "works"), ("expired", "ended"), ("revoked", "withdrawn")])
def test_the_list_can_be_narrowed_to_a_state(admin_client: Client, state: str, shown: str) -> None:
    now = timezone.now()
    services.issue(project=atlas(), name="works", now=now)
    past = now - timedelta(days=2)
    services.issue(project=atlas(), name="ended", expires_at=past + timedelta(days=1), now=past)
    withdrawn, _ = services.issue(project=atlas(), name="withdrawn", now=now)
    services.revoke(key=withdrawn, now=now)
    page = admin_client.get(KEYS, {"state": state}).content.decode()
    rows = page[page.index("result_list") :]
    assert [name for name in ("works", "ended", "withdrawn") if f">{name}<" in rows] == [shown]


def test_a_key_is_found_by_its_public_id(admin_client: Client) -> None:
    key, _ = key_of_alice()
    other, _ = services.issue(project=atlas(), name="other", now=timezone.now())
    page = admin_client.get(KEYS, {"q": key.public_id}).content.decode()
    assert key.hint in page
    assert other.hint not in page


def test_revoking_asks_first_and_then_acts(admin_client: Client) -> None:
    key, _ = key_of_alice()
    chosen = {"action": "revoke_selected", "_selected_action": [str(key.pk)]}
    page = admin_client.post(KEYS, chosen)
    assert "cannot be undone" in page.content.decode()
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None
    admin_client.post(KEYS, {**chosen, "confirmed": "1"})
    assert ApiKey.objects.get(pk=key.pk).revoked_at is not None


def test_a_revoked_key_can_be_looked_at_but_not_changed(admin_client: Client) -> None:
    key, _ = key_of_alice()
    services.revoke(key=key, now=timezone.now())
    address = reverse("admin:keys_apikey_change", args=[key.pk])
    assert admin_client.get(address).status_code == 200
    assert admin_client.post(address, form(key.project, name="again")).status_code == 403


def test_changing_a_key_leaves_its_digest_alone(admin_client: Client) -> None:
    key, secret = key_of_alice(now=timezone.now())
    address = reverse("admin:keys_apikey_change", args=[key.pk])
    assert admin_client.post(address, form(key.project, name="desktop")).status_code == 302
    found = services.authenticate(secret=secret, ip=None, now=timezone.now())
    assert (found.name, found.profile) == ("desktop", free())


def test_neither_keys_nor_projects_can_be_deleted(admin_client: Client) -> None:
    key, _ = key_of_alice()
    assert admin_client.post(reverse("admin:keys_apikey_delete", args=[key.pk])).status_code == 403
    assert admin_client.post(reverse("admin:keys_project_delete", args=[key.project.pk])).status_code == 403


def test_a_project_is_named_once_and_for_all(admin_client: Client) -> None:
    admin_client.post(reverse("admin:keys_project_add"), {"slug": "borealis", "name": "Borealis", **NO_MEMBERS})
    project = Project.objects.get()
    change = reverse("admin:keys_project_change", args=[project.pk])
    admin_client.post(change, {"slug": "other", "name": "Northern Lights", **NO_MEMBERS})
    project.refresh_from_db()
    assert (project.slug, project.name) == ("borealis", "Northern Lights")
    assert "borealis" in admin_client.get(reverse("admin:keys_project_changelist")).content.decode()


def test_limits_and_networks_are_typed_in_and_kept(admin_client: Client) -> None:
    typed = form(
        atlas(),
        requests_per_minute="60",
        tokens_per_minute="90000",
        concurrent_jobs="3",
        allowed_networks="192.0.2.0/24\r\n2001:db8::/32",
        default_model="haiku",
    )
    assert admin_client.post(ADD, typed).status_code == 200
    key = ApiKey.objects.get()
    assert (key.requests_per_minute, key.tokens_per_minute, key.concurrent_jobs) == (60, 90000, 3)
    assert (key.allowed_networks, key.default_model) == (["192.0.2.0/24", "2001:db8::/32"], "haiku")
    page = admin_client.get(reverse("admin:keys_apikey_change", args=[key.pk])).content.decode()
    assert "192.0.2.0/24\n2001:db8::/32" in page
    assert "60 requests/min, 90,000 tokens/min, 3 at a time, some networks" in admin_client.get(KEYS).content.decode()


@pytest.mark.parametrize(
    ("field", "typed", "complaint"),
    [
        ("allowed_networks", "192.0.2.1/24", "Did you mean 192.0.2.0/24?"),
        ("requests_per_minute", "0", "at least 1"),
        ("default_model", "gpt-4", "Select a valid choice"),
    ],
)
def test_terms_that_no_key_can_have_are_complained_about(
    admin_client: Client, field: str, typed: str, complaint: str
) -> None:
    page = admin_client.post(ADD, form(atlas(), **{field: typed}))
    assert complaint in page.content.decode()
    assert not ApiKey.objects.exists()


def test_rotating_asks_for_the_overlap_and_shows_the_new_secret_once(admin_client: Client) -> None:
    key, _ = key_of_alice(now=timezone.now())
    chosen = {"action": "rotate_selected", "_selected_action": [str(key.pk)]}
    assert "works on for" in admin_client.post(KEYS, chosen).content.decode()
    assert ApiKey.objects.count() == 1
    page = admin_client.post(KEYS, {**chosen, "confirmed": "1", "overlap": "3600"})
    assert "no-store" in page.headers["Cache-Control"]
    found = re.search(r"ccs_live_[a-z0-9]{12}_\w+", page.content.decode())
    assert found
    new = services.authenticate(secret=found[0], ip=None, now=timezone.now())
    assert new.rotated_from == key
    assert found[0].split("_")[3] not in admin_client.get(KEYS).content.decode()
    assert str(new) in admin_client.get(reverse("admin:keys_apikey_change", args=[key.pk])).content.decode()


def test_a_key_that_cannot_be_rotated_is_named(admin_client: Client) -> None:
    key, _ = key_of_alice(now=timezone.now())
    services.revoke(key=key, now=timezone.now())
    chosen = {"action": "rotate_selected", "_selected_action": [str(key.pk)], "confirmed": "1", "overlap": "0"}
    page = admin_client.post(KEYS, chosen, follow=True)
    assert f"{key.public_id} does not work any more" in page.content.decode()
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(("query", "shown"), [({"state": "expiring"}, "ends"), ({"use": "never"}, "unused")])
def test_keys_that_need_a_look_can_be_filtered(admin_client: Client, query: dict[str, str], shown: str) -> None:
    now = timezone.now()
    ends, _ = services.issue(project=atlas(), name="ends", expires_at=now + timedelta(days=3), now=now)
    services.touch(key=ends, now=now)
    if shown == "unused":
        services.issue(project=atlas(), name="unused", now=now)
    else:
        services.issue(project=atlas(), name="lasts", now=now)
    page = admin_client.get(KEYS, query).content.decode()
    rows = page[page.index("result_list") :]
    assert [name for name in ("ends", "unused", "lasts") if f">{name}<" in rows] == [shown]


def test_lists_count_no_further_than_people_page(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_COUNTED", 2)
    for number in range(3):
        services.issue(project=atlas(), name=f"key {number}", now=timezone.now())
    with CaptureQueriesContext(connection) as seen:
        assert "2 API keys" in admin_client.get(KEYS).content.decode()
        admin_client.get(reverse("admin:keys_project_changelist"))
    counts = [query["sql"] for query in seen if query["sql"].startswith("SELECT COUNT(*)")]
    assert len(counts) == 2
    assert all("LIMIT 2" in sql for sql in counts)


def test_the_page_of_a_key_leads_to_everything_about_it_and_to_what_can_be_done(admin_client: Client) -> None:
    key, _ = key_of_alice(timezone.now())
    address_of_page = reverse("admin:keys_apikey_change", args=[key.pk])
    page = admin_client.get(address_of_page).content.decode()
    for name, query in (
        ("jobs_job", f"api_key__id__exact={key.pk}"),
        ("budgets_ledgerentry", f"api_key__id__exact={key.pk}"),
        ("audit_auditevent", f"actor=key:{key.public_id}"),
        ("audit_auditevent", f"target_id={key.public_id}"),
    ):
        address = f"{reverse(f'admin:{name}_changelist')}?{query}"
        assert address in page
        assert admin_client.get(address).status_code == 200
    assert f"{reverse('admin:permissions_profile_try')}?profile=" in page
    for action in ("rotate_selected", "revoke_selected"):
        assert f'value="{action}"' in page
        assert admin_client.post(KEYS, {"action": action, "_selected_action": key.pk}).status_code == 200
    services.revoke(key=key, actor="test", now=timezone.now())
    assert "revoke_selected" not in admin_client.get(address_of_page).content.decode()
