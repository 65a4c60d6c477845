"""What a call costs: a versioned table, integer arithmetic, and no guess for a model that is not in it.

Prices are list prices in nano-dollars per token (= thousandths of a dollar per million tokens), read off the cost that
the CLI 2.1.330 reports for known usage; a contract test asks the CLI again.
"""

from dataclasses import dataclass

from apps.claude.spec import Usage

VERSION = "2026-11-cli-2.1.330"


SEARCH_MICROUSD = 10_000
"""List price of one web search by the upstream."""


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars per token of each kind."""

    input: int
    output: int
    cache_read: int
    cache_creation_5m: int
    cache_creation_1h: int


def _list_price(input_: int, output: int, cache_read: int) -> Price:
    """Cache writes cost 1.25 × (5 minutes) and 2 × (1 hour) of fresh input for every model so far."""
    return Price(input_, output, cache_read, input_ * 5 // 4, input_ * 2)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A model's price, and the price of the whole call once its prompt is longer than `long_above` tokens."""

    base: Price
    long: Price | None = None
    long_above: int = 0

    def price_for(self, prompt_tokens: int) -> Price:
        """The price that applies to a prompt of this length."""
        return self.long if self.long and prompt_tokens > self.long_above else self.base


_OPUS_5 = Tariff(_list_price(5_000, 25_000, 500))
_SONNET_4 = Tariff(_list_price(3_000, 15_000, 300))

TARIFFS: dict[str, Tariff] = {
    "claude-haiku-5-5": Tariff(_list_price(100, 500, 10), long=_list_price(500, 2_500, 50), long_above=100_000),
    "claude-sonnet-5-5": Tariff(_list_price(2_000, 10_000, 100)),
    "claude-opus-5-5": Tariff(_list_price(4_000, 20_000, 200)),
    "claude-fable-5-2": Tariff(_list_price(8_000, 40_000, 200)),
    "claude-opus-5": _OPUS_5,
    "claude-sonnet-5": Tariff(_list_price(2_000, 10_000, 200)),
    "claude-opus-4-8": _OPUS_5,
    "claude-opus-4-7": _OPUS_5,
    "claude-opus-4-6": _OPUS_5,
    "claude-opus-4-5": _OPUS_5,
    "claude-sonnet-4-6": _SONNET_4,
    "claude-sonnet-4-5": _SONNET_4,
    "claude-haiku-4-5": Tariff(_list_price(1_000, 5_000, 100)),
}


def cost_microusd(model: str, usage: Usage) -> int | None:
    """Micro-dollars of one call, rounded up; None where the model has no price."""
    tariff = TARIFFS.get(model)
    if tariff is None:
        return None
    price = tariff.price_for(usage.prompt_tokens)
    nano = (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_read_input_tokens * price.cache_read
        + usage.cache_creation_5m_input_tokens * price.cache_creation_5m
        + usage.cache_creation_1h_input_tokens * price.cache_creation_1h
    )
    return -(-nano // 1000)


def saved_microusd(model: str, usage: Usage) -> int | None:
    """Micro-dollars that a call's cached reads would have cost more as fresh input; None where there is no price."""
    tariff = TARIFFS.get(model)
    if tariff is None:
        return None
    price = tariff.price_for(usage.prompt_tokens)
    return usage.cache_read_input_tokens * (price.input - price.cache_read) // 1000


def affordable_output_tokens(model: str, prompt_tokens: int, budget_microusd: int, *, hour_cache: bool) -> int | None:
    """How many output tokens the budget still carries after the dearest way to bill a prompt of at most this length.

    The dearest way is a cache write, for an hour where the request asks for that. Negative where not even the prompt
    fits; None where the model has no price.
    """
    tariff = TARIFFS.get(model)
    if tariff is None:
        return None
    price = tariff.price_for(prompt_tokens)
    write = price.cache_creation_1h if hour_cache else price.cache_creation_5m
    return (budget_microusd * 1000 - prompt_tokens * write) // price.output


def worst_case_microusd(model: str, prompt_tokens: int, output_tokens: int, *, hour_cache: bool) -> int:
    """The most that a call can cost: its prompt written to the cache, all of its answer used. 0 without a price."""
    tariff = TARIFFS.get(model)
    if tariff is None:
        return 0
    price = tariff.price_for(prompt_tokens)
    write = price.cache_creation_1h if hour_cache else price.cache_creation_5m
    return -(-(prompt_tokens * write + output_tokens * price.output) // 1000)
