"""A network running on nengo-loihi's emulator, stepped together with its host."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import numpy as np

from spikearm.errors import ClosedError
from spikearm.hardware.backend import StepResult
from spikearm.hardware.loihi.capacity import utilisation_of
from spikearm.hardware.loihi.counts import LoihiCounter
from spikearm.hardware.loihi.host import Lockstep
from spikearm.hardware.loihi.simulator import Simulator
from spikearm.hardware.loihi.state import loihi_parts
from spikearm.hardware.nengo_state import Snapshot, StateArray, simulator_fingerprint
from spikearm.hardware.ports import Ports
from spikearm.hardware.reference import port_parts
from spikearm.hardware.utilisation import Utilisation
from spikearm.models.network import PortedNetwork
from spikearm.records import FloatArray

logger = logging.getLogger(__name__)


class LoihiProgram:
    """A compiled network; one step is one time step of the chip and of its host.

    As on the hardware, the host computes first, its spikes reach the chip one step later, and what the
    chip answers reaches the output ports another step later.

    Args:
        simulator: A fresh simulator of the network, built by :func:`build_simulator`.
        ported: The network and its ports.
    """

    def __init__(self, simulator: Simulator, ported: PortedNetwork) -> None:
        self._simulator = simulator
        self._dt_s = float(simulator.dt)
        self._ports = Ports(ported)
        self._utilisation = utilisation_of(simulator.model)
        self._counter = LoihiCounter(simulator)
        self._lockstep = Lockstep(simulator)
        self._told: set[str] = set()
        simulator.sims["emulator"].tell = self._tell
        simulator.sims["emulator"].prepare()
        self._counter.count()  # compiles, too
        parts = {**loihi_parts(simulator), **port_parts(ported)}
        self._snapshot = Snapshot(parts, _fingerprint(simulator))
        self._compiled_state = self._snapshot.save()

    @property
    def utilisation(self) -> Utilisation:
        """Use of each core of the chip."""
        return self._utilisation

    @property
    def dt_s(self) -> float:
        """Network time step [s]."""
        return self._dt_s

    def step(self, inputs: Mapping[str, FloatArray]) -> StepResult:
        """Advance chip and host by one step.

        Raises:
            PortError: An input is missing, unknown, of the wrong shape, or not finite.
            ClosedError: The program is closed.
        """
        self._refuse_if_closed()
        self._ports.write(inputs)
        self._lockstep.step()
        return StepResult(self._ports.read(), self._counter.count())

    def reset(self) -> None:
        """Go back to the compiled state, learned weights included."""
        self._refuse_if_closed()
        self._snapshot.load(self._compiled_state)

    def state_dict(self) -> dict[str, StateArray]:
        """Everything needed to resume exactly."""
        self._refuse_if_closed()
        return self._snapshot.save()

    def load_state_dict(self, state: Mapping[str, StateArray]) -> None:
        """Resume from a saved state.

        Raises:
            StateError: The state belongs to another network, or is incomplete.
        """
        self._refuse_if_closed()
        self._snapshot.load(state)

    def close(self) -> None:
        """Release the emulator."""
        if not self._simulator.closed:
            self._simulator.close()

    def _refuse_if_closed(self) -> None:
        if self._simulator.closed:
            raise ClosedError("this program is closed; compile the network again to go on.")

    def _tell(self, message: str) -> None:
        """What the chip cut or let overflow: worth knowing once, not a thousand times a second."""
        if message not in self._told:
            self._told.add(message)
            logger.warning("Loihi emulator: %s", message)


def _fingerprint(simulator: Simulator) -> bytes:
    """A digest of the chip's structure, parameters and weights and of the host's network."""
    digest = hashlib.sha256()
    if "host" in simulator.sims:
        digest.update(simulator_fingerprint(simulator.sims["host"]))
    for block in simulator.model.blocks:
        compartment = block.compartment
        for array in (compartment.bias, compartment.vth, compartment.decay_u, compartment.decay_v):
            digest.update(np.ascontiguousarray(array).tobytes())
        for synapse in block.synapses:
            digest.update(f"{synapse.learning}{synapse.synapse_cfg.weight_exp}{synapse.tracing_mag}".encode())
            for row in synapse.weights:
                digest.update(np.ascontiguousarray(row).tobytes())
    return digest.digest()
