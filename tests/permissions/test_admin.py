"""Profiles in the admin, as a superuser and an onlooker meet them."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.permissions.forms import RulesForm
from apps.permissions.models import Profile
from apps.permissions.services import Rules, edit_profile
from tests.permissions.casts import LATER, TEAM_RULES, deeds, tier

pytestmark = pytest.mark.django_db

LIST = reverse("admin:permissions_profile_changelist")
ADD = reverse("admin:permissions_profile_add")
PREVIEW = reverse("admin:permissions_profile_preview")
TRY = reverse("admin:permissions_profile_try")


def page_of(profile: Profile, name: str = "change") -> str:
    return reverse(f"admin:permissions_profile_{name}", args=[profile.pk])


def typed(profile: Profile, **changes: Any) -> dict[str, Any]:
    """The form of a profile as a browser would send it back, with changes."""
    shown = RulesForm.initial_of(profile)
    fields = {
        name: "\n".join(rule.partition(":")[2] for rule in value) if isinstance(value, list) else value
        for name, value in shown.items()
    }
    facts = {"name": profile.name, "description": profile.description, "seen_version": profile.version}
    return fields | facts | changes


def text_of(response: Any) -> str:
    """What a reader sees, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# -- the list


def test_the_list_says_of_each_profile_what_it_comes_to(operator: Client, team: Profile) -> None:
    text = text_of(operator.get(LIST))
    assert "Pro pro" in text
    assert "Read , Glob , Grep , Write , Edit , NotebookEdit" in text
    assert "$1.00 10 min, 50 turns" in text
    assert "all , but 1 denied" in text
    assert "Shipped v1" in text
    assert "Own v1" in text


def test_the_list_can_show_the_operators_own_only(operator: Client, team: Profile) -> None:
    assert list(operator.get(LIST, {"origin": "own"}).context["cl"].queryset) == [team]


def test_the_copy_action_makes_own_profiles(operator: Client) -> None:
    chosen = [tier("free").pk, tier("pro").pk]
    answer = operator.post(LIST, {"action": "copy_selected", "_selected_action": chosen}, follow=True)
    assert "Copied as free-copy, pro-copy." in text_of(answer)
    assert sorted(Profile.objects.editable().values_list("slug", flat=True)) == ["free-copy", "pro-copy"]


# -- shipped tiers


def test_a_shipped_tier_is_shown_but_not_editable(operator: Client) -> None:
    text = text_of(operator.get(page_of(tier("free"))))
    assert "This tier is shipped and upgrades replace it." in text
    assert "tool:Read tool:Glob tool:Grep" in text
    assert "Save" not in text
    assert "Copy profile" in text


def test_a_shipped_tier_withstands_a_forged_form(operator: Client) -> None:
    free = tier("free")
    assert operator.post(page_of(free), typed(free, tool_allow="*")).status_code == 403
    assert operator.post(page_of(free, "delete"), {"post": "yes"}).status_code == 403
    operator.post(LIST, {"action": "delete_selected", "_selected_action": [free.pk], "post": "yes"})
    assert Rules.of(tier("free")) == Rules.of(free)


def test_copying_opens_the_copy_for_editing(operator: Client) -> None:
    answer = operator.post(page_of(tier("free"), "copy"), follow=True)
    copy = Profile.objects.get(slug="free-copy")
    assert answer.redirect_chain == [(page_of(copy), 302)]
    assert 'name="tool_allow"' in answer.content.decode()


# -- the form


def test_the_form_groups_patterns_by_kind_and_explains_each_field_in_one_line(operator: Client, team: Profile) -> None:
    form = operator.get(page_of(team)).context["adminform"].form
    assert form["tool_allow"].value() == "*"
    assert form["tool_deny"].value() == "Write"
    assert form["agent_allow"].value() == "security-*"
    lines = {name: field.help_text for name, field in form.fields.items() if name != "seen_version"}
    assert all(line and len(line) < 100 and "\n" not in line for line in lines.values()), lines


def test_what_is_typed_becomes_the_profiles_rules(operator: Client, team: Profile) -> None:
    data = typed(team, tool_allow=" Read \n\ntool:Grep\nRead", tool_ask="", max_cost_usd="0.0042")
    assert operator.post(page_of(team), data).status_code == 302
    stored = Profile.objects.get(pk=team.pk)
    assert stored.allow == ["tool:Read", "tool:Grep", "agent:security-*", "model:haiku"]
    assert (stored.ask, stored.max_cost_microusd, stored.version) == ([], 4_200, 2)
    assert deeds()[-1][0] == "profile.edited"


def test_saving_what_was_shown_changes_nothing(operator: Client, team: Profile) -> None:
    assert operator.post(page_of(team), typed(team)).status_code == 302
    stored = Profile.objects.get(pk=team.pk)
    assert (Rules.of(stored), stored.version) == (TEAM_RULES, 1)


def test_a_new_profile_can_be_written_from_nothing(operator: Client, team: Profile) -> None:
    data = typed(team, name="Squad", slug="squad")
    assert operator.post(ADD, data).status_code == 302
    squad = Profile.objects.get(slug="squad")
    assert (squad.allow, squad.built_in, squad.version) == (team.allow, False, 1)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"tool_allow": "Bash(git:*)\nRe?d"}, "arguments cannot be fenced"),
        ({"tool_allow": "agent:reviewer"}, "stands under the wrong heading"),
        ({"tool_allow": "Read Grep"}, "one pattern for each"),
        ({"max_cost_usd": "0"}, "greater than or equal to 0.000001"),
        ({"max_cost_usd": "0.0000001"}, "no more than 6 decimal places"),
        ({"max_turns": "0"}, "greater than or equal to 1"),
        ({"seen_version": "7"}, "Somebody else has saved version 1"),
    ],
)
def test_what_cannot_be_saved_is_explained(
    operator: Client, team: Profile, change: dict[str, str], advice: str
) -> None:
    assert advice in text_of(operator.post(page_of(team), typed(team, **change)))
    assert Profile.objects.get(pk=team.pk).version == 1


def test_the_slower_of_two_editors_is_told(operator: Client, team: Profile) -> None:
    opened = typed(team, name="Squad")
    edit_profile(profile=team, rules=Rules.of(tier("free")), actor="user:carol", now=LATER)
    assert "Somebody else has saved version 2" in text_of(operator.post(page_of(team), opened))
    assert Profile.objects.get(pk=team.pk).name == "Free"


def test_a_damaged_profile_can_be_opened_and_mended(operator: Client, team: Profile) -> None:
    Profile.objects.filter(pk=team.pk).update(deny=["tool:Ba?h"])
    assert "Its keys are refused everything, because" in text_of(operator.get(page_of(team)))
    assert operator.post(page_of(team), typed(team, tool_deny="Bash")).status_code == 302
    assert Profile.objects.get(pk=team.pk).policy().deny


def test_an_own_profile_can_be_deleted(operator: Client, team: Profile) -> None:
    assert operator.post(page_of(team, "delete"), {"post": "yes"}).status_code == 302
    assert not Profile.objects.editable().exists()
    assert deeds()[-1][0] == "profile.deleted"


# -- what this allows


def test_the_page_says_what_a_profile_allows_and_by_which_rule(operator: Client, team: Profile) -> None:
    text = text_of(operator.get(page_of(team)))
    assert "At most $0.25, 5 min and 20 turns a task; 4 open jobs a key." in text
    assert "Asks first tool:* Bash" in text
    assert "Denied tool:Write Write" in text
    assert "Allowed model:haiku claude-haiku-5-5 (haiku)" in text
    assert "Agents Those that match security-* ." in text


def test_the_preview_judges_what_is_typed_and_writes_nothing(operator: Client, team: Profile) -> None:
    text = text_of(operator.post(PREVIEW, typed(team, tool_allow="Read", tool_deny="", name="")))
    assert "Allowed tool:Read Read" in text
    assert "Not allowed no rule Glob, Grep" in text
    assert Profile.objects.get(pk=team.pk).version == 1


def test_the_preview_of_what_cannot_be_read_says_why(operator: Client, team: Profile) -> None:
    text = text_of(operator.post(PREVIEW, typed(team, tool_allow="<b>x</b>", max_turns="")))
    assert "only letters, digits" in text
    assert "Turns: This field is required." in text


# -- trying a request


def test_a_refused_trial_shows_every_reason_and_rule(operator: Client, team: Profile) -> None:
    asked = {"profile": "team", "model": "opus", "tools": "Read, Write Bash", "agents": "reviewer", "max_cost_usd": "5"}
    text = text_of(operator.get(TRY, asked))
    assert "Refused for 4 reasons" in text
    assert "model:claude-opus-5-5 Refused no rule This key may not use model claude-opus-5-5 (opus)" in text
    assert "tool:Read Allowed tool:*" in text
    assert "tool:Write Refused tool:Write" in text
    assert "tool:Bash Asks first tool:* each call of Bash waits for an approval" in text
    assert "A task of this key may spend at most $0.25, not $5.00" in text


def test_a_granted_trial_shows_what_the_engine_would_run_with(operator: Client, team: Profile) -> None:
    text = text_of(operator.get(TRY, {"profile": "team", "model": "haiku", "tools": "Read Bash", "max_turns": "3"}))
    assert "Granted" in text
    assert "Model claude-haiku-5-5 Tools Read, Bash Asks first Bash Agents none Skills none" in text
    assert "Limits $0.25, 5 min and 3 turns Profile team, version 1" in text


def test_a_trial_begins_with_the_profile_it_was_opened_from(operator: Client, team: Profile) -> None:
    assert '<option value="team" selected>' in operator.get(TRY, {"profile": "team"}).content.decode()


def test_a_trial_of_an_unknown_model_or_profile_is_no_error(operator: Client) -> None:
    assert "Refused for 1 reason" in text_of(operator.get(TRY, {"profile": "free", "model": "gpt-5"}))
    assert "Select a valid choice" in text_of(operator.get(TRY, {"profile": "nobody", "model": "haiku"}))


def test_hostile_names_are_shown_as_text(operator: Client) -> None:
    answer = operator.get(TRY, {"profile": "enterprise", "model": "haiku", "tools": "<img/src=x>"})
    assert "<img/src" not in answer.content.decode()
    assert "is not the name of a tool" in text_of(answer)


# -- who may do what


def test_an_onlooker_may_look_and_try_but_change_nothing(onlooker: Client, team: Profile) -> None:
    assert "tool:*" in text_of(onlooker.get(page_of(team)))
    assert onlooker.get(TRY, {"profile": "team", "model": "haiku"}).status_code == 200
    assert onlooker.post(page_of(team), typed(team, name="Mine")).status_code == 403
    assert onlooker.post(page_of(team, "copy")).status_code == 403
    assert onlooker.post(page_of(team, "delete"), {"post": "yes"}).status_code == 403
    assert "Copy profile" not in text_of(onlooker.get(page_of(team)))


@pytest.mark.parametrize("page", [LIST, TRY, PREVIEW])
def test_a_stranger_is_sent_to_the_login(page: str) -> None:
    answer = Client().get(page)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, reverse("admin:login"))


def test_copying_and_previewing_need_a_post_with_a_token(team: Profile, operator: Client) -> None:
    assert operator.get(page_of(team, "copy")).status_code == 405
    assert operator.get(PREVIEW).status_code == 405
    operator.handler.enforce_csrf_checks = True
    assert operator.post(page_of(team, "copy")).status_code == 403
    assert operator.post(PREVIEW, typed(team)).status_code == 403


# -- what a page may load


@pytest.mark.parametrize("path", [LIST, ADD, TRY + "?profile=free&model=haiku", None])
def test_pages_hold_no_inline_script_or_style_and_name_no_other_host(
    operator: Client, team: Profile, path: str | None
) -> None:
    answer = operator.get(path or page_of(team))
    html = answer.content.decode()
    assert {"script-src 'self'", "style-src 'self'"} <= set(answer["Content-Security-Policy"].split("; "))
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", html)
