"""What the programs of all simulated substrates share: state as a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikearm.hardware.nengo_state import ArrayPart, Part, Snapshot, StateArray
from spikearm.hardware.stepped import SteppedProgram
from spikearm.models.network import PortedNetwork


class SimulatedProgram(SteppedProgram):
    """A network in a simulator, whose state can be written down and taken up again.

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
        super().__init__(simulator, ported, dt_s=dt_s)
        self._snapshot = Snapshot({**parts, **_port_parts(ported)}, fingerprint)
        self._compiled_state = self._snapshot.save()

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


def _port_parts(ported: PortedNetwork) -> dict[str, Part]:
    """The values on the ports, which are state too: a node reads and writes them."""
    parts: dict[str, Part] = {f"in/{name}": ArrayPart(port.value) for name, port in ported.inputs.items()}
    parts.update({f"out/{name}": ArrayPart(port.value) for name, port in ported.outputs.items()})
    return parts
