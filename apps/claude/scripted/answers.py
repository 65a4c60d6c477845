"""What the scripted model answers: a request and its stage directions in, an `Answer` out. Pure functions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.claude.scripted import tokens
from apps.claude.scripted.directives import Script, ToolCall
from apps.claude.scripted.wire import Block

_QUOTED_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Asked:
    """The turn that is being answered: the user's text, and how many tool answers this turn already had."""

    text: str
    step: int


def asked(messages: Sequence[object]) -> Asked:
    """The last message of the user's own (not a tool's result), and the tool answers given since."""
    step = 0
    for message in reversed(messages):
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        kinds = {block.get("type") for block in blocks}
        if message.get("role") == "assistant":
            step += "tool_use" in kinds
        elif message.get("role") == "user" and "tool_result" not in kinds:
            return Asked(content if isinstance(content, str) else _text(blocks), step)
    return Asked("", step)


def _text(blocks: Iterable[Mapping[str, object]]) -> str:
    return "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")


def compose(script: Script, step: int, new_id: str) -> tuple[tuple[Block, ...], str]:
    """The blocks and the stop reason of a script's answer number `step`, before any limit is applied."""
    thought = (Block("thinking", script.think),) if script.think is not None and step == 0 else ()
    if step < len(script.tool_turns):
        return thought + tuple(
            _tool_use(call, f"{new_id}{n}") for n, call in enumerate(script.tool_turns[step])
        ), "tool_use"
    text = _final_text(script)
    reason = script.stop_reason or ("refusal" if script.refuse else "end_turn")
    return thought + ((Block("text", text),) if text else ()), reason


def is_last(script: Script, step: int) -> bool:
    """Whether this is the answer that ends the chain: the one that failures, cuts and hangs belong to."""
    return step >= len(script.tool_turns)


def from_blocks(blocks: Iterable[Mapping[str, object]], new_id: str) -> tuple[tuple[Block, ...], str]:
    """Content blocks as a script file gives them, and the stop reason that goes with them. Raises `ValueError`."""
    made: list[Block] = []
    for n, block in enumerate(blocks):
        match block:
            case {"type": "text", "text": str(text)}:
                made.append(Block("text", text))
            case {"type": "thinking", "thinking": str(text)}:
                made.append(Block("thinking", text))
            case {"type": "tool_use", "name": str(name), "input": dict(arguments)}:
                made.append(_tool_use(ToolCall(name, arguments), str(block.get("id", f"{new_id}{n}"))))
            case _:
                raise ValueError(f"not a content block the scripted model can send: {json.dumps(block)[:200]}")
    return tuple(made), "tool_use" if any(block.kind == "tool_use" for block in made) else "end_turn"


def _tool_use(call: ToolCall, identifier: str) -> Block:
    arguments = json.dumps(call.input, separators=(",", ":"), ensure_ascii=False)
    return Block("tool_use", arguments, id=identifier, name=call.name)


def _final_text(script: Script) -> str:
    parts = list(script.say)
    if script.echo:
        parts.append(script.plain)
    if script.tokens is not None:
        parts.append(tokens.numbered(script.tokens))
    if parts or script.refuse:
        return "\n".join(parts)
    return "Done." if script.tool_turns else demo_text(script.plain)


def demo_text(prompt: str) -> str:
    """What a prompt without directives is answered: plainly a demo, the user's words quoted short and on one line."""
    words = " ".join("".join(c if c.isprintable() else " " for c in prompt).split())
    quoted = words if len(words) <= _QUOTED_CHARACTERS else words[: _QUOTED_CHARACTERS - 1].rstrip() + "…"
    heard = f"You wrote: “{quoted}”." if quoted else "Your message had no text."
    return (
        f"Hello from the scripted demo model! {heard} No AI has read it: this is a canned answer, so that you can try "
        "the API, streaming, keys and usage without an account. To talk to Claude, set ANTHROPIC_API_KEY and start "
        "without --demo."
    )


def stop_at(blocks: tuple[Block, ...], sequences: Sequence[str]) -> tuple[tuple[Block, ...], str | None]:
    """The answer up to the first of the stop sequences in its text, and which one it was."""
    for index, block in enumerate(blocks):
        if block.kind != "text":
            continue
        found = [(at, sequence) for sequence in sequences if sequence and (at := block.text.find(sequence)) >= 0]
        if found:
            at, sequence = min(found)
            kept = (Block("text", block.text[:at]),) if at else ()
            return blocks[:index] + kept, sequence
    return blocks, None


def limit(blocks: tuple[Block, ...], max_tokens: int) -> tuple[tuple[Block, ...], bool]:
    """The first `max_tokens` tokens, and whether anything was left out; a tool call comes whole or not at all."""
    kept: list[Block] = []
    left = max_tokens
    for block in blocks:
        if block.tokens > left:
            if block.kind != "tool_use" and left > 0:
                kept.append(Block(block.kind, tokens.first(block.text, left)))
            return tuple(kept), True
        kept.append(block)
        left -= block.tokens
    return tuple(kept), False
