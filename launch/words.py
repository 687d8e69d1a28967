"""Numbers in words, on the terminal and in the report."""

from __future__ import annotations

from collections.abc import Iterable

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))
WHY_LATE = "other programs on the computer can make ticks late, too"
"""Said wherever late ticks are counted."""
_EXPONENT_FROM = 1e7
_ABBREVIATIONS = ("adc", "dac")
_SMALL = ("no", "one", "two", "three")


def si(value: float | None, unit: str) -> str:
    """A number with the prefix that keeps it readable; a dash for what is not known."""
    if value is None:
        return "–"
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor:
            return f"{three_digits(value / factor)} {prefix}{unit}"
    return f"{three_digits(value)} {unit}"


def ms(seconds: float | None) -> str:
    """A time in milliseconds, to the microsecond below 10 ms, four digits above."""
    if seconds is None:
        return "–"
    value = 1e3 * seconds
    return f"{value:.{3 if value < 10 else 2 if value < 100 else 1}f} ms"


def energy_term(name: str) -> str:
    """A term of a cost model as people write it."""
    return name.upper() if name in _ABBREVIATIONS else name.replace("_", " ")


def mm(metres: float | None) -> str:
    """A length in millimetres."""
    return "–" if metres is None else f"{1e3 * metres:.2f} mm"


def last_reaches(numbers: Iterable[int]) -> str:
    """The last reaches of some runs, from how many there are of each; see :func:`~.summary.n_late`."""
    most, least = max(found := set(numbers)), min(found)
    words = f"last {_SMALL[most]} reaches" if most > 1 else "last reach"
    return words if most == least else f"{words} or fewer"


def duration(seconds: float) -> str:
    """A time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def of_run(label: str, n_runs: int, sentence: str) -> str:
    """A sentence about a run, with the run's name before it only if there are several."""
    return f"{label}: {sentence}" if n_runs > 1 else sentence[0].upper() + sentence[1:]


def times(ratio: float) -> str:
    """A ratio in words."""
    if ratio > 1.05:
        return f"{three_digits(ratio)} times"
    if ratio < 0.95:
        return f"1/{three_digits(1 / ratio)} of"
    return "about the same as"


def times_as_much(without_m: float, with_m: float) -> str:
    """How much more it is without adaptation, to end a sentence; nothing for a run without any error."""
    if not with_m:
        return ""
    ratio = three_digits(without_m / with_m)
    return ", as much" if ratio == "1" else f", {ratio} times as much"


def three_digits(value: float) -> str:
    """Three significant digits, never with an exponent where a person would write none."""
    text = f"{value:.3g}"
    return f"{float(text):,.0f}" if "e" in text and 1 <= abs(value) < _EXPONENT_FROM else text
