"""One made-up job: what it was asked, said and did, and what that cost. Deterministic for a given `Random`."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from apps.claude import pricing, spec
from apps.claude.spec import Turn
from apps.dashboard.demo.cast import ERRANDS, QUESTIONS, Key
from apps.dashboard.timeline import Timeline
from apps.jobs.events import Event
from apps.jobs.requests import ChatRequest

Told = tuple[str, dict[str, object]]
AUDITOR = "security-auditor"
FAULTS = (
    ("upstream_error", "The upstream answered 529: overloaded. Nothing was billed; send the request again.", 529),
    ("rate_limited", "The upstream limits requests: too many tokens this minute. Try again in 20 s.", 429),
    ("timeout", "The job took longer than its profile allows and was stopped.", None),
    ("cost_limit", "The job had spent its cap and was stopped.", None),
)


@dataclass(frozen=True, slots=True)
class Made:
    """A job that has already happened."""

    kind: str
    model: str
    request: dict[str, Any]
    outcome: spec.Outcome
    events: tuple[Event, ...]
    queued: timedelta
    took: timedelta


def job(key: Key, rng: Random, *, at: datetime, number: int) -> Made:
    """One job of the key."""
    model = rng.choices([name for name, _ in key.models], [weight for _, weight in key.models])[0]
    return _task(model, rng, at, number) if key.kind == "task" else _chat(model, rng, at, number)


def _chat(model: str, rng: Random, at: datetime, number: int) -> Made:
    question, answer = rng.choice(QUESTIONS)
    turns = (Turn("user", ({"type": "text", "text": question},)),)
    request = ChatRequest(model=model, requested_model=model, turns=turns, system="Answer briefly and to the point.")
    queued = timedelta(milliseconds=rng.randint(4, 60))
    call, took = _call(model, rng, at + queued, f"call_{number}_0", fresh=rng.randint(900, 9_000), output=len(answer))
    pieces = [answer[n : n + 60] for n in range(0, len(answer), 60)]
    said: list[Told] = [("token", {"text": piece}) for piece in pieces]
    events = _numbered([("started", {"model": model}), *said])
    outcome = spec.Outcome("completed", text=answer, stop_reason="end_turn", calls=(call,))
    return _perhaps_failed(Made("chat", model, request.to_json(), outcome, events, queued, queued + took), rng)


def _task(model: str, rng: Random, at: datetime, number: int) -> Made:
    errand, path, command, output, answer = rng.choice(ERRANDS)
    queued = timedelta(milliseconds=rng.randint(8, 900))
    with_agent, denied = rng.random() < 0.3, rng.random() < 0.12
    events = _numbered(_story(model, path, command, output, answer, with_agent, denied))
    turns = Timeline(events).turns
    calls, clock = [], at + queued
    for turn in range(turns):
        read = 26_000 + 13_000 * turn
        call, took = _call(
            model,
            rng,
            clock,
            f"call_{number}_{turn}",
            fresh=rng.randint(900, 4_800),
            output=rng.randint(300, 2_600),
            read=read,
        )
        calls.append(call)
        clock += took + timedelta(milliseconds=rng.randint(40, 2600))
    cost = sum(call.cost_microusd for call in calls)
    outcome = spec.Outcome(
        "completed",
        text=answer,
        stop_reason="end_turn",
        calls=tuple(calls),
        num_turns=turns,
        tools_used=("Read", "Bash", "Edit", *(("Agent",) if with_agent else ())),
        denials=(spec.Denied("toolu_9", "WebFetch", {"url": "https://status.example"}, WEB, None),) if denied else (),
        attribution={f"agent:{AUDITOR}": cost * 2 // 5} if with_agent else {},
    )
    request = {"description": errand, "model": model, "requested_model": model, "allow_tools": ["Read", "Edit", "Bash"]}
    return _perhaps_failed(Made("task", model, request, outcome, events, queued, clock - at), rng)


WEB = "tool WebFetch is not allowed by the profile"


def _story(model: str, path: str, command: str, output: str, answer: str, with_agent: bool, denied: bool) -> list[Told]:
    told: list[Told] = [
        ("started", {"model": model}),
        ("thinking", {"text": f"First I look at {path}, then I run it to see what really happens."}),
        ("token", {"text": f"I begin with `{path}`."}),
        *_tool(
            "toolu_1",
            "Read",
            {"file_path": f"/workspace/{path}"},
            f"  1  # {path}\n  2  import csv\n  3  from app import money",
        ),
        *_tool("toolu_2", "Bash", {"command": command}, output),
    ]
    if with_agent:
        given = {"subagent_type": AUDITOR, "prompt": f"Look at {path} for anything unsafe."}
        told += [
            ("tool_use", {"id": "toolu_3", "name": "Agent", "input": given, "parent_id": None}),
            *_tool("toolu_4", "Grep", {"pattern": "eval\\(", "path": "/workspace"}, "No matches found", parent="toolu_3"),
            *_tool("toolu_5", "Read", {"file_path": f"/workspace/{path}"}, "  1  import csv", parent="toolu_3"),
            ("tool_result", {"id": "toolu_3", "content": "Nothing unsafe: no eval, no shell, no path from outside.", "is_error": False, "parent_id": None}),
        ]  # fmt: skip
    if denied:
        told.append(("denied", {"id": "toolu_9", "name": "WebFetch", "input": {"url": "https://status.example"}, "reason": WEB, "parent_id": None}))  # fmt: skip
    told += [
        *_tool(
            "toolu_6",
            "Edit",
            {"file_path": f"/workspace/{path}", "old_string": ",", "new_string": ";"},
            "The file has been updated.",
        ),
    ]
    said: list[Told] = [("token", {"text": answer[n : n + 80]}) for n in range(0, len(answer), 80)]
    return [*told, *said]


def _tool(tool_id: str, name: str, given: dict[str, str], result: str, *, parent: str | None = None) -> list[Told]:
    return [
        ("tool_use", {"id": tool_id, "name": name, "input": json.loads(json.dumps(given)), "parent_id": parent}),
        ("tool_result", {"id": tool_id, "content": result, "is_error": False, "parent_id": parent}),
    ]


def _numbered(told: list[Told]) -> tuple[Event, ...]:
    return tuple(Event(number, kind, data) for number, (kind, data) in enumerate(told, 1))


def _call(
    model: str, rng: Random, at: datetime, call_id: str, *, fresh: int, output: int, read: int | None = None
) -> tuple[spec.Call, timedelta]:
    cached = read if read is not None else rng.choice([0, 6_000, 18_000, 42_000])
    written = rng.randint(0, 1) * rng.randint(2_000, 9_000)
    usage = spec.Usage(fresh, max(20, output), cached, written, 0)
    first = rng.lognormvariate(-0.7, 0.45)
    seconds = first + usage.output_tokens / rng.uniform(55, 120)
    call = spec.Call(
        id=call_id,
        model=model,
        usage=usage,
        cost_microusd=pricing.cost_microusd(model, usage) or 0,
        priced=True,
        estimated=False,
        status=200,
        price_version=pricing.VERSION,
        started_at=at.timestamp(),
        duration_seconds=round(seconds, 3),
        first_token_seconds=round(first, 3),
    )
    return call, timedelta(seconds=seconds)


def _perhaps_failed(made: Made, rng: Random) -> Made:
    """Most jobs end well; some of them in the middle, a few before they began."""
    luck = rng.random()
    if luck > 0.045:
        return made
    outcome, half = made.outcome, made.events[: max(1, len(made.events) // 2)]
    if luck > 0.032:
        ended = spec.Outcome("cancelled", "cancelled", "Cancelled by user:mira.", calls=outcome.calls[:1])
        return replace(made, outcome=ended, events=half, took=made.took / 2)
    code, message, status = rng.choice(FAULTS)
    if status:
        ended = spec.Outcome("failed", code, message, upstream_status=status)
        return replace(made, outcome=ended, events=made.events[:1], took=timedelta(seconds=rng.uniform(0.4, 2)))
    ended = spec.Outcome("failed", code, message, calls=outcome.calls, num_turns=outcome.num_turns)
    return replace(made, outcome=ended, events=half)
