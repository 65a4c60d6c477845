"""The tokens keep what they promise: contrast for every text, and a ramp that colour-blind eyes can tell apart."""

import math
import re
from itertools import combinations

import pytest

from apps.claude.catalog import MODELS
from apps.dashboard import palette
from config.env import ROOT

Light = tuple[float, float, float]
FOUND = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", (ROOT / "static/ui/tokens.css").read_text())
TOKENS = {name: (light, dark) for name, light, dark in FOUND}
# How eyes without one kind of cone see linear RGB (Machado, Oliveira and Fernandes, 2009).
EYES: dict[str, tuple[Light, Light, Light]] = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def linear(colour: str) -> Light:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """WCAG's ratio."""
    weights = (0.2126, 0.7152, 0.0722)
    low, high = sorted(sum(w * part for w, part in zip(weights, linear(c), strict=True)) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(light: Light) -> Light:
    """Björn Ottosson's space, in which distances are what eyes see."""
    red, green, blue = light
    long = math.cbrt(0.4122 * red + 0.5363 * green + 0.0514 * blue)
    middle = math.cbrt(0.2119 * red + 0.6807 * green + 0.1074 * blue)
    short = math.cbrt(0.0883 * red + 0.2817 * green + 0.6300 * blue)
    return (
        0.2105 * long + 0.7936 * middle - 0.0041 * short,
        1.9780 * long - 2.4286 * middle + 0.4506 * short,
        0.0259 * long + 0.7828 * middle - 0.8087 * short,
    )


def seen(colour: str, eyes: tuple[Light, Light, Light]) -> Light:
    light = linear(colour)
    red, green, blue = (sum(a * b for a, b in zip(row, light, strict=True)) for row in eyes)
    return oklab((red, green, blue))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read_on_every_surface(theme: int) -> None:
    inks = ("text", "muted", "accent", "accent-strong", "good", "warn", "bad")
    surfaces = ("ground", "surface", "raised", "sunken", "hover")
    pairs = [(ink, surface) for ink in inks for surface in surfaces]
    pairs += [(ink, f"{ink}-soft") for ink in ("accent", "good", "warn", "bad")] + [("on-accent", "accent")]
    weak = [(a, b) for a, b in pairs if contrast(TOKENS[a][theme], TOKENS[b][theme]) < 4.5]
    assert weak == []


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", EYES.values(), ids=EYES.keys())
def test_the_six_of_a_chart_stay_apart(theme: int, eyes: tuple[Light, Light, Light]) -> None:
    ramp = [TOKENS[f"ramp-{number}"][theme] for number in range(1, 7)]
    assert min(math.dist(seen(a, eyes), seen(b, eyes)) for a, b in combinations(ramp, 2)) > 0.13


def test_a_model_has_its_colour_wherever_it_is_shown() -> None:
    colours = [palette.of_model(model.id) for model in MODELS]
    assert colours[:6] == [1, 2, 3, 4, 5, 6]
    assert palette.of_model("haiku") == palette.of_model("claude-haiku-5-5")
    assert palette.of_model("unheard-of") == palette.REST
