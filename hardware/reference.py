"""The reference substrate: Nengo's own simulator, in floating point, on this computer."""

from __future__ import annotations

from dataclasses import dataclass, field

import nengo
import numpy as np

from spikearm.hardware.cost import CostModel
from spikearm.hardware.fused import fused_steps
from spikearm.hardware.host_cost import HOST_COST
from spikearm.hardware.host_counter import HostCounter
from spikearm.hardware.nengo_state import simulator_fingerprint, simulator_parts
from spikearm.hardware.simulated import SimulatedProgram
from spikearm.hardware.spikes import Population, nengo_populations
from spikearm.models.network import NetworkSpec, PortedNetwork
from spikearm.records import OpCounts
from spikearm.timesteps import n_steps


@dataclass(frozen=True)
class ReferenceBackend:
    """Runs networks as Nengo defines them; what the other substrates are compared with."""

    name: str = field(default="reference", init=False)
    has_dead_time: bool = field(default=False, init=False)
    cost_model: CostModel = HOST_COST

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> ReferenceProgram:
        """Build the network.

        Raises:
            TimeStepError: The time step is not a positive number.
            ConfigError: Nengo is set to single precision.
        """
        n_steps(dt_s, dt_s, outer="network step", inner="network step")
        return ReferenceProgram(spec.build(seed=seed), dt_s=dt_s)


class ReferenceProgram(SimulatedProgram):
    """A network running in ``nengo.Simulator``; memory does not grow, because no probe is kept.

    Args:
        ported: The network and its ports.
        dt_s: Network time step [s].
    """

    def __init__(self, ported: PortedNetwork, *, dt_s: float) -> None:
        # The optimiser would save a few microseconds per step, but merges signals in an order that changes
        # from process to process, so that no state could be loaded in another one.
        simulator = nengo.Simulator(ported.network, dt=dt_s, progress_bar=False, optimize=False)
        self._steps = fused_steps(simulator)
        self._counter = HostCounter(simulator)
        parts, fingerprint = simulator_parts(simulator), simulator_fingerprint(simulator)
        super().__init__(simulator, ported, dt_s=dt_s, parts=parts, fingerprint=fingerprint)

    @property
    def populations(self) -> tuple[Population, ...]:
        """The spiking ensembles, with what they did in the last step."""
        return nengo_populations(self._simulator)

    def _advance(self) -> None:
        # What nengo.Simulator.step does, without its probes and its book-keeping (several microseconds).
        with np.errstate(invalid="raise", divide="ignore"):
            for step in self._steps:
                step()

    def _count(self) -> OpCounts:
        return self._counter.count()
