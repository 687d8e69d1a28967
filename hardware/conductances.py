"""What the devices of a substrate conduct; what a program of such a substrate can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from spikearm.records import FloatArray


@dataclass(frozen=True)
class Conductances:
    """One matrix; the pairs of a weight are added up.

    Attributes:
        label: What the matrix is.
        learned: Whether it changes while running.
        plus_siemens: What adds to the current [S], shape (n_inputs, n_outputs).
        minus_siemens: What is subtracted [S], same shape.
    """

    label: str
    learned: bool
    plus_siemens: FloatArray
    minus_siemens: FloatArray


@runtime_checkable
class Conducts(Protocol):
    """A program whose weights are conductances."""

    @property
    def conductances(self) -> tuple[Conductances, ...]:
        """What all devices conduct now; copies."""
        ...
