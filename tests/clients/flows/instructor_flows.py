"""instructor in its ordinary flows: typed answers by functions, by JSON schema, by JSON mode; streamed; retried."""

import os

import instructor
import pytest
from openai import OpenAI
from pydantic import BaseModel, field_validator


class User(BaseModel):
    name: str
    age: int

    @field_validator("name")
    @classmethod
    def _capital(cls, value: str) -> str:
        if not value[0].isupper():
            raise ValueError("a name begins with a capital letter")
        return value


def client(mode: instructor.Mode) -> instructor.Instructor:
    openai = OpenAI(base_url=os.environ["CCS_URL"] + "/v1", api_key=os.environ["CCS_KEY"], max_retries=0, timeout=90)
    return instructor.from_openai(openai, mode=mode)


def told(mode: instructor.Mode, value: str) -> str:
    return f"[[tool: User {value}]]" if mode is instructor.Mode.TOOLS else f"[[json: {value}]]"


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA])
def test_a_typed_answer(mode: instructor.Mode) -> None:
    content = told(mode, '{"name": "Zoë", "age": 5}')
    user = client(mode).chat.completions.create(
        model="sonnet", response_model=User, messages=[{"role": "user", "content": content}]
    )
    assert (user.name, user.age) == ("Zoë", 5)  # instructor makes a class of its own


def test_a_partial_answer_grows() -> None:
    content = '[[tool: PartialUser {"name": "Zoë Maria", "age": 5}]] [[piece: 1]] [[rate: 20]]'
    parts = list(
        client(instructor.Mode.TOOLS).chat.completions.create_partial(
            model="sonnet", response_model=User, messages=[{"role": "user", "content": content}]
        )
    )
    assert len(parts) > 2
    assert parts[-1].age == 5


def test_what_instructor_finds_wrong_is_asked_again() -> None:
    """The second attempt brings the call, its error as a tool's result, and is answered anew."""
    content = '[[tool: User {"name": "zoe", "age": 5}]] [[tool: User {"name": "Zoe", "age": 5}]]'
    user = client(instructor.Mode.TOOLS).chat.completions.create(
        model="sonnet", response_model=User, max_retries=2, messages=[{"role": "user", "content": content}]
    )
    assert user.name == "Zoe"


def test_several_answers_one_by_one() -> None:
    content = '[[tool: IterableUser {"tasks": [{"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}]}]]'
    users = client(instructor.Mode.TOOLS).chat.completions.create_iterable(
        model="sonnet", response_model=User, messages=[{"role": "user", "content": content}]
    )
    assert [user.name for user in users] == ["Ann", "Bob"]
