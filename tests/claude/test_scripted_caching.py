from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.claude.scripted import caching
from apps.claude.scripted.caching import BadMark, InputUsage, PromptCache

Bill = Callable[..., InputUsage]
WORDS = "word" * 10  # 10 tokens


def block(text: str = WORDS, *, mark: str = "") -> dict[str, object]:
    """A text block, marked with a time to live if one is given."""
    return {"type": "text", "text": text, **({"cache_control": {"type": "ephemeral", "ttl": mark}} if mark else {})}


def body(*messages: Sequence[dict[str, object]], system: Sequence[dict[str, object]] = ()) -> dict[str, object]:
    """A request whose messages alternate between user and assistant."""
    roles = ("user", "assistant")
    turns = [{"role": roles[n % 2], "content": list(content)} for n, content in enumerate(messages)]
    return {"system": list(system), "messages": turns}


@pytest.fixture
def bill() -> Bill:
    cache = PromptCache()

    def bill(request: dict[str, object], *, scope: str = "key/model", now: float = 0.0) -> InputUsage:
        return cache.bill(request, scope=scope, now=now)

    return bill


def test_without_marks_everything_is_input_every_time(bill: Bill) -> None:
    assert bill(body([block()])) == InputUsage(10)
    assert bill(body([block()])) == InputUsage(10)


def test_a_marked_prefix_is_written_first_and_read_then(bill: Bill) -> None:
    request = body([block("next")], system=[block(), block(mark="5m")])
    assert bill(request) == InputUsage(1, 0, 20, 0)
    assert bill(request) == InputUsage(1, 20, 0, 0)


def test_a_conversation_reads_what_its_last_turn_wrote(bill: Bill) -> None:
    system = [block(mark="5m")]
    assert bill(body([block(mark="5m")], system=system)) == InputUsage(0, 0, 20, 0)
    assert bill(body([block()], [block()], [block(mark="5m")], system=system)) == InputUsage(0, 20, 20, 0)


def test_a_plain_string_is_the_same_as_one_text_block(bill: Bill) -> None:
    bill(body([block(mark="5m")]))
    again = {"messages": [{"role": "user", "content": WORDS}, {"role": "assistant", "content": [block(mark="5m")]}]}
    assert bill(again) == InputUsage(0, 10, 10, 0)


def test_a_changed_beginning_reads_nothing(bill: Bill) -> None:
    bill(body([block(mark="5m")], system=[block("old!")]))
    assert bill(body([block(mark="5m")], system=[block("new!")])) == InputUsage(0, 0, 11, 0)


def test_the_same_words_in_another_role_are_another_prompt(bill: Bill) -> None:
    bill({"messages": [{"role": "user", "content": [block(mark="5m")]}]})
    assert bill({"messages": [{"role": "system", "content": [block(mark="5m")]}]}).cache_read_tokens == 0


def test_each_credential_and_model_has_its_own_cache(bill: Bill) -> None:
    bill(body([block(mark="5m")]), scope="alice")
    assert bill(body([block(mark="5m")]), scope="charlie") == InputUsage(0, 0, 10, 0)


def test_lifetimes_are_billed_apart_and_end(bill: Bill) -> None:
    request = body([block("next")], system=[block(mark="1h"), block(mark="5m")])
    assert bill(request) == InputUsage(1, 0, 10, 10)
    assert bill(request, now=299) == InputUsage(1, 20, 0, 0)
    assert bill(request, now=299 + 301) == InputUsage(1, 10, 10, 0)
    assert bill(request, now=299 + 301 + 3601) == InputUsage(1, 0, 10, 10)


def test_a_mark_finds_what_was_written_up_to_twenty_blocks_before(bill: Bill) -> None:
    def longer(blocks: int) -> dict[str, object]:
        return body([block(mark="5m"), *[block() for _ in range(blocks - 1)], block(mark="5m")])

    bill(body([block(mark="5m")]))
    assert bill(body([*[block() for _ in range(19)], block(mark="5m")])).cache_read_tokens == 10
    assert bill(body([*[block() for _ in range(45)], block(mark="5m")])).cache_read_tokens == 0


def test_an_image_costs_the_same_whatever_its_size(bill: Bill) -> None:
    image: dict[str, object] = {"type": "image", "source": {"type": "base64", "data": "A" * 100_000}}
    assert bill(body([image, block()])) == InputUsage(1010)


@pytest.mark.parametrize(
    "system", [[block(mark="5m")] * 5, [block(mark="5m"), block(mark="1h")]], ids=["five marks", "1h after 5m"]
)
def test_marks_that_the_api_refuses_are_refused(bill: Bill, system: list[dict[str, object]]) -> None:
    with pytest.raises(BadMark):
        bill(body([block()], system=system))


@given(st.lists(st.lists(st.tuples(st.text(max_size=9), st.booleans()), max_size=3), min_size=1, max_size=6))
def test_the_kinds_always_add_up_to_the_whole_prompt(texts: list[list[tuple[str, bool]]]) -> None:
    marks = iter([True] * caching.MAX_MARKS)
    messages = [[block(text, mark="5m" if marked and next(marks, False) else "") for text, marked in t] for t in texts]
    cache = PromptCache()
    for length in range(1, len(messages) + 1):
        request = body(*messages[:length])
        usage = cache.bill(request, scope="", now=0.0)
        kinds = (usage.cache_read_tokens, usage.cache_creation_5m_tokens, usage.input_tokens)
        assert sum(kinds) == caching.count(request)
        assert min(kinds) >= 0
