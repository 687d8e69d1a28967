"""From counts to joules and seconds: figures with their sources, multiplied and nothing more.

Three tiers of evidence exist and are never added together: modelled bottom-up (``Cost.energy_j``),
modelled chip-anchored (``Cost.energy_chip_j``) and measured (a meter, see ``spikearm.hardware.meter``).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

from spikearm.errors import UnknownNameError
from spikearm.hardware.checks import require_not_negative
from spikearm.records import COUNT_NAMES, Cost, OpCounts


class CostModel(Protocol):
    """Turns the operations of some steps into modelled cost; additive over steps."""

    @property
    def name(self) -> str:
        """What the figures describe, e.g. ``"Loihi (Davies et al. 2018)"``."""
        ...

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the energy terms, always all present in an estimate."""
        ...

    @property
    def chip_scope(self) -> str:
        """What the chip-anchored figure includes and leaves out; "" where there is none."""
        ...

    @property
    def chip_terms(self) -> tuple[str, ...]:
        """Energy terms of the scope of the chip-anchored figure, to compare it with; () for all of them."""
        ...

    def estimate(self, counts: OpCounts, dt_s: float) -> Cost:
        """Cost of some work.

        Args:
            counts: The operations.
            dt_s: Network time that they took [s].

        Returns:
            Latency [s] and energy by term [J]; the chip-anchored energy, or None where no chip was measured.
        """
        ...

    def ledger(self, counts: OpCounts, dt_s: float) -> list[LedgerLine]:
        """The same estimate, line by line: count times figure, with the source of the figure.

        Args:
            counts: The operations.
            dt_s: Network time that they took [s].
        """
        ...


@dataclass(frozen=True)
class Figure:
    """A published amount per operation.

    Attributes:
        count: Name of the field of :class:`~spikearm.records.OpCounts` it multiplies, or ``"dt_s"``
            for what is spent per second of network time.
        amount: Joules (or seconds) per operation; per second for ``"dt_s"``.
        source: Where the figure is from, and its validity.
    """

    count: str
    amount: float
    source: str

    def __post_init__(self) -> None:
        if self.count != "dt_s" and self.count not in COUNT_NAMES:
            raise ValueError(f"Figure counts {self.count!r}, which is no field of OpCounts: {COUNT_NAMES}")

    def replaced(self, amount: float) -> Figure:
        """The figure with another amount; what it was stays in its source."""
        return Figure(
            self.count, float(amount), f"set by the user, instead of {self.amount:g}: {self.source}"
        )

    def number(self, counts: OpCounts, dt_s: float) -> float:
        """How often this operation happened (or for how many seconds)."""
        n: float = dt_s if self.count == "dt_s" else getattr(counts, self.count)
        return n

    def times(self, counts: OpCounts, dt_s: float) -> float:
        """Amount for all operations of this kind [J or s]."""
        return self.number(counts, dt_s) * self.amount


@dataclass(frozen=True)
class LedgerLine:
    """One line of a ledger: ``joules = n * figure.amount``, traceable to its source."""

    tier: str
    term: str
    n: float
    figure: Figure
    joules: float


@dataclass(frozen=True)
class TableCost:
    """A cost model that is nothing but a table of figures.

    Attributes:
        name: What the figures describe.
        energy: Figures by energy term [J]; a term may sum several.
        latency: Figures that add up to the latency of a step [s].
        chip: Figures of the chip-anchored tier [J], or empty where no chip was measured.
        chip_scope: What the chip figures include, and what they leave out.
        chip_terms: Energy terms that are for the same, or () if all of them are.
    """

    name: str
    energy: Mapping[str, tuple[Figure, ...]]
    latency: tuple[Figure, ...]
    chip: tuple[Figure, ...] = ()
    chip_scope: str = ""
    chip_terms: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the energy terms."""
        return tuple(self.energy)

    def with_figures(self, amounts: Mapping[str, float]) -> Self:
        """The same table with figures of your own.

        Args:
            amounts: Joules or seconds per operation, by the count they multiply.

        Raises:
            UnknownNameError: The table has no figure for such a count; the message lists those it has.
            ConfigError: An amount is not 0 or a positive number.
        """
        if not amounts:
            return self
        every = (*itertools.chain(*self.energy.values()), *self.latency, *self.chip)
        known = {figure.count for figure in every}
        for count, amount in amounts.items():
            if count not in known:
                raise UnknownNameError(f"figure of {self.name!r}", count, known)
            require_not_negative(f"figures[{count!r}]", amount)

        def replaced(figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
            return tuple(f.replaced(amounts[f.count]) if f.count in amounts else f for f in figures)

        return replace(
            self,
            name=f"{self.name}; own figures for {', '.join(sorted(amounts))}",
            energy={term: replaced(figures) for term, figures in self.energy.items()},
            latency=replaced(self.latency),
            chip=replaced(self.chip),
        )

    def estimate(self, counts: OpCounts, dt_s: float) -> Cost:
        """Latency [s] and energy [J] of work that took ``dt_s`` seconds of network time."""
        return Cost(
            latency_s=_total(self.latency, counts, dt_s),
            energy_j={term: _total(figures, counts, dt_s) for term, figures in self.energy.items()},
            energy_chip_j=_total(self.chip, counts, dt_s) if self.chip else None,
        )

    def ledger(self, counts: OpCounts, dt_s: float) -> list[LedgerLine]:
        """The same estimate [J], line by line."""
        rows = [("bottom-up", term, f) for term, figures in self.energy.items() for f in figures]
        rows += [("chip-anchored", "chip", f) for f in self.chip]
        return [
            LedgerLine(tier, term, f.number(counts, dt_s), f, f.times(counts, dt_s)) for tier, term, f in rows
        ]


def _total(figures: tuple[Figure, ...], counts: OpCounts, dt_s: float) -> float:
    """Amount for all operations of all these kinds [J or s]; in every tick, so without a call for each."""
    total = 0.0
    for figure in figures:
        total += (dt_s if figure.count == "dt_s" else getattr(counts, figure.count)) * figure.amount
    return total
