"""Measured energy: what a meter says this computer has used, where there is a meter that may be read."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

logger = logging.getLogger(__name__)

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter(Protocol):
    """Energy since the last reading."""

    @property
    def name(self) -> str:
        """What is measured, e.g. ``"RAPL package-0"``."""
        ...

    def read_j(self) -> float:
        """Energy used since the previous call, or since the meter was made [J]."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A program on a substrate of its own, whose energy this computer's meter does not see."""

    @property
    def meter(self) -> EnergyMeter | None:
        """The substrate's meter, or None where it has none."""
        ...


@dataclass
class _Domain:
    """One counter of the kernel's powercap interface, in microjoules."""

    name: str
    counter: Path
    range_uj: int
    last_uj: int

    def advance_uj(self) -> int:
        """Microjoules since the last call; the counter starts at 0 again after ``range_uj``."""
        now_uj = int(self.counter.read_text())
        used_uj = now_uj - self.last_uj
        self.last_uj = now_uj
        return used_uj if used_uj >= 0 else used_uj + self.range_uj


class RaplMeter:
    """Energy of all processor packages, from the RAPL counters of Linux.

    It covers everything the processor does, this program and all others, and not the rest of the
    computer. The counters advance about once a millisecond and turn over after minutes to hours: read
    more often than that.

    Args:
        root: The powercap folder.

    Raises:
        OSError: There is no package counter, or it may not be read.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._domains = [_open(folder) for folder in sorted(root.glob("intel-rapl:*")) if _is_package(folder)]
        if not self._domains:
            raise FileNotFoundError(f"no RAPL package counter below {root}")

    @property
    def name(self) -> str:
        """The packages measured."""
        return "RAPL " + ", ".join(domain.name for domain in self._domains)

    def read_j(self) -> float:
        """Energy of all packages since the previous call [J]."""
        return 1e-6 * sum(domain.advance_uj() for domain in self._domains)


def make_meter(root: Path = POWERCAP) -> EnergyMeter | None:
    """The meter of this computer, or None where there is none or it may not be read.

    Since Linux 5.10 the counters are readable by root only, unless the administrator allows more.
    """
    try:
        return RaplMeter(root)
    except (OSError, ValueError) as error:
        logger.info("no energy meter: %s", error)
        return None


def _is_package(folder: Path) -> bool:
    name = folder / "name"
    return name.is_file() and name.read_text().strip().startswith("package")


def _open(folder: Path) -> _Domain:
    counter = folder / "energy_uj"
    return _Domain(
        name=(folder / "name").read_text().strip(),
        counter=counter,
        range_uj=int((folder / "max_energy_range_uj").read_text()),
        last_uj=int(counter.read_text()),
    )
