import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.keys import services
from apps.keys.models import ApiKey, Project, Role
from tests.dashboard.conftest import person, window

PAGES = ("overview", "jobs", "refused", "keys", "budgets", "batches", "capabilities", "playground", "members", "audit")
FOR_OWNERS = ("key-new", "budget-new", "audit")


def address(name: str, *rest: object) -> str:
    return reverse(f"dashboard:{name}", args=["atlas", *rest])


@pytest.fixture
def key(atlas: Project) -> ApiKey:
    return services.issue(project=atlas, name="ci", now=timezone.now())[0]


@pytest.mark.parametrize("name", PAGES)
def test_nobody_sees_a_page_without_logging_in(atlas: Project, name: str) -> None:
    answer = Client().get(address(name))
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={address(name)}")


@pytest.mark.parametrize("name", PAGES)
def test_a_foreign_project_does_not_exist(atlas: Project, name: str) -> None:
    answer = window(person("charlie")).get(address(name))
    unknown = window(person("nobody")).get(address(name).replace("atlas", "unheard-of"))
    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert answer.content == unknown.content


@pytest.mark.parametrize("name", PAGES)
def test_owners_and_superusers_see_every_page(atlas: Project, name: str) -> None:
    for user in (person("alice", atlas), person("root", superuser=True)):
        assert window(user).get(address(name)).status_code == 200


def test_viewers_see_but_are_offered_nothing_to_do(atlas: Project, key: ApiKey) -> None:
    client = window(person("bob", atlas, Role.VIEWER))
    pages = [client.get(address("keys")), client.get(address("key", key.public_id)), client.get(address("budgets"))]
    assert [page.status_code for page in pages] == [200, 200, 200]
    assert not [
        page for page in pages if "Revoke key" in page.text or "New budget" in page.text or "Issue key" in page.text
    ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
@pytest.mark.parametrize("name", FOR_OWNERS)
def test_what_owners_do_is_refused_to_others(atlas: Project, name: str, role: Role) -> None:
    assert window(person("bob", atlas, role)).get(address(name)).status_code == 403


def test_what_is_not_shown_is_not_done_either(atlas: Project, key: ApiKey) -> None:
    client = window(person("bob", atlas, Role.MEMBER))
    answers = [
        client.post(address(f"key-{verb}", key.public_id), {"overlap": "none"})
        for verb in ("revoke", "rotate", "change")
    ]
    key.refresh_from_db()
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert key.revoked_at is None


def test_a_deed_needs_a_form_of_ours(atlas: Project, key: ApiKey) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("alice", atlas))
    assert client.post(address("key-revoke", key.public_id)).status_code == 403


def test_another_projects_things_are_not_in_this_one(atlas: Project) -> None:
    other, _ = services.ensure_project(slug="borealis", now=timezone.now())
    key = services.issue(project=other, name="theirs", now=timezone.now())[0]
    client = window(person("alice", atlas))
    assert client.get(address("key", key.public_id)).status_code == 404
    assert client.post(address("key-revoke", key.public_id)).status_code == 404
    assert client.get(address("search"), {"q": key.public_id}).status_code == 404


def test_the_bare_address_leads_to_the_project_looked_at_last(atlas: Project) -> None:
    other, _ = services.ensure_project(slug="zeta", now=timezone.now())
    user = person("root", superuser=True)
    client = window(user)
    assert client.get("/")["Location"] == "/all/"
    assert window(person("alice", atlas)).get("/")["Location"] == "/p/atlas/"
    client.get(f"/p/{other.slug}/")
    assert client.get("/")["Location"] == "/p/zeta/"


def test_somebody_without_a_project_is_told_what_to_do(db: None) -> None:
    answer = window(person("new")).get("/")
    assert "bin/manage add_member PROJECT new" in answer.text
