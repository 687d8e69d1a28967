"""A network compiled for crossbars, as the control loop uses it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikearm.errors import ClosedError
from spikearm.hardware.backend import StepResult
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.simulator import CrossbarSimulator
from spikearm.hardware.nengo_state import (
    ArrayPart,
    Part,
    RandomPart,
    Snapshot,
    StateArray,
    simulator_fingerprint,
    simulator_parts,
    step_functions,
)
from spikearm.hardware.ports import Ports
from spikearm.hardware.reference import port_parts
from spikearm.models.network import PortedNetwork
from spikearm.records import FloatArray


class CrossbarProgram:
    """A network running on crossbars; memory does not grow, because no probe is kept.

    Args:
        ported: The network and its ports.
        dt_s: Network time step [s].
        seed: Seed of the devices; the network has drawn its own numbers already.
        config: Devices, tiles, converters.
    """

    def __init__(self, ported: PortedNetwork, *, dt_s: float, seed: int, config: CrossbarConfig) -> None:
        # Nengo's optimiser merges signals in an order that changes from process to process, so that no
        # state could be loaded in another one.
        self.simulator = CrossbarSimulator(
            ported.network, dt=dt_s, seed=seed, config=config, progress_bar=False, optimize=False
        )
        self._dt_s = dt_s
        self._steps = step_functions(self.simulator)
        self._ports = Ports(ported)
        self._snapshot = Snapshot(self._parts(ported), self._fingerprint())
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
        # What nengo.Simulator.step does, without its probes and its book-keeping.
        with np.errstate(invalid="raise", divide="ignore"):
            for step in self._steps:
                step()
        return StepResult(self._ports.read(), self.simulator.counts)

    def reset(self) -> None:
        """Go back to the compiled state: devices, learned weights, noise and all."""
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
        """Release the simulator."""
        self.simulator.close()

    def _parts(self, ported: PortedNetwork) -> dict[str, Part]:
        parts = {**simulator_parts(self.simulator), **port_parts(ported)}
        substrate = self.simulator.changing_arrays().items()
        parts.update({f"crossbar/{name}": ArrayPart(array) for name, array in substrate})
        generators = self.simulator.random_sources().items()
        parts.update({f"crossbar/{name}": RandomPart(rng) for name, rng in generators})
        return parts

    def _fingerprint(self) -> bytes:
        """Network and time step, seed of the devices, and the configuration: what the arrays mean."""
        substrate = f"{self.simulator.seed} {self.simulator.config!r}"
        return simulator_fingerprint(self.simulator) + substrate.encode()

    def _refuse_if_closed(self) -> None:
        if self.simulator.closed:
            raise ClosedError("this program is closed; compile the network again to go on.")
