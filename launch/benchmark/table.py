"""Tables of results that both benchmarks print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table


def numbers_table(names: Sequence[str]) -> Table:
    """An empty table: numbers to the right, the first column, which has no name, to the left."""
    return Table(
        *(Column(name, no_wrap=True, justify="right" if name else "left") for name in names),
        box=SIMPLE_HEAD,
        padding=0,
    )


def micro(value: float | None) -> str:
    """A value in millionths of its unit, in five characters at most; a dash for what is not known."""
    return "-" if value is None else f"{1e6 * value:.{2 if value < 1e-6 else 3}g}"
