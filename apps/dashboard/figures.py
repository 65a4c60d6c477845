"""How numbers look. Pure: the same figure reads the same on every page."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

_CENT = 10_000
_STEPS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))


def money(microusd: int | None) -> str:
    """`$12.40`; under a cent two significant digits, `$0.0042`. Never `$0.00` for something that cost."""
    if microusd is None:
        return "–"
    sign, amount = ("−" if microusd < 0 else ""), abs(microusd)
    if amount == 0:
        return "$0"
    if amount < _CENT - 50:  # what rounds to a cent is one
        usd = Decimal(amount) / 1_000_000
        places = 1 - usd.adjusted()
        return f"{sign}${usd.quantize(Decimal(1).scaleb(-min(places, 6)), ROUND_HALF_UP)}"
    return f"{sign}${_dollars(amount):,.2f}"


def exact_money(microusd: int | None) -> str:
    """To the micro-dollar: `$12.404213`."""
    return "" if microusd is None else f"${Decimal(microusd) / 1_000_000:,.6f}"


def usd(microusd: int | None) -> str:
    """As a form takes it: `12.4`, empty for none."""
    if microusd is None:
        return ""
    text = f"{Decimal(microusd) / 1_000_000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compact(number: float | None) -> str:
    """`987`, `12.4k`, `3.1M`."""
    if number is None:
        return "–"
    for size, letter in _STEPS:
        if abs(number) >= size * 0.9995:
            value = number / size
            return f"{value:.0f}{letter}" if abs(value) >= 99.95 else f"{value:.1f}{letter}"
    return f"{number:,.0f}"


def duration(seconds: float | timedelta | None) -> str:
    """`840 ms`, `12.3 s`, `4 min`, `2 h 5 min`, `3 d`."""
    if seconds is None:
        return "–"
    length = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    length = max(0.0, length)
    if length < 0.9995:
        return f"{length * 1000:.0f} ms"
    if length < 59.95:
        return f"{length:.1f} s"
    if length < 3570:
        return f"{max(1, round(length / 60))} min"
    if length < 48 * 3600:
        hours, minutes = divmod(round(length / 60), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(length / 86400)} d"


def ago(moment: datetime | None, *, now: datetime) -> str:
    """`just now`, `4 min ago`, `in 3 d`; a date where it is more than 30 days away."""
    if moment is None:
        return "never"
    away = (now - moment).total_seconds()
    if abs(away) < 10:
        return "just now" if away >= 0 else "now"
    if abs(away) > 30 * 86400:
        return day(moment, now=now)
    words = f"{abs(away):.0f} s" if abs(away) < 59.5 else duration(_round(abs(away)))
    return f"{words} ago" if away > 0 else f"in {words}"


def day(moment: datetime, *, now: datetime) -> str:
    """`12 Mar`, with the year where it is another one."""
    return f"{moment.day} {moment:%b}" if moment.year == now.year else f"{moment.day} {moment:%b %Y}"


def percent(part: float, whole: float) -> str:
    """`99.4 %`; never `100 %` or `0 %` for what only nearly is."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if part not in (0, whole):
        share = min(max(share, 0.1), 99.9)
    return f"{share:.0f} %" if share in (0.0, 100.0) else f"{share:.1f} %"


def change(now: float, before: float) -> str:
    """`+12 %` against the period before; empty where there is nothing to compare with."""
    if not before:
        return ""
    share = 100 * (now - before) / before
    if abs(share) < 0.5:
        return "±0 %"
    return f"{share:+.0f} %".replace("-", "−") if abs(share) < 1000 else f"×{now / before:.0f}"


def _dollars(microusd: int) -> Decimal:
    return (Decimal(microusd) / 1_000_000).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _round(seconds: float) -> float:
    """Ages need no halves: from an hour on in hours."""
    if seconds < 3570 or seconds >= 48 * 3600:
        return seconds
    return round(seconds / 3600) * 3600
