"""How much of a substrate a compiled network takes up; what a program may tell besides its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Use:
    """Use of one limited resource.

    Attributes:
        used: How much of it is used.
        limit: How much there is.
    """

    used: int
    limit: int

    @property
    def share(self) -> float:
        """The used part of it, 1 if nothing is left."""
        return self.used / self.limit


@dataclass(frozen=True)
class Part:
    """One part of a substrate that holds some of the network.

    Attributes:
        label: What of the network it holds.
        resources: Use of its resources by name.
    """

    label: str
    resources: Mapping[str, Use]


@dataclass(frozen=True)
class Utilisation:
    """The parts of a substrate that a network takes up.

    Attributes:
        kind: What the parts are, in the plural, e.g. ``"cores"``.
        n_available: How many of them the substrate has.
        parts: Those in use, in the order of their numbers.
    """

    kind: str
    n_available: int
    parts: tuple[Part, ...]

    def fullest(self) -> dict[str, float]:
        """Greatest share of each resource over all parts."""
        shares: dict[str, float] = {}
        for part in self.parts:
            for name, use in part.resources.items():
                shares[name] = max(shares.get(name, 0.0), use.share)
        return shares

    def line(self) -> str:
        """The whole in one line."""
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.fullest().items())
        return f"{len(self.parts)} of {self.n_available} {self.kind}; at most {shares}"

    def document(self) -> dict[str, Any]:
        """The whole as plain values: each part, and of each resource what is used, the limit, the share."""
        return {
            "kind": self.kind,
            "used": len(self.parts),
            "limit": self.n_available,
            "fullest": self.fullest(),
            "parts": [
                {"number": number, "label": part.label}
                | {
                    name: {"used": use.used, "limit": use.limit, "share": use.share}
                    for name, use in part.resources.items()
                }
                for number, part in enumerate(self.parts)
            ],
        }


@runtime_checkable
class Describes(Protocol):
    """A program that can also say how much of its substrate it takes up."""

    @property
    def utilisation(self) -> Utilisation:
        """Use of the substrate by the compiled network."""
        ...
