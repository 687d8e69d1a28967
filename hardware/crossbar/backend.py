"""The crossbar as a substrate that networks can be compiled for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spikearm.hardware.cost import CostModel, TableCost
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.cost import cost_of
from spikearm.hardware.crossbar.program import CrossbarProgram
from spikearm.models.network import NetworkSpec
from spikearm.timesteps import n_steps


@dataclass(frozen=True)
class CrossbarBackend:
    """Runs networks on simulated memristive devices.

    Attributes:
        has_dead_time: Its neurons are Nengo's own, beside the tiles.
        config: Devices, tiles, converters, learning circuits.
        cost_model: Energy and latency of the counted operations; by default that of the devices'
            technology and the learning scheme, with the configuration's own figures. Connections that
            override devices or scheme are charged like all others, and the model's name then says so.
    """

    name: str = field(default="crossbar", init=False)
    has_dead_time: bool = field(default=False, init=False)
    config: CrossbarConfig = field(default_factory=CrossbarConfig)
    cost_model: CostModel = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.cost_model is None:
            object.__setattr__(self, "cost_model", _cost_of(self.config))

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> CrossbarProgram:
        """Build the network and program its devices.

        Raises:
            TimeStepError: The time step is not a positive number.
        """
        n_steps(dt_s, dt_s, outer="network step", inner="network step")
        return CrossbarProgram(spec.build(seed=seed), dt_s=dt_s, seed=seed, config=self.config)


def _cost_of(config: CrossbarConfig) -> TableCost:
    """Figures of the substrate's own devices; named, where there are connections of which they are not."""
    cost = cost_of(config.device, config.learning, config.figures)
    others = [
        label
        for label in config.overrides
        if cost_of(config.for_label(label).device, config.for_label(label).learning, config.figures) != cost
    ]
    if not others:
        return cost
    return replace(cost, name=f"{cost.name}; {', '.join(sorted(others))} charged like the rest")
