"""What every program shares that steps a network between checked ports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from spikearm.errors import ClosedError
from spikearm.hardware.backend import StepResult
from spikearm.hardware.ports import Ports
from spikearm.models.network import PortedNetwork
from spikearm.records import FloatArray, OpCounts


class SteppedProgram(ABC):
    """A network on something that steps; a subclass says how to advance it and what to count.

    Args:
        simulator: Has ``closed`` and ``close()``.
        ported: The network and its ports.
        dt_s: Network time step [s].
    """

    def __init__(self, simulator: Any, ported: PortedNetwork, *, dt_s: float) -> None:
        self._simulator = simulator
        self._dt_s = dt_s
        self._ports = Ports(ported)
        self._on_host = OpCounts(host_macs=float(ported.host_macs)) if ported.host_macs else None

    @property
    def dt_s(self) -> float:
        """Network time step [s]."""
        return self._dt_s

    def step(self, inputs: Mapping[str, FloatArray]) -> StepResult:
        """Advance by one step.

        Raises:
            PortError: An input is missing, unknown, of the wrong shape, or not finite.
            ClosedError: The program is closed.
        """
        self._refuse_if_closed()
        self._ports.write(inputs)
        self._advance()
        counts = self._count()
        return StepResult(self._ports.read(), counts + self._on_host if self._on_host else counts)

    def close(self) -> None:
        """Release the substrate; closing twice is not an error."""
        if not self._simulator.closed:
            self._simulator.close()

    @abstractmethod
    def _advance(self) -> None:
        """One step of everything between the ports."""

    @abstractmethod
    def _count(self) -> OpCounts:
        """Operations of the step just made, without what the description leaves to the host."""

    def _refuse_if_closed(self) -> None:
        if self._simulator.closed:
            raise ClosedError("this program is closed; compile the network again to go on.")
