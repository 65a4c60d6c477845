import pytest

from apps.claude import catalog, pricing
from apps.claude.engine import Engine
from tests.claude.conftest import ask

SHORT = (
    '{"input_tokens": 1234, "output_tokens": 567, "cache_read_input_tokens": 8901, "cache_creation_input_tokens": 777,'
    ' "cache_creation": {"ephemeral_5m_input_tokens": 444, "ephemeral_1h_input_tokens": 333}}'
)
LONG = '{"input_tokens": 120000, "output_tokens": 567, "cache_read_input_tokens": 90000}'


@pytest.mark.parametrize("usage", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("name", [model.id for model in catalog.MODELS])
def test_our_bill_is_what_the_cli_reckons(engine: Engine, name: str, usage: str) -> None:
    outcome = ask(engine, f"[[usage: {usage}]] hello", model=name, cap_microusd=10_000_000, project="prices")
    assert outcome.status == "completed"
    assert outcome.cli_cost_microusd is not None
    assert abs(outcome.cost_microusd - outcome.cli_cost_microusd) <= 1


def test_every_model_has_a_price_and_every_price_a_model() -> None:
    assert {model.id for model in catalog.MODELS} == set(pricing.TARIFFS)
    assert [catalog.resolve(alias) for alias in ("haiku", "sonnet", "opus")] == [
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
    ]
