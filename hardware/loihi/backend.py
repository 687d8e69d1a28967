"""The Loihi substrate: compiles networks with nengo-loihi, runs them on an emulator or on a board."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from spikearm.errors import TimeStepError
from spikearm.hardware.cost import CostModel
from spikearm.hardware.loihi.board import BoardProgram
from spikearm.hardware.loihi.capacity import check_built_model
from spikearm.hardware.loihi.compiler import build_simulator
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.loihi.cost import LOIHI_COST
from spikearm.hardware.loihi.nxsdk import Telemetry, nxsdk_energy
from spikearm.hardware.loihi.program import LoihiProgram
from spikearm.models.network import NetworkSpec

CHIP_STEP_S = 0.001


@dataclass(frozen=True)
class LoihiBackend:
    """Runs networks in the integer arithmetic of one Loihi chip.

    Attributes:
        config: What is adjustable on the chip.
        has_dead_time: A spike resets the voltage to 0, whatever was above the threshold (Davies et al. 2018;
            ``nengo_loihi.emulator``).
        telemetry: Opens a board's meter of energy; of no use on the emulator.
    """

    config: LoihiConfig = field(default_factory=LoihiConfig)
    name: str = field(default="loihi", init=False)
    has_dead_time: bool = field(default=True, init=False)
    telemetry: Telemetry = nxsdk_energy

    @property
    def cost_model(self) -> CostModel:
        """What the operations of the chip cost, and the exchange with its host."""
        return dataclasses.replace(LOIHI_COST, host_io_s=self.config.host_io_s)

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> LoihiProgram | BoardProgram:
        """Split the network between host and chip, discretise it and load the emulator or the board.

        Raises:
            CapacityError: The network does not fit on the chip.
            ConfigError: The chip cannot do what the network asks for, or there is no way to reach a board.
            TimeStepError: The time step is not 1 ms.
        """
        if dt_s != CHIP_STEP_S:
            raise TimeStepError(
                f"Loihi's neurons are built for steps of {CHIP_STEP_S:g} s, not {dt_s!r} s; "
                f"set the network step to {CHIP_STEP_S:g} s."
            )
        ported = spec.build(seed=seed)
        simulator = build_simulator(ported.network, self.config)
        try:
            check_built_model(simulator.model)
            if self.config.target == "loihi":
                return BoardProgram(simulator, ported, telemetry=self.telemetry)
            return LoihiProgram(simulator, ported)
        except Exception:
            simulator.close()
            raise
