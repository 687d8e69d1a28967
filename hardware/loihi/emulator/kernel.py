"""Steps of a whole chip in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.experimental import structref
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.loihi.emulator.compartments import Compartments, update_discrete, update_real
from spikearm.hardware.loihi.emulator.learning import Learning, update_traces, update_weights
from spikearm.hardware.loihi.emulator.stream import Words
from spikearm.hardware.loihi.emulator.wiring import OUT_OF_RANGE, Wiring, deliver, find_fired

Ints = NDArray[np.int64]

LOST_SPIKES, CUT_TRACES, CUT_WEIGHTS, OVER_Q, OVER_U, OVER_U2 = range(6)
"""What is counted in each step; columns of ``events``."""
N_EVENTS = 6
STRICT_EVENTS = (LOST_SPIKES, OVER_Q, OVER_U, OVER_U2)


class Records(NamedTuple):
    """What probes see, step by step.

    Attributes:
        current_of: Compartments whose current is recorded.
        voltage_of: Compartments whose voltage is recorded.
        spiked_of: Compartments whose spikes are recorded.
        current: Recorded currents, shape (n_steps or more, len(current_of)).
        voltage: Recorded voltages.
        spiked: Recorded spikes.
    """

    current_of: Ints
    voltage_of: Ints
    spiked_of: Ints
    current: NDArray[Any]
    voltage: NDArray[Any]
    spiked: NDArray[Any]


class HostSpikes(NamedTuple):
    """Spikes from the host for some steps.

    Attributes:
        start: Where the spikes of each step and input begin, shape (n_steps, n_inputs + 1).
        neurons: Neurons of the inputs.
    """

    start: Ints
    neurons: Ints


@kernel
def _record(records: Records, step: int, c: Compartments) -> None:
    for k in range(records.current_of.size):
        records.current[step, k] = c.current[records.current_of[k]]
    for k in range(records.voltage_of.size):
        records.voltage[step, k] = c.voltage[records.voltage_of[k]]
    for k in range(records.spiked_of.size):
        records.spiked[step, k] = c.spiked[records.spiked_of[k]]


@structref.register
class _ChipType(types.StructRef):
    """Numba's type of a chip."""

    def preprocess_fields(self, fields: Any) -> Any:
        return tuple((name, types.unliteral(kind)) for name, kind in fields)


class _Chip(structref.StructRefProxy):
    """A whole chip as one argument: handing over its seventy arrays one by one takes as long as a step."""


structref.define_proxy(_Chip, _ChipType, ["compartments", "wiring", "learning", "stream", "records"])


@kernel
def pack(c: Compartments, wiring: Wiring, learning: Learning, stream: Words, records: Records) -> Any:
    """The parts of a chip as one object; they stay shared."""
    return _Chip(c, wiring, learning, stream, records)


def _make_run(*, discrete: bool) -> Callable[..., tuple[int, bool]]:
    """The kernel for whole numbers, or for float32; numba keeps the two apart by what they close over."""

    @kernel
    def run(
        chip: Any,
        spike_start: Ints,
        spike_neurons: Ints,
        events: Ints,
        t: int,
        strict: bool,
    ) -> tuple[int, bool]:
        c, wiring, learning, stream = chip.compartments, chip.wiring, chip.learning, chip.stream
        eventful = False
        for step in range(events.shape[0]):
            t += 1
            event = events[step]
            event[:] = 0
            c.q[:] = 0
            find_fired(wiring, c.spiked)
            lost = deliver(wiring, spike_start[step], spike_neurons, c.q, learning.pending)
            if lost == OUT_OF_RANGE:
                return -1, True
            event[LOST_SPIKES] = lost
            if strict and lost:
                return step + 1, True
            event[CUT_TRACES] = update_traces(learning, t, stream, discrete)
            event[CUT_WEIGHTS] = update_weights(learning, wiring.weights, t, stream, discrete)
            if discrete:
                update_discrete(c, stream, event[OVER_Q:])
            else:
                update_real(c, stream, learning.words)
            eventful |= event.any()
            if strict and (event[OVER_Q] or event[OVER_U] or event[OVER_U2]):
                return step + 1, True
            _record(chip.records, step, c)
        return events.shape[0], eventful

    return run  # type: ignore[no-any-return]


run_discrete = _make_run(discrete=True)
"""Advance the chip by ``events.shape[0]`` steps after step ``t``.

Returns the number of steps made, fewer if ``strict`` and something happened that must not, and whether there
were any events. The number is -1 if a spike came from a neuron, or would have gone to a compartment, that
does not exist.
"""

run_real = _make_run(discrete=False)
"""The same in float32."""


@kernel
def carry(
    wiring: Wiring,
    spiked: NDArray[np.bool_],
    sent: HostSpikes,
    arriving: NDArray[Any],
    pending: NDArray[np.bool_],
) -> None:
    """What one step brings to all synapses, without the step itself: the wiring counts operations.

    Args:
        wiring: The network.
        spiked: The compartments that spiked in the step before.
        sent: The spikes from the host that arrive in this one.
        arriving: The input of all compartments, overwritten.
        pending: For each axon with a trace whether it has spiked.
    """
    arriving[:] = 0
    find_fired(wiring, spiked)
    deliver(wiring, sent.start[0], sent.neurons, arriving, pending)
