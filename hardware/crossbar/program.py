"""A network compiled for crossbars, as the control loop uses it."""

from __future__ import annotations

import numpy as np

from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.simulator import CrossbarSimulator
from spikearm.hardware.nengo_state import (
    ArrayPart,
    Part,
    RandomPart,
    simulator_fingerprint,
    simulator_parts,
    step_functions,
)
from spikearm.hardware.simulated import SimulatedProgram
from spikearm.hardware.wear import Wear
from spikearm.models.network import PortedNetwork
from spikearm.records import OpCounts


class CrossbarProgram(SimulatedProgram):
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
        self._steps = step_functions(self.simulator)
        parts, fingerprint = self._parts(), self._fingerprint()
        super().__init__(self.simulator, ported, dt_s=dt_s, parts=parts, fingerprint=fingerprint)

    def advance_time(self, seconds: float) -> None:
        """Let time pass between two steps: devices drift and fluctuate, the network rests.

        Args:
            seconds: How long [s], e.g. 86,400 for a day.

        Raises:
            ConfigError: The time is not positive and finite, or longer than the devices are described for.
            ClosedError: The program is closed.
        """
        self._refuse_if_closed()
        self.simulator.advance_time(seconds)

    @property
    def programming_counts(self) -> OpCounts:
        """What it took to program all devices before the first step; no step's counts contain it."""
        return self.simulator.programming_counts

    @property
    def wear(self) -> tuple[Wear, ...]:
        """Pulses taken by the devices of each learned matrix, and how long they will last."""
        return self.simulator.wear

    def _advance(self) -> None:
        # What nengo.Simulator.step does, without its probes and its book-keeping.
        with np.errstate(invalid="raise", divide="ignore"):
            for step in self._steps:
                step()

    def _count(self) -> OpCounts:
        return self.simulator.counts

    def _parts(self) -> dict[str, Part]:
        parts = simulator_parts(self.simulator)
        substrate = self.simulator.changing_arrays().items()
        parts.update({f"crossbar/{name}": ArrayPart(array) for name, array in substrate})
        generators = self.simulator.random_sources().items()
        parts.update({f"crossbar/{name}": RandomPart(rng) for name, rng in generators})
        return parts

    def _fingerprint(self) -> bytes:
        """Network and time step, seed of the devices, and the configuration: what the arrays mean."""
        substrate = f"{self.simulator.seed} {self.simulator.config!r}"
        return simulator_fingerprint(self.simulator) + substrate.encode()
