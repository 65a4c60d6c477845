"""What a response was asked, as items of the Responses API: the whole conversation that the model read. Pure."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Item = dict[str, Any]


def items(job_id: str, turns: Sequence[Mapping[str, Any]]) -> list[Item]:
    """The items, oldest first. Their ids follow from the job and their place, so that they are the same every time."""
    found = [item for turn in turns for item in _of_turn(turn["role"], turn["content"])]
    word = job_id.removeprefix("job_")
    return [{"id": f"{_PREFIXES[item['type']]}_{word}_{index}", **item} for index, item in enumerate(found)]


_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}


def _of_turn(role: str, content: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
    """A message for what was said together, calls and their outputs by themselves, in the order in which they came."""
    said: list[Item] = []
    for block in content:
        match block["type"]:
            case "tool_use":
                yield from _message(role, said)
                said = []
                call = {"call_id": block["id"], "name": block["name"], "arguments": json.dumps(block["input"])}
                yield {"type": "function_call", "status": "completed", **call}
            case "tool_result":
                yield from _message(role, said)
                said = []
                output = _output(block.get("content") or "")
                call = {"call_id": block["tool_use_id"], "output": output, "status": "completed"}
                yield {"type": "function_call_output", **call}
            case "text" | "image" | "document":
                said.append(_part(role, block))
    yield from _message(role, said)


def _message(role: str, said: Sequence[Item]) -> Iterator[Item]:
    if said:
        yield {"type": "message", "role": role, "status": "completed", "content": list(said)}


def _part(role: str, block: Mapping[str, Any]) -> Item:
    source = block.get("source") or {}
    match block["type"]:
        case "image":
            return {"type": "input_image", "detail": "auto", "image_url": _url(source)}
        case "document":
            return {"type": "input_file", "filename": block.get("title") or "file", "file_data": _url(source)}
    if role == "assistant":
        return {"type": "output_text", "text": block["text"], "annotations": []}
    return {"type": "input_text", "text": block["text"]}


def _url(source: Mapping[str, Any]) -> str:
    if source.get("type") == "url":
        return str(source["url"])
    data = str(source.get("data") or "")
    if source.get("type") == "text":
        data = base64.b64encode(data.encode()).decode()
    return f"data:{source.get('media_type')};base64,{data}"


def _output(content: str | Sequence[Mapping[str, Any]]) -> str | list[Item]:
    """A text where it is nothing but text."""
    if isinstance(content, str):
        return content
    if all(block["type"] == "text" for block in content):
        return "\n".join(str(block["text"]) for block in content)
    return [_part("user", block) for block in content]
