"""Where the operators of one simulator write what they did in the present step."""

from __future__ import annotations

import numpy as np
from numba import njit

from spikearm.records import COUNT_NAMES, FloatArray, OpCounts

# Positions of the counts that compiled functions write.
SPIKES = COUNT_NAMES.index("spikes")
SYNAPTIC_OPS = COUNT_NAMES.index("synaptic_ops")
DENSE_OPS = COUNT_NAMES.index("synaptic_ops_dense")
NEURON_UPDATES = COUNT_NAMES.index("neuron_updates")
NEURON_UPDATES_ACTIVE = COUNT_NAMES.index("neuron_updates_active")
LEARNING_UPDATES = COUNT_NAMES.index("learning_updates")
TILE_READS = COUNT_NAMES.index("tile_reads")
SERIAL_TILE_READS = COUNT_NAMES.index("serial_tile_reads")
ROW_ACTIVATIONS = COUNT_NAMES.index("row_activations")
READ_CONDUCTANCE = COUNT_NAMES.index("read_conductance_siemens")
ACTIVE_MACS = COUNT_NAMES.index("active_macs")
CONVERSIONS = COUNT_NAMES.index("conversions")
SERIAL_CONVERSIONS = COUNT_NAMES.index("serial_conversions")
DIGITAL_OPS = COUNT_NAMES.index("digital_ops")
SET_PULSES = COUNT_NAMES.index("set_pulses")
RESET_PULSES = COUNT_NAMES.index("reset_pulses")
VERIFY_READS = COUNT_NAMES.index("verify_reads")
ROWS_PROGRAMMED = COUNT_NAMES.index("rows_programmed")


@njit(cache=True)
def count_spikes(outputs, per_spike):  # type: ignore[no-untyped-def]
    """Spikes in one step of a population; a neuron that can fire more than once, or negatively, may."""
    total = 0.0
    for i in range(len(outputs)):
        total += abs(outputs[i])
    return np.rint(total / per_spike)


class Ledger:
    """Counts of the present step.

    Matrices of one level do not wait for one another; those of the next level wait for them. The
    longest chain of a step is therefore the sum over levels that were read at all.

    Attributes:
        counts: One number per field of :class:`~spikearm.records.OpCounts`.
        waits: Conversions one after another on the busiest matrix of each level, shape (n_levels,).
    """

    def __init__(self) -> None:
        self.counts: FloatArray = np.zeros(len(COUNT_NAMES))
        self.waits: FloatArray = np.zeros(1)
        self._every_step: FloatArray = np.zeros(len(COUNT_NAMES))

    def prepare(self, n_levels: int, every_step: OpCounts) -> None:
        """Set the number of levels and what happens in every step whatever the input."""
        self.waits = np.zeros(n_levels)
        self._every_step = np.array([getattr(every_step, name) for name in COUNT_NAMES])

    def start(self) -> None:
        """Begin a step."""
        self.counts[:] = self._every_step
        self.waits[:] = 0.0

    def total(self) -> OpCounts:
        """The counts of the step just made."""
        self.counts[SERIAL_TILE_READS] = np.count_nonzero(self.waits)
        self.counts[SERIAL_CONVERSIONS] = self.waits.sum()
        return OpCounts(*self.counts.tolist())
