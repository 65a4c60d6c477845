import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.jobs.events import Event, after
from apps.jobs.ids import created_at, floor_id, new_job_id

MOMENTS = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, MOMENTS)
def test_ids_sort_by_the_microsecond_they_were_made_in(one: datetime, other: datetime) -> None:
    assert (new_job_id(one) < new_job_id(other)) == (one < other) or one == other
    assert floor_id(one) <= new_job_id(one) < floor_id(one + timedelta(microseconds=1))


@given(MOMENTS)
def test_an_id_tells_when_it_was_made(moment: datetime) -> None:
    job_id = new_job_id(moment)

    assert created_at(job_id) == moment
    assert re.fullmatch(r"job_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", job_id)


@pytest.mark.parametrize("text", ["", "job_", "job_" + "g" * 32, "run_" + "0" * 32, "0" * 36])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        created_at(text)


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 120))
def test_after_gives_exactly_the_higher_numbers(first: int, count: int, position: int) -> None:
    events = [Event(number, "token", {}) for number in range(first, first + count)]

    assert list(after(events, position)) == [event for event in events if event.sequence_number > position]
