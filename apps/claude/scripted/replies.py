"""From a request to a plan of what to send: where prompt, queue, cache and limits meet. No sockets here."""

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from apps.claude.scripted import answers, caching, improvised, rules, searching, wire
from apps.claude.scripted.directives import Failure, Script, parse
from apps.claude.scripted.queued import Queued

_PACED_PIECE_TOKENS, _UNPACED_PIECE_TOKENS = 1, 16


class BadRequest(ValueError):
    """The request is refused with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, at which pace, and where it is to go wrong. `cut` and `hang` count tokens."""

    answer: wire.Answer
    stream: bool = False
    delay_seconds: float = 0.0
    first_seconds: float = 0.0
    ping_seconds: float = 0.0
    rate: float = 0.0
    piece_tokens: int = _UNPACED_PIECE_TOKENS
    failure: Failure | None = None
    cut: int | None = None
    hang: int | None = None

    @property
    def broken_after(self) -> int | None:
        """After how many tokens the answer goes wrong, or `None`."""
        fault = self.failure.after_tokens if self.failure is not None else None
        return min((count for count in (self.cut, self.hang, fault) if count is not None), default=None)


class Replier:
    """Plans answers; remembers prompts (for caching), queued answers and how often a message was failed."""

    def __init__(self, *, rate: float = 0.0) -> None:
        self.queued = Queued()
        self._rate = rate
        self._cache = caching.PromptCache()
        self._failed: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._instance = os.urandom(5).hex()

    def new_id(self, prefix: str) -> str:
        """An id in Anthropic's form, unique over all scripted models."""
        return f"{prefix}_01{self._instance}{next(self._numbers):012d}"

    def plan(self, body: Mapping[str, object], *, credential: str, now: float) -> Plan:
        """The plan for one request; `now` in monotonic seconds. Raises `BadRequest`, `BadDirective`, `BadMark`."""
        model, messages, max_tokens = checked(body)
        if rule := rules.broken(body):
            raise BadRequest(400, rule)
        asked = answers.asked(messages)
        queued = self.queued.take(body)
        step = asked.step if queued is None else 0
        script = parse(asked.text if queued is None else queued) if not isinstance(queued, list) else Script()
        if script == Script(plain=script.plain) and queued is None:
            script = _improvised(script, body)
        failure = self._failure(script, asked.text) if answers.is_last(script, step) else None
        if failure is not None and failure.after_tokens is None:
            return Plan(wire.Answer("", model, (), ""), delay_seconds=script.delay_seconds, failure=failure)
        tool_id = self.new_id("toolu")
        searched = searching.query(body, asked.text) if queued is None else None
        if isinstance(queued, list):
            blocks, reason = answers.from_blocks(queued, tool_id)
        elif searched is not None:
            blocks, reason = searching.blocks(searched, tool_id), "end_turn"
        else:
            blocks, reason = answers.compose(script, step, tool_id)
        blocks, sequence = answers.stop_at(blocks, _strings(body.get("stop_sequences")))
        reason = reason if sequence is None else "stop_sequence"
        blocks, limited = answers.limit(blocks, max_tokens)
        if limited:
            reason, sequence = "max_tokens", None
        prompt = self._cache.bill(body, scope=f"{credential}\0{model}", now=now)
        usage = wire.usage(prompt, sum(block.tokens for block in blocks), {**searching.usage(searched), **script.usage})
        answer = wire.Answer(self.new_id("msg"), model, blocks, reason, sequence, usage)
        return self._paced(
            answer, script, failure, stream=body.get("stream") is True, last=answers.is_last(script, step)
        )

    def _paced(self, answer: wire.Answer, script: Script, failure: Failure | None, *, stream: bool, last: bool) -> Plan:
        rate = self._rate if script.rate is None else script.rate
        return Plan(
            answer=answer,
            stream=stream,
            delay_seconds=script.delay_seconds,
            first_seconds=script.first_seconds,
            ping_seconds=script.ping_seconds,
            rate=rate,
            piece_tokens=script.piece or (_PACED_PIECE_TOKENS if rate else _UNPACED_PIECE_TOKENS),
            failure=failure,
            cut=script.cut_after_tokens if last else None,
            hang=script.hang_after_tokens if last else None,
        )

    def _failure(self, script: Script, text: str) -> Failure | None:
        """The failure this request is to meet; with `times=2` the third time the same message is asked succeeds."""
        failure = script.failure
        if failure is None or failure.times is None:
            return failure
        self._failed[text] = times = self._failed.get(text, 0) + 1
        return failure if times <= failure.times else None


def _improvised(script: Script, body: Mapping[str, object]) -> Script:
    """A script for a prompt without directions whose request asks for a call or for JSON; else the one it has."""
    call = improvised.tool_call(body, script.plain)
    said = improvised.output(body, script.plain)
    return replace(script, tool_turns=((call,),) if call else (), say=(said,) if said else ())


def checked(body: Mapping[str, object], *, counting: bool = False) -> tuple[str, Sequence[object], int]:
    """Model, messages and `max_tokens` (needed unless counting) of a request. Raises `BadRequest`."""
    model, messages, maximum = body.get("model"), body.get("messages"), body.get("max_tokens")
    if not isinstance(model, str) or not model:
        raise BadRequest(400, "model: Field required")
    if not isinstance(messages, list) or not messages:
        raise BadRequest(400, "messages: at least one message is required")
    if not counting and (not isinstance(maximum, int) or maximum < 1):
        raise BadRequest(400, "max_tokens: Field required")
    if not model.startswith("claude-"):
        raise BadRequest(404, f"model: {model}")
    return model, messages, maximum if isinstance(maximum, int) else 0


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
