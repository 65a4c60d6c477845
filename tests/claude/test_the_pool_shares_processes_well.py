import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.claude.pool import growth
from apps.claude.scripted.server import ScriptedModel
from tests.claude.conftest import ask, begin, eventually, running_engine, spec


def _session(model: ScriptedModel, marker: str) -> str:
    (entry,) = model.journal.entries(marker)
    return str(dict(entry["headers"])["x-claude-code-session-id"])  # type: ignore[call-overload]


def test_one_project_uses_one_process_again_and_again(model: ScriptedModel, marker: str) -> None:
    with running_engine(model) as engine:
        for n in range(5):
            assert ask(engine, f"{marker}-{n}").status == "completed"
    assert len({_session(model, f"{marker}-{n}") for n in range(5)}) == 1


def test_a_cli_that_cannot_rewind_serves_one_question_per_process(model: ScriptedModel, marker: str) -> None:
    with running_engine(model, rewind=False) as engine:
        for n in range(3):
            assert ask(engine, f"{marker}-{n}").status == "completed"
    assert len({_session(model, f"{marker}-{n}") for n in range(3)}) == 3


def test_more_projects_than_slots_are_all_served(model: ScriptedModel, marker: str) -> None:
    with running_engine(model, slots=2) as engine:
        for n in range(4):
            assert ask(engine, f"{marker}-{n}", project=f"p{n}").status == "completed"
            assert engine.status()["processes"] <= 2  # type: ignore[operator]


def test_slow_answers_run_side_by_side(model: ScriptedModel) -> None:
    with running_engine(model, slots=3) as engine:
        asked = [begin(engine, spec(f"[[delay: 4]] {n}")) for n in range(3)]
        outcomes = [one.done() for one in asked]
    assert {outcome.status for outcome in outcomes} == {"completed"}
    starts = [outcome.calls[0].started_at for outcome in outcomes]
    assert max(starts) - min(starts) < 4, "the last one waited for the first"


def test_a_cli_that_does_not_start_fails_the_run_at_once(model: ScriptedModel) -> None:
    with running_engine(model, cli_path="/bin/false") as engine:
        outcome = ask(engine, "hello")
    assert (outcome.status, outcome.error_code) == ("failed", "cli_error")


@given(
    waiting=st.integers(0, 200),
    live=st.integers(0, 64),
    starting=st.integers(0, 8),
    upstream_seconds=st.floats(0, 60),
    cores=st.integers(1, 32),
)
def test_growth_never_starts_more_than_wait(
    waiting: int, live: int, starting: int, upstream_seconds: float, cores: int
) -> None:
    wanted = growth(waiting=waiting, live=live, starting=starting, upstream_seconds=upstream_seconds, cores=cores)
    assert 0 <= wanted <= waiting


@pytest.mark.parametrize(
    ("waiting", "live", "upstream_seconds", "least", "most"),
    [
        (1, 0, 0.0, 1, 1),  # the first run of a project always gets a process
        (3, 1, 0.01, 0, 0),  # three quick answers are faster waited for
        (100, 4, 0.01, 0, 0),  # four processes already feed two cores
        (28, 4, 5.0, 28, 28),  # slow answers leave the cores idle
    ],
)
def test_growth_weighs_waiting_against_starting(
    waiting: int, live: int, upstream_seconds: float, least: int, most: int
) -> None:
    assert least <= growth(waiting=waiting, live=live, starting=0, upstream_seconds=upstream_seconds, cores=2) <= most


def test_a_cancelled_wait_gives_its_process_to_the_next(model: ScriptedModel) -> None:
    with running_engine(model, slots=1) as engine:
        first = begin(engine, spec("[[delay: 1]] first"))
        second_run = spec("second")
        second, third = begin(engine, second_run), begin(engine, spec("third"))
        eventually(lambda: second_run.job_id in engine._runs)
        assert engine.cancel(second_run.job_id)
        assert second.done().error_code == "cancelled"
        assert first.done().status == third.done().status == "completed"
