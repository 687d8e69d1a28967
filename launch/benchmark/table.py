"""Tables of results that both benchmarks print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from spikearm.launch.display import console
from spikearm.launch.words import three_digits


def numbers_table(names: Sequence[str]) -> Table:
    """An empty table: numbers to the right, the first column, which has no name, to the left."""
    return Table(
        *(Column(name, no_wrap=True, justify="right" if name else "left") for name in names),
        box=SIMPLE_HEAD,
        padding=0,
    )


def interval(estimate: Mapping[str, Any] | None, form: Callable[[float], str]) -> str:
    """A confidence interval; a dash where there are too few sessions for one."""
    if estimate is None or estimate["low"] is None:
        return "-"
    return f"{form(estimate['low'])}..{form(estimate['high'])}"


def print_legend(text: str, blocks: Iterable[Mapping[str, Any]]) -> None:
    """What the columns are, and what the figure of each chip covers, which differs by substrate."""
    console.print(text, style="dim")
    rows = [row for block in blocks for row in block["rows"]]
    scopes = {row["backend"]: row["energy_chip_scope"] for row in rows if row["energy_chip_scope"]}
    for backend, scope in scopes.items():
        console.print(f"  {backend}: {scope}", style="dim", highlight=False)


def micro(value: float | None) -> str:
    """A value in millionths of its unit, in five characters at most; a dash for what is not known."""
    if value is None:
        return "-"
    return f"{1e6 * value:.2g}" if value < 1e-6 else three_digits(1e6 * value)
