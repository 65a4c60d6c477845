import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api.jsonio import MAX_DEPTH, BadJson, dumps, loads

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert loads(dumps(value)) == value


@given(st.binary(max_size=200))
def test_anything_is_either_read_or_refused(raw: bytes) -> None:
    with suppress(BadJson):
        loads(raw)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_nesting_is_taken_to_the_limit_and_no_further() -> None:
    loads(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 1_000, 200_000):
        with pytest.raises(BadJson, match=f"nested deeper than {MAX_DEPTH}"):
            loads(nested(depth))


@pytest.mark.parametrize("raw", [b"NaN", b"[Infinity]", b'{"a": -Infinity}'])
def test_numbers_that_json_does_not_know_are_refused(raw: bytes) -> None:
    with pytest.raises(BadJson, match="not a JSON number"):
        loads(raw)


def test_a_number_of_a_million_digits_is_refused_quickly() -> None:
    with pytest.raises(BadJson):
        loads(b"1" * 1_000_000)


@pytest.mark.parametrize("escape", [rb'"\ud800"', rb'{"a": ["x\uDFFFy"]}', rb'{"\udc00": 1}'])
def test_half_a_surrogate_pair_is_no_text(escape: bytes) -> None:
    with pytest.raises(BadJson, match="surrogate"):
        loads(escape)


def test_whole_pairs_and_nul_are_text() -> None:
    assert loads(rb'"\ud83d\ude00"') == "😀"
    assert loads(rb'"a\u0000b"') == "a\0b"


def test_other_encodings_are_refused() -> None:
    with pytest.raises(BadJson, match="UTF-8"):
        loads('"ä"'.encode("latin-1"))


def test_answers_are_readable_in_any_language() -> None:
    assert "日本語".encode() in dumps({"content": "日本語"})


def test_a_broken_pair_in_a_model_s_answer_still_goes_out_as_json() -> None:
    assert json.loads(dumps({"content": "x\ud83d"})) == {"content": "x\ud83d"}
