"""Host and chip in lockstep, without the general simulator around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikearm.hardware.loihi.simulator import Simulator
from spikearm.hardware.nengo_state import step_functions


class Lockstep:
    """Steps the host and the emulator of a simulator as its own ``step`` does, but keeps no probes.

    Args:
        simulator: A simulator on the compiled emulator; it must not be stepped or reset elsewhere.
    """

    def __init__(self, simulator: Simulator) -> None:
        model, runner = simulator.model, simulator._runner  # noqa: SLF001 no public access
        host = simulator.sims.get("host")
        self._dt_s = float(simulator.dt)
        self._emulator = simulator.sims["emulator"]
        self._host_steps = [] if host is None else step_functions(host)
        self._spikes = [
            (runner.queues[sender], model.spike_targets[receiver])
            for sender, receiver in model.host2chip_senders.items()
        ]
        self._errors = [
            (runner.queues[sender], _learning_synapse(model, receiver))
            for sender, receiver in model.host2chip_pes_senders.items()
        ]
        self._receivers = runner.probes_receivers

    def step(self) -> None:
        """The host, what it sends, the chip, what it answers."""
        with np.errstate(invalid="raise", divide="ignore"):
            for step in self._host_steps:
                step()
        self._emulator.host2chip(self._sent_spikes(), self._sent_errors())
        self._emulator.step()
        self._emulator.chip2host(self._receivers)

    def _sent_spikes(self) -> list[tuple[Any, int, Any]]:
        spikes = []
        for queue, target in self._spikes:
            spikes += [(target, round(t / self._dt_s), values.nonzero()[0]) for t, values in queue]
            queue.clear()
        return spikes

    def _sent_errors(self) -> list[tuple[Any, int, Any]]:
        """Errors of this step; those for the same decoders are added up before the chip rounds them."""
        errors: dict[Any, Any] = {}
        for queue, synapse in self._errors:
            for _, values in queue:
                errors[synapse] = errors[synapse] + values if synapse in errors else values
            queue.clear()
        return [(synapse, 0, values) for synapse, values in errors.items()]


def _learning_synapse(model: Any, receiver: Any) -> Any:
    """The decoders that an error is for."""
    connection = model.nengo_probe_conns[receiver.error_target]
    return model.objs[connection]["decoders"]
