"""The crossbar as a substrate that networks can be compiled for."""

from __future__ import annotations

from dataclasses import dataclass, field

from spikearm.hardware.cost import CostModel
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.cost import cost_of
from spikearm.hardware.crossbar.program import CrossbarProgram
from spikearm.models.network import NetworkSpec
from spikearm.timesteps import n_steps


@dataclass(frozen=True)
class CrossbarBackend:
    """Runs networks on simulated memristive devices.

    Attributes:
        config: Devices, tiles, converters, learning circuits.
        cost_model: Energy and latency of the counted operations; by default that of the devices'
            technology and the learning scheme, with the configuration's own figures. Connections that
            override devices or scheme are charged like all others.
    """

    name: str = field(default="crossbar", init=False)
    config: CrossbarConfig = field(default_factory=CrossbarConfig)
    cost_model: CostModel = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.cost_model is None:
            config = self.config
            object.__setattr__(self, "cost_model", cost_of(config.device, config.learning, config.figures))

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> CrossbarProgram:
        """Build the network and program its devices.

        Raises:
            TimeStepError: The time step is not a positive number.
        """
        n_steps(dt_s, dt_s, outer="network step", inner="network step")
        return CrossbarProgram(spec.build(seed=seed), dt_s=dt_s, seed=seed, config=self.config)
