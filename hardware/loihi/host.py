"""Host and chip in lockstep, without the general simulator around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from spikearm.hardware.fused import fused_steps
from spikearm.hardware.loihi.decoders import error_targets, summing_receivers
from spikearm.hardware.loihi.simulator import Simulator


class Chip(Protocol):
    """What steps in time with the host: the emulator, or a board."""

    def host2chip(self, spikes: list[tuple[Any, int, Any]], errors: list[tuple[Any, int, Any]]) -> None:
        """Take spikes of the inputs, as (input, step, neurons), and errors, as (synapses, step, values)."""
        ...

    def step(self) -> None:
        """Advance by one step."""
        ...

    def chip2host(self, receivers: Mapping[Any, Any]) -> None:
        """Hand each probe's values to what receives them."""
        ...


class Lockstep:
    """Steps the host of a simulator and the chip as the simulator's own ``step`` does, but keeps no probes.

    Args:
        simulator: Must not be stepped or reset elsewhere.
        chip: Its emulator or board.
    """

    def __init__(self, simulator: Simulator, chip: Chip) -> None:
        model, runner = simulator.model, simulator._runner  # noqa: SLF001 no public access
        host = simulator.sims.get("host")
        self._dt_s = float(simulator.dt)
        self._chip = chip
        self._host_steps = [] if host is None else fused_steps(host)
        self._spikes = [
            (runner.queues[sender], model.spike_targets[receiver])
            for sender, receiver in model.host2chip_senders.items()
        ]
        self._errors = [
            (runner.queues[sender], error_targets(model, model.nengo_probe_conns[receiver.error_target]))
            for sender, receiver in model.host2chip_pes_senders.items()
        ]
        self._receivers = summing_receivers(model, runner.probes_receivers)

    def step(self) -> None:
        """The host, what it sends, the chip, what it answers."""
        with np.errstate(invalid="raise", divide="ignore"):
            for step in self._host_steps:
                step()
        self._chip.host2chip(self._sent_spikes(), self._sent_errors())
        self._chip.step()
        self._chip.chip2host(self._receivers)

    def _sent_spikes(self) -> list[tuple[Any, int, Any]]:
        spikes = []
        for queue, target in self._spikes:
            spikes += [(target, round(t / self._dt_s), values.nonzero()[0]) for t, values in queue]
            queue.clear()
        return spikes

    def _sent_errors(self) -> list[tuple[Any, int, Any]]:
        """Errors of this step; those for the same decoders are added up before the chip rounds them."""
        errors: dict[Any, Any] = {}
        for queue, synapses in self._errors:
            for _, values in queue:
                for synapse in synapses:
                    errors[synapse] = errors[synapse] + values if synapse in errors else values
            queue.clear()
        return [(synapse, 0, values) for synapse, values in errors.items()]
