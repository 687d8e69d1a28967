"""What the programs of all simulated substrates share: checked ports, and state as a snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from spikearm.errors import ClosedError
from spikearm.hardware.backend import StepResult
from spikearm.hardware.nengo_state import ArrayPart, Part, Snapshot, StateArray
from spikearm.hardware.ports import Ports
from spikearm.models.network import PortedNetwork
from spikearm.records import FloatArray, OpCounts


class SimulatedProgram(ABC):
    """A network in a simulator; a subclass says how to advance it and what to count.

    Args:
        simulator: Has ``closed`` and ``close()``.
        ported: The network and its ports.
        dt_s: Network time step [s].
        parts: Everything of the simulator that changes while it runs, by name.
        fingerprint: Tells networks and substrates apart whose states do not fit one another.
    """

    def __init__(
        self,
        simulator: Any,
        ported: PortedNetwork,
        *,
        dt_s: float,
        parts: Mapping[str, Part],
        fingerprint: bytes,
    ) -> None:
        self._simulator = simulator
        self._dt_s = dt_s
        self._ports = Ports(ported)
        self._snapshot = Snapshot({**parts, **_port_parts(ported)}, fingerprint)
        self._compiled_state = self._snapshot.save()

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
        return StepResult(self._ports.read(), self._count())

    def reset(self) -> None:
        """Go back to the compiled state: learned weights, noise and all."""
        self._refuse_if_closed()
        self._snapshot.load(self._compiled_state)

    def state_dict(self) -> dict[str, StateArray]:
        """Everything needed to resume exactly."""
        self._refuse_if_closed()
        return self._snapshot.save()

    def load_state_dict(self, state: Mapping[str, StateArray]) -> None:
        """Resume from a saved state.

        Raises:
            StateError: The state belongs to another network, or is incomplete. Nothing was changed.
        """
        self._refuse_if_closed()
        self._snapshot.load(state)

    def close(self) -> None:
        """Release the simulator; closing twice is not an error."""
        if not self._simulator.closed:
            self._simulator.close()

    @abstractmethod
    def _advance(self) -> None:
        """One step of everything between the ports."""

    @abstractmethod
    def _count(self) -> OpCounts:
        """Operations of the step just made."""

    def _refuse_if_closed(self) -> None:
        if self._simulator.closed:
            raise ClosedError("this program is closed; compile the network again to go on.")


def _port_parts(ported: PortedNetwork) -> dict[str, Part]:
    """The values on the ports, which are state too: a node reads and writes them."""
    parts: dict[str, Part] = {f"in/{name}": ArrayPart(port.value) for name, port in ported.inputs.items()}
    parts.update({f"out/{name}": ArrayPart(port.value) for name, port in ported.outputs.items()})
    return parts
