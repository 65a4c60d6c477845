import math
import re

from hypothesis import given
from hypothesis import strategies as st

from apps.keys import secrets
from apps.keys.secrets import generate, parse


def test_a_key_has_prefix_id_secret_and_checksum() -> None:
    key = generate()
    assert re.fullmatch(rf"ccs_live_{key.public_id}_[0-9A-Za-z]{{32}}_[0-9A-Za-z]{{6}}", key.text)
    assert re.fullmatch(r"[a-z0-9]{12}", key.public_id)


def test_the_secret_part_carries_at_least_190_bits() -> None:
    assert secrets.SECRET_LENGTH * math.log2(62) >= 190


def test_two_keys_have_nothing_in_common() -> None:
    keys = [generate() for _ in range(500)]
    assert len({key.public_id for key in keys}) == len({key.text for key in keys}) == 500


def test_a_generated_key_is_read_back() -> None:
    key = generate()
    assert parse(key.text) == key
    assert key.text.split("_")[3].endswith(key.last4)


def test_a_key_never_shows_itself_in_a_log() -> None:
    key = generate()
    assert key.text not in repr(key)


@given(st.integers(0, 64), st.sampled_from("0aZ"))
def test_one_wrong_letter_is_noticed_without_the_database(position: int, letter: str) -> None:
    text = generate().text
    position %= len(text)
    changed = text[:position] + letter + text[position + 1 :]
    assert changed == text or parse(changed) is None


@given(st.text())
def test_anything_else_is_no_key(text: str) -> None:
    assert parse(text) is None


def test_surrounding_space_is_not_forgiven() -> None:
    text = generate().text
    assert parse(f"{text}\n") is None
    assert parse(f" {text}") is None


def test_digests_depend_on_the_pepper() -> None:
    text = generate().text
    one, other = (secrets.digest(text, pepper=secrets.pepper(key)) for key in ("one secret key", "another secret key"))
    assert one != other
    assert one == secrets.digest(text, pepper=secrets.pepper("one secret key"))
    assert text not in one
