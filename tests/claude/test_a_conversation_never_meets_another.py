import itertools
import json
from collections.abc import Callable

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Event, Text
from tests.claude.conftest import ask, begin, requests, spec


def test_a_reused_process_carries_nothing_over_within_a_project(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    words = [f"{marker}-{n}" for n in range(8)]
    for word in words:
        assert (
            ask(engine, f"earlier {word}", f"answer {word}", f"now {word}", system=f"be {word}").status == "completed"
        )
    _each_request_holds_only_its_own(model, marker, words)


def test_projects_share_no_process_and_no_words(engine: Engine, model: ScriptedModel, marker: str) -> None:
    words = [f"{marker}-{n}" for n in range(6)]
    for word, project in zip(words, itertools.cycle(("alpha", "beta", "gamma")), strict=False):
        assert ask(engine, f"secret {word}", project=project).status == "completed"
    _each_request_holds_only_its_own(model, marker, words)
    sessions: dict[str, set[str]] = {}
    for word, project in zip(words, itertools.cycle(("alpha", "beta", "gamma")), strict=False):
        (entry,) = model.journal.entries(word)
        headers = entry["headers"]
        assert isinstance(headers, dict)
        sessions.setdefault(headers["x-claude-code-session-id"], set()).add(project)
    assert all(len(projects) == 1 for projects in sessions.values()), "one CLI session served two projects"


def test_errors_and_refusals_leave_nothing_behind(engine: Engine, model: ScriptedModel, marker: str) -> None:
    directives = (
        "[[fail: 529]]",
        "[[fail: 400]]",
        "[[cut: 3]]",
        "[[refuse]]",
        "[[fail: 500 after=2]]",
        "[[tokens: 3]]",
    )
    words = [f"{marker}-{n}" for n in range(2 * len(directives))]
    for word, directive in zip(words, directives * 2, strict=True):
        ask(engine, f"{directive} {word}", max_tokens=5)
    _each_request_holds_only_its_own(model, marker, words)


def test_a_cancelled_answer_leaves_nothing_behind(engine: Engine, model: ScriptedModel, marker: str) -> None:
    words = [f"{marker}-{n}" for n in range(4)]
    for word in words[:-1]:
        run = spec(f"[[tokens: 400]] [[rate: 40]] {word}")
        cancelled = begin(engine, run, _cancelling(engine, run.job_id))
        assert cancelled.done().status == "cancelled"
    assert ask(engine, f"fresh {words[-1]}").status == "completed"
    _each_request_holds_only_its_own(model, marker, words)


def _cancelling(engine: Engine, job_id: str) -> Callable[[Event], None]:
    def cancel(event: Event) -> None:
        if isinstance(event, Text):
            engine.cancel(job_id)

    return cancel


def _each_request_holds_only_its_own(model: ScriptedModel, marker: str, words: list[str]) -> None:
    bodies = [json.dumps(body) for body in requests(model, marker)]
    assert len(bodies) == len(words), "each run makes exactly one upstream call"
    for body, word in zip(bodies, words, strict=True):
        assert word in body
        assert not [other for other in words if other != word and f"{other}" in body.replace(word, "")]
