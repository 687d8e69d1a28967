"""The Loihi substrate: compiles networks with nengo-loihi and runs them on its emulator."""

from __future__ import annotations

from dataclasses import dataclass, field

from spikearm.errors import TimeStepError
from spikearm.hardware.cost import CostModel
from spikearm.hardware.loihi.capacity import check_built_model, check_network
from spikearm.hardware.loihi.compiler import build_simulator
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.loihi.cost import LOIHI_COST
from spikearm.hardware.loihi.program import LoihiProgram
from spikearm.models.network import NetworkSpec

CHIP_STEP_S = 0.001


@dataclass(frozen=True)
class LoihiBackend:
    """Runs networks in the integer arithmetic of one Loihi chip.

    Attributes:
        config: What is adjustable on the chip.
    """

    config: LoihiConfig = field(default_factory=LoihiConfig)
    name: str = field(default="loihi", init=False)
    cost_model: CostModel = LOIHI_COST

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> LoihiProgram:
        """Split the network between host and chip, discretise it and load the emulator.

        Raises:
            CapacityError: The network does not fit on the chip.
            ConfigError: The chip cannot do what the network asks for.
            TimeStepError: The time step is not 1 ms.
        """
        if dt_s != CHIP_STEP_S:
            raise TimeStepError(
                f"Loihi's neurons are built for steps of {CHIP_STEP_S:g} s, not {dt_s!r} s; "
                f"set the network step to {CHIP_STEP_S:g} s."
            )
        ported = spec.build(seed=seed)
        check_network(ported.network)
        simulator = build_simulator(ported.network, self.config)
        try:
            check_built_model(simulator.model)
            return LoihiProgram(simulator, ported)
        except Exception:
            simulator.close()
            raise
