"""Which colour of the ramp something has. Pure: a model keeps its colour on every page, whatever else is shown."""

from collections.abc import Iterable

from apps.claude.catalog import MODELS, find

COLOURS = 6
REST = 0
"""The colour of everything that has none of its own."""


def of_model(model_id: str) -> int:
    """Its number, 1 to 6 for the newest of each family; REST for older ones and strangers."""
    known = find(model_id)
    ids = [model.id for model in MODELS]
    place = ids.index(known.id) if known else COLOURS
    return place + 1 if place < COLOURS else REST


def class_of(model_id: str) -> str:
    """As the style sheet calls it."""
    return f"c{of_model(model_id)}"


def name_of(model_id: str) -> str:
    """What people call the model."""
    known = find(model_id)
    return known.display_name if known else model_id


def spread(names: Iterable[str]) -> dict[str, int]:
    """Colours for things that have none by nature, in the order of their weight; REST from the seventh on."""
    return {name: number if number <= COLOURS else REST for number, name in enumerate(names, 1)}
