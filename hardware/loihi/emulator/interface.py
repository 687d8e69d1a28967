"""The compiled emulator, in the place of nengo-loihi's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from nengo.exceptions import SimulationError
from nengo_loihi.builder.discretize import scale_pes_errors
from nengo_loihi.emulator import EmulatorInterface
from numpy.typing import NDArray

from spikearm.hardware.loihi.emulator import kernel
from spikearm.hardware.loihi.emulator.compartments import compartments_of
from spikearm.hardware.loihi.emulator.flatten import flatten_learning, flatten_wiring
from spikearm.hardware.loihi.emulator.learning import MAX_TRACE, scale_errors
from spikearm.hardware.loihi.emulator.probes import RecordedProbes
from spikearm.hardware.loihi.emulator.stream import shared_state
from spikearm.hardware.loihi.emulator.views import SpikesIn, TraceSpikes
from spikearm.hardware.loihi.emulator.wiring import Wiring

_NOBODY = np.zeros(0, dtype=np.int64)

_MESSAGES = {
    kernel.LOST_SPIKES: "Synaptic trace spikes lost",
    kernel.CUT_TRACES: "Clipping synapse trace",
    kernel.CUT_WEIGHTS: "Clipping learning weights",
    kernel.OVER_Q: "Overflow in q0",
    kernel.OVER_U: "Overflow in current",
    kernel.OVER_U2: "Overflow in u2",
}


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=6)


class CompiledEmulator(EmulatorInterface):
    """nengo-loihi's emulator in compiled code: the same results bit for bit, some hundred times faster.

    Everything a stock emulator shows is there, live and under the same names: ``compartment``, ``synapses``,
    ``probes``, ``rng``, ``t``. Warnings come at most once per step and kind, after the steps of one call.

    Attributes:
        events: What happened in each step of the last stretch of steps, shape (n_steps, 6): trace spikes
            lost, groups with traces cut, weights cut, and overflows of input, current and current with bias.
        tell: Called with every message; by default it warns.

    Args:
        model: A built ``nengo_loihi.builder.Model``.
        seed: Seed of noise and stochastic rounding.
    """

    def __init__(self, model: Any, seed: int | None = None) -> None:
        # The stock emulator fills arrays of whole numbers with NaN before it writes the real values.
        with np.errstate(invalid="ignore"):
            super().__init__(model, seed=seed)
        self._strict = bool(self.strict)
        self._run = kernel.run_discrete if self.block_info.dtype == np.int32 else kernel.run_real
        self._compartments = compartments_of(self.compartment)
        self._wiring = flatten_wiring(self)
        self._learning = flatten_learning(self, self._wiring)
        self._spikes = kernel.HostSpikes(np.zeros((1, len(self.inputs) + 1), np.int64), _NOBODY)
        self._packed: Any = None
        self._packed_records: kernel.Records | None = None
        self._packed_rng: np.random.RandomState | None = None
        self.probes = RecordedProbes(self.block_info, list(model.probes), model.dt)
        self.synapses.spikes_in = SpikesIn(self)
        self.synapses.trace_spikes = TraceSpikes(self)
        self.events = np.zeros((1, kernel.N_EVENTS), dtype=np.int64)
        self.tell: Callable[[str], None] = _warn

    @property
    def wiring(self) -> Wiring:
        """All ways of spikes, with the synaptic operations and arrivals of the last step."""
        return self._wiring

    @property
    def host_spikes(self) -> kernel.HostSpikes:
        """Spikes from the host in the last stretch of steps."""
        return self._spikes

    def pending(self, synapse: Any) -> NDArray[np.bool_]:
        """Whether each axon of a learning group has spiked since its trace was updated; live."""
        start = self._learning.trace_start[list(self.synapses.traces).index(synapse)]
        return self._learning.pending[start : start + synapse.n_axons]

    def prepare(self) -> None:
        """Compile the kernels now, or load them from the cache, instead of in the first step."""
        no_events = np.zeros((0, kernel.N_EVENTS), dtype=np.int64)
        self._run(self._chip(1), self._spikes.start, self._spikes.neurons, no_events, self.t, self._strict)
        scale_errors(np.zeros(0), 1.0, self._learning.error)

    def close(self) -> None:
        """Release the chip; what probes have recorded can still be collected."""
        super().close()
        for name in ("_compartments", "_wiring", "_learning", "_spikes", "_packed"):
            setattr(self, name, None)

    def step(self) -> None:
        """Advance by one step."""
        self._advance(1)

    def follow(self, spiked: NDArray[np.bool_]) -> None:
        """Take over one step that a board has made: spikes are carried to the synapses, nothing is computed.

        Args:
            spiked: Which compartments spiked in this step, shape (n_compartments,).
        """
        self._carry(self._take_spikes(1))
        self.compartment.spiked[:] = spiked
        self.t += 1

    def prepare_to_follow(self) -> None:
        """Compile what :meth:`follow` needs now, or load it from the cache, instead of in the first step."""
        self._carry(self._spikes)

    def _carry(self, sent: kernel.HostSpikes) -> None:
        kernel.carry(
            self._wiring, self.compartment.spiked, sent, self.compartment.input[0], self._learning.pending
        )

    def run_steps(self, steps: int) -> None:
        """Advance by some steps, many of them at once.

        Raises:
            SimulationError: In strict mode: something happened that the chip should not do.
            IndexError: A spike came from a neuron, or would have gone to a compartment, that does not exist.
        """
        while steps > 0:
            n = min(steps, self.probes.max_steps)
            self._advance(n)
            steps -= n

    def host2chip(
        self, spikes: Iterable[tuple[Any, int, Any]], errors: Iterable[tuple[Any, int, Any]]
    ) -> None:
        """Spikes of the inputs, as (input, step, neurons), and errors, as (synapses, step, values)."""
        for spike_input, t, neurons in spikes:
            spike_input.add_spikes(t, neurons)
        self._learning.error[:] = 0
        for synapse, _, values in errors:
            self._add_error(self.synapses.pes_errors[synapse], values)

    def _add_error(self, error: NDArray[Any], values: NDArray[Any]) -> None:
        if values.shape != error.shape:
            raise ValueError(
                f"the error has shape {values.shape}, the learned connection wants {error.shape}."
            )
        scale = self.synapses.pes_error_scale
        cut = scale_errors(values, scale, error) if values.dtype == np.float64 else -1
        if cut < 0:
            error += scale_pes_errors(values, scale=scale)
            return
        for bit, side, sign in ((1, "greater than chip max", 1), (2, "less than chip min", -1)):
            if cut & bit:
                self.tell(
                    f"Received PES error {side} ({sign * MAX_TRACE / scale:0.2e}). "
                    "Consider changing `Model.pes_error_scale`."
                )

    def _advance(self, n_steps: int) -> None:
        if len(self.events) != n_steps:
            self.events = np.zeros((n_steps, kernel.N_EVENTS), dtype=np.int64)
        self._spikes = self._take_spikes(n_steps)
        done, eventful = self._run(
            self._chip(n_steps),
            self._spikes.start,
            self._spikes.neurons,
            self.events,
            self.t,
            self._strict,
        )
        if done < 0:
            raise IndexError(
                "a spike came from a neuron, or would have gone to a compartment, that is not there."
            )
        self._put_back(done)
        self.events = self.events[:done]
        failed = eventful and self._strict and bool(self.events[-1, kernel.STRICT_EVENTS].any())
        self.t += done
        self.probes.keep(done - failed, self.compartment)
        if eventful:
            self._report()

    def _report(self) -> None:
        for step in self.events:
            for kind in np.flatnonzero(step).tolist():
                if self._strict and kind in kernel.STRICT_EVENTS:
                    raise SimulationError(_MESSAGES[kind])
                self.tell(_MESSAGES[kind])

    def _chip(self, n_steps: int) -> Any:
        """The chip with room for records of so many steps, drawing from the present generator."""
        records = self.probes.records(n_steps)
        if self._packed is None or records is not self._packed_records or self.rng is not self._packed_rng:
            parts = (self._compartments, self._wiring, self._learning, shared_state(self.rng), records)
            self._packed = kernel.pack(*parts)
            self._packed_records, self._packed_rng = records, self.rng
        return self._packed

    def _take_spikes(self, n_steps: int) -> kernel.HostSpikes:
        """Spikes of the inputs that arrive in the next steps; the inputs forget all but permanent ones."""
        start = np.zeros((n_steps, len(self.inputs) + 1), dtype=np.int64)
        parts: list[Any] = [_NOBODY]
        total = 0
        for step in range(n_steps):
            start[step, 0] = total
            sent = self.t + step  # they take one step to arrive
            for i, spike_input in enumerate(self.inputs):
                neurons = spike_input.spike_idxs(sent) if sent > 0 else ()
                if len(neurons):
                    parts.append(neurons)
                    total += len(neurons)
                start[step, i + 1] = total
        return kernel.HostSpikes(start, np.concatenate(parts, dtype=np.int64))

    def _put_back(self, done: int) -> None:
        """Spikes taken for steps that were not made."""
        for step in range(done, len(self.events)):
            for i, spike_input in enumerate(self.inputs):
                neurons = self._spikes.neurons[self._spikes.start[step, i] : self._spikes.start[step, i + 1]]
                if neurons.size and self.t + step not in spike_input.permanent:
                    spike_input.spikes[self.t + step] = neurons
