"""A change is recorded as the fields that differ, before and after."""

from hypothesis import given
from hypothesis import strategies as st

from apps.audit.changes import diff

facts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2) | st.none())


def test_only_fields_that_differ_are_shown() -> None:
    before, after = {"name": "ci", "limit": 1, "note": None}, {"name": "ci", "limit": 2, "note": ""}
    assert diff(before, after) == {"before": {"limit": 1, "note": None}, "after": {"limit": 2, "note": ""}}


def test_a_field_that_came_or_went_is_on_one_side() -> None:
    assert diff({"old": 1}, {"new": None}) == {"before": {"old": 1}, "after": {"new": None}}


def test_no_change_is_nothing() -> None:
    assert diff({"a": 1}, {"a": 1}) == {}


@given(facts, facts)
def test_what_was_before_and_the_difference_give_what_is_after(
    before: dict[str, int | None], after: dict[str, int | None]
) -> None:
    change = diff(before, after) or {"before": {}, "after": {}}
    kept = {name: value for name, value in before.items() if name not in change["before"]}
    assert kept | change["after"] == after
