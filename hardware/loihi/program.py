"""A network running on nengo-loihi's emulator, stepped together with its host."""

from __future__ import annotations

import hashlib
import logging

import numpy as np

from spikearm.hardware.loihi.capacity import utilisation_of
from spikearm.hardware.loihi.counts import LoihiCounter
from spikearm.hardware.loihi.host import Lockstep
from spikearm.hardware.loihi.notices import LogOnce
from spikearm.hardware.loihi.simulator import Simulator
from spikearm.hardware.loihi.state import loihi_parts
from spikearm.hardware.nengo_state import simulator_fingerprint
from spikearm.hardware.simulated import SimulatedProgram
from spikearm.hardware.utilisation import Utilisation
from spikearm.models.network import PortedNetwork
from spikearm.records import OpCounts

logger = logging.getLogger(__name__)


class LoihiProgram(SimulatedProgram):
    """A compiled network; one step is one time step of the chip and of its host.

    As on the hardware, the host computes first, its spikes reach the chip one step later, and what the
    chip answers reaches the output ports another step later.

    Args:
        simulator: A fresh simulator of the network, built by :func:`build_simulator`.
        ported: The network and its ports.
    """

    def __init__(self, simulator: Simulator, ported: PortedNetwork) -> None:
        self._utilisation = utilisation_of(simulator.model)
        emulator = simulator.sims["emulator"]
        self._counter = LoihiCounter(simulator.model, emulator)
        self._lockstep = Lockstep(simulator, emulator)
        emulator.tell = LogOnce(logger, "Loihi emulator")
        emulator.prepare()
        self._counter.count()  # compiles, too
        parts, fingerprint = loihi_parts(simulator), _fingerprint(simulator)
        super().__init__(simulator, ported, dt_s=float(simulator.dt), parts=parts, fingerprint=fingerprint)

    @property
    def utilisation(self) -> Utilisation:
        """Use of each core of the chip."""
        return self._utilisation

    def _advance(self) -> None:
        self._lockstep.step()

    def _count(self) -> OpCounts:
        return self._counter.count()


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
