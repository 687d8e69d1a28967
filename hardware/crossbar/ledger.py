"""Where the operators of one simulator write what they did in the present step."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.records import COUNT_NAMES, FloatArray, OpCounts

CountArray: TypeAlias = NDArray[np.void]
"""Counts as compiled functions take them: one element with a field for each count of a step.

Its type names the fields. Numba keeps what it has compiled by the types of arguments, so that code compiled
for other counts, or for another order, is never taken from its cache.
"""

COUNTS = np.dtype([(name, np.float64) for name in COUNT_NAMES])


REFERENCE = -1
"""Level of the reference reads."""


@kernel
def count_spikes(outputs, per_spike):  # type: ignore[no-untyped-def]
    """Spikes in one step of a population; a neuron that can fire more than once, or negatively, may."""
    total = 0.0
    for i in range(len(outputs)):
        total += abs(outputs[i])
    return np.rint(total / per_spike)


@kernel
def _close(counts, waits, spikes):  # type: ignore[no-untyped-def]
    """Write down what is known at the end of a step only: the longest chain of reads, and the spikes."""
    step = counts[0]
    step.spikes = spikes
    step.serial_tile_reads = step.serial_conversions = step.serial_decisions = 0.0
    for level in range(waits.shape[1]):
        step.serial_tile_reads += waits[0, level]
        step.serial_conversions += waits[1, level]
        step.serial_decisions += waits[2, level]


@kernel
def count_learning(counts, updates, digital_ops):  # type: ignore[no-untyped-def]
    """Weights visited by the rule of one matrix, and the arithmetic beside it."""
    counts[0].learning_updates += updates
    counts[0].busiest_core_learning_updates = max(counts[0].busiest_core_learning_updates, updates)
    counts[0].digital_ops += digital_ops


class Ledger:
    """Counts of the present step.

    Matrices of one level do not wait for one another; those of the next level wait for them. The
    longest chain of a step is therefore the sum over levels that were read at all. Reference reads have a
    level of their own, :data:`REFERENCE`.

    Attributes:
        counts: One field per field of :class:`~spikearm.records.OpCounts`, shape (1,).
        waits: Read pulses one after another on the busiest matrix of each level, conversions, and the bits
            that these decide, shape (3, n_levels + 1).
    """

    def __init__(self) -> None:
        self.counts: CountArray = np.zeros(1, dtype=COUNTS)
        self.waits: FloatArray = np.zeros((3, 1))
        # The same memory without names: NumPy takes ten times as long to copy fields one by one.
        self._amounts: FloatArray = self.counts.view(np.float64)
        self._every_step: FloatArray = np.zeros(len(COUNT_NAMES))

    def prepare(self, n_levels: int, every_step: OpCounts) -> None:
        """Set the number of levels and what happens in every step whatever the input."""
        self.waits = np.zeros((3, n_levels + 1))
        self._every_step[:] = every_step

    def start(self) -> None:
        """Begin a step."""
        self._amounts[:] = self._every_step
        self.waits[:] = 0.0

    def wait(self, level: int, reads: float, conversions: float, bits: float) -> None:
        """A matrix of a level was read by so many pulses, then conversions of these bits, one by one."""
        waits = self.waits
        if waits[0, level] < reads:
            waits[0, level] = reads
        if waits[1, level] < conversions:
            waits[1, level] = conversions
        if waits[2, level] < conversions * bits:
            waits[2, level] = conversions * bits

    def total(self, spikes: float = 0.0) -> OpCounts:
        """The counts of the step just made, in which the neurons fired so many spikes."""
        _close(self.counts, self.waits, spikes)
        return OpCounts(*self._amounts.tolist())
