"""A network on a Loihi board, stepped together with its host through nengo-loihi's interface to NxSDK."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from spikearm.errors import CapacityError, StateError
from spikearm.hardware.loihi.capacity import utilisation_of
from spikearm.hardware.loihi.counts import LoihiCounter
from spikearm.hardware.loihi.emulator.interface import CompiledEmulator
from spikearm.hardware.loihi.host import Lockstep
from spikearm.hardware.loihi.notices import LogOnce
from spikearm.hardware.loihi.nxsdk import BoardMeter, Telemetry, nxsdk_energy
from spikearm.hardware.loihi.placement import connected
from spikearm.hardware.loihi.simulator import Simulator
from spikearm.hardware.meter import EnergyMeter
from spikearm.hardware.nengo_state import StateArray
from spikearm.hardware.stepped import SteppedProgram
from spikearm.hardware.utilisation import Utilisation
from spikearm.models.network import PortedNetwork
from spikearm.records import OpCounts

logger = logging.getLogger(__name__)

MAX_HOST_SPIKES = 1024
"""Spikes that the host may send in one step, counted once for each core they go to. nengo-loihi drops those
beyond, and takes no more than 50 unless told otherwise."""
BOARD_OPTIONS = {"n_chips": 1, "snip_max_spikes_per_step": MAX_HOST_SPIKES}
"""One chip, as the ledger assumes."""
STEPS_PER_RUN = 100_000
"""A board is started for a number of steps and paces them with the host's messages; starting it again takes
longer than a tick, so that it happens every 100 s."""


class BoardProgram(SteppedProgram):
    """A compiled network on a board; the same steps and records as on the emulator.

    What the board does not report is found here: its spikes go through the same axons as on the chip, to
    count synaptic operations and messages. Learned weights and registers are not known: cut weights and
    overflows stay 0, and decoders that learn count as inactive neurons. A reset loads the board again, which
    takes seconds; the state cannot be saved.

    Args:
        simulator: A fresh simulator with ``target="loihi"``, built by :func:`build_simulator`.
        ported: The network and its ports.
        telemetry: Opens the board's meter of energy.

    Raises:
        CapacityError: The host might send more spikes in one step than the board is told to expect.
    """

    def __init__(
        self, simulator: Simulator, ported: PortedNetwork, *, telemetry: Telemetry = nxsdk_energy
    ) -> None:
        super().__init__(simulator, ported, dt_s=float(simulator.dt))
        _check_host_spikes(simulator.model)
        self._utilisation = utilisation_of(simulator.model)
        self._telemetry = telemetry
        self._meter: BoardMeter | None = None
        self._open()

    @property
    def utilisation(self) -> Utilisation:
        """Use of each core of the chip."""
        return self._utilisation

    @property
    def meter(self) -> EnergyMeter | None:
        """The board's own meter."""
        return self._meter

    def reset(self) -> None:
        """Load the board anew, with nothing learned."""
        self._refuse_if_closed()
        if self._chip.n_steps:
            self._simulator.reset()
            self._ports.clear()
            self._open()

    def state_dict(self) -> dict[str, StateArray]:
        """Not on a board."""
        self._refuse_state()

    def load_state_dict(self, state: Mapping[str, StateArray]) -> None:
        """Not on a board."""
        self._refuse_state()

    def _refuse_state(self) -> NoReturn:
        """Raise.

        Raises:
            StateError: Always.
        """
        raise StateError(
            "the state of a Loihi board cannot be read or written: nengo-loihi gives no access to weights "
            "on a board; use target='sim' to save and resume."
        )

    def _open(self) -> None:
        interface = self._simulator.sims["loihi"]
        total_j = self._telemetry(interface.nxsdk_board, STEPS_PER_RUN)
        if self._meter is not None and total_j is not None:
            self._meter.follow(total_j)
        else:
            self._meter = None if total_j is None else BoardMeter(total_j)
        shadow = CompiledEmulator(self._simulator.model)
        self._counter = LoihiCounter(self._simulator.model, shadow)
        shadow.prepare_to_follow()
        self._counter.count()  # compiles, too
        self._chip = _Chip(interface, shadow)
        self._lockstep = Lockstep(self._simulator, self._chip)

    def _advance(self) -> None:
        self._lockstep.step()

    def _count(self) -> OpCounts:
        return self._counter.count()


def _check_host_spikes(model: Any) -> None:
    """Refuse what nengo-loihi would drop with a warning. Of two host neurons, one is silent: on and off."""
    axons = sum(connected(axon, source.n_neurons).sum() for source in model.inputs for axon in source.axons)
    if axons // 2 > MAX_HOST_SPIKES:
        raise CapacityError(
            f"the host may send {axons // 2} spikes in a step, a board takes {MAX_HOST_SPIKES}; "
            "use fewer ensembles (n_ensembles), or give them fewer inputs."
        )


class _Chip:
    """The board as the host sees it in each step, and its shadow, in which spikes are counted."""

    def __init__(self, interface: Any, shadow: CompiledEmulator) -> None:
        self.n_steps = 0
        self._interface = interface
        self._shadow = shadow
        self._tell = LogOnce(logger, "Loihi board")
        model = interface.model
        self._spikes = [
            (probe, shadow.block_info.slices[probe.target[0]])
            for probe in model.probes
            if probe.key == "spiked"
        ]
        self._spiked = np.zeros_like(shadow.compartment.spiked)
        interface.connect()

    def host2chip(self, spikes: list[tuple[Any, int, Any]], errors: list[tuple[Any, int, Any]]) -> None:
        """Send what the host has for this step."""
        if self.n_steps % STEPS_PER_RUN == 0:
            self._interface.run_steps(STEPS_PER_RUN, blocking=False)
        for spike_input, t, neurons in spikes:
            spike_input.add_spikes(t, neurons)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            self._interface.host2chip(spikes, errors)
        for warning in found:
            self._tell(str(warning.message))

    def step(self) -> None:
        """The board steps by itself, as soon as it has been sent its inputs."""
        self.n_steps += 1

    def chip2host(self, receivers: Mapping[Any, Any]) -> None:
        """Take what the board answers: values for the host, and the spikes for the shadow."""
        self._interface.chip2host(receivers)
        for probe, where in self._spikes:
            self._spiked[where] = self._interface.collect_probe_output(probe)[-1]
        self._shadow.follow(self._spiked)
        if self.n_steps % STEPS_PER_RUN == 0:
            self._interface.wait_for_completion()
