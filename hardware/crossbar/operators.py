"""The operators that take the place of Nengo's where weights lie on a crossbar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from nengo.builder.operator import Operator

from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.readout import charged_bits
from spikearm.records import FloatArray

Step = Callable[[], None]


class CrossbarRead(Operator):
    """``Y += A X`` with ``A`` on a crossbar; takes the place of ``DotInc``.

    Args:
        matrix: The weights as devices.
        ledger: Where to count.
        A: Signal of the nominal weights; keeps the order of reading and learning.
        X: Input signal.
        Y: Output signal.
        tag: For messages.
    """

    def __init__(self, matrix: CrossbarMatrix, ledger: Ledger, A: Any, X: Any, Y: Any, tag: str) -> None:
        super().__init__(tag=tag)
        self.matrix, self.ledger = matrix, ledger
        self.level = 0
        _declare(self, incs=[Y], reads=[A, X])

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """One read of all tiles."""
        x, y = _column(signals[self.reads[1]]), _column(signals[self.incs[0]])
        matrix, ledger = self.matrix, self.ledger
        counts, serial_reads = ledger.counts, ledger.counts["serial_tile_reads"]
        wait = (float(matrix.serial_conversions), float(charged_bits(matrix.config.adc_bits)))

        def step_crossbar_read() -> None:
            y[...] += matrix.read(np.ascontiguousarray(x, dtype=np.float64), counts)
            reads = serial_reads.item()
            if reads:
                ledger.wait(self.level, reads, *wait)

        return step_crossbar_read


class CrossbarPes(Operator):
    """PES straight into pulses; takes the place of ``SimPES`` and of the ``Copy`` that adds its result.

    Args:
        learning: The learning circuit.
        ledger: Where to count.
        acts: Signal of the filtered activities, or of the spikes if the circuit has event traces.
        error: Signal of the error.
        A: Signal of the weights; updated after every read of the step, as Nengo's rule would.
        learning_rate: PES learning rate.
        publish: Whether something else reads the weights from ``A``.
    """

    def __init__(
        self,
        learning: PulseLearning,
        ledger: Ledger,
        *,
        acts: Any,
        error: Any,
        A: Any,
        learning_rate: float,
        publish: bool,
    ) -> None:
        super().__init__(tag=f"{learning.matrix.label} PES")
        self.learning, self.ledger = learning, ledger
        self.learning_rate, self.publish = learning_rate, publish
        _declare(self, reads=[acts, error], updates=[A])

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """Learning of one step."""
        acts, error = (signals[s] for s in self.reads)
        weights = signals[self.updates[0]]
        learning, counts, publish = self.learning, self.ledger.counts, self.publish
        rate = -self.learning_rate * dt / acts.shape[0]

        def step_crossbar_pes() -> None:
            learning.pes(np.ascontiguousarray(acts, dtype=np.float64), error, rate, counts)
            learning.refresh(counts)
            if publish:
                weights[...] = learning.matrix.weights_now()

        return step_crossbar_pes


class CrossbarUpdate(Operator):
    """``A += delta`` by pulses, for any learning rule; takes the place of the ``Copy`` that adds it.

    Args:
        learning: The learning circuit.
        ledger: Where to count.
        delta: Signal of the change that the rule has computed.
        A: Signal of the weights.
    """

    def __init__(self, learning: PulseLearning, ledger: Ledger, *, delta: Any, A: Any) -> None:
        super().__init__(tag=f"{learning.matrix.label} update")
        self.learning, self.ledger = learning, ledger
        _declare(self, incs=[A], reads=[delta])

    def make_step(self, signals: Any, dt: float, rng: Any) -> Step:
        """Learning of one step."""
        delta = signals[self.reads[0]]
        weights = signals[self.incs[0]]
        learning, counts = self.learning, self.ledger.counts

        def step_crossbar_update() -> None:
            learning.add(np.ascontiguousarray(delta, dtype=np.float64), counts)
            learning.refresh(counts)
            weights[...] = learning.matrix.weights_now()

        return step_crossbar_update


def _declare(
    operator: Operator, *, incs: Sequence[Any] = (), reads: Sequence[Any] = (), updates: Sequence[Any] = ()
) -> None:
    """Tell Nengo, which orders and merges by it, what an operator does with which signals."""
    operator.sets, operator.incs = [], list(incs)
    operator.reads, operator.updates = list(reads), list(updates)


def _column(array: FloatArray) -> FloatArray:
    """The array seen as one-dimensional, without a copy."""
    return array if array.ndim == 1 else array.reshape(-1)
