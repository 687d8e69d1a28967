"""The step of Nengo's LIF neurons in three passes over them, instead of twenty over arrays of them.

The arithmetic is that of ``nengo.LIF``, in its order, so that voltages and spikes stay the same bit by bit.
Exponentials and logarithms remain NumPy's, whose last bit depends on the processor; but only the few neurons
that leave their refractory time in a step need an exponential of their own, and only those that spike need a
logarithm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.records import FloatArray


class LifStep:
    """One step of a population; called without arguments, writes the simulator's own signals.

    Args:
        neurons: A ``nengo.LIF``.
        current: Input current J, shape (n_neurons,); like all that follow, contiguous.
        output: Spikes: ``amplitude / dt_s`` for a neuron that fired, else 0, shape (n_neurons,).
        voltage: Membrane voltage, shape (n_neurons,).
        refractory_s: What is left of the refractory time [s], shape (n_neurons,).
        dt_s: Network time step [s].
    """

    def __init__(
        self,
        neurons: Any,
        current: FloatArray,
        output: FloatArray,
        voltage: FloatArray,
        refractory_s: FloatArray,
        *,
        dt_s: float,
    ) -> None:
        tau_s = float(neurons.tau_rc)
        of_whole_step = float(np.expm1(np.array([-dt_s / tau_s]))[0])
        n = current.size
        # Of some neurons, one after another: which they are, and what NumPy computes for them alone. First of
        # those that wake; once that was used, of those that fire.
        self._which, self._values = np.zeros(n, dtype=np.int64), np.zeros(n)
        self._decay = np.zeros(n)
        self._wake = (refractory_s, self._decay, self._which, self._values, dt_s, tau_s, of_whole_step)
        height, floor = float(neurons.amplitude / dt_s), float(neurons.min_voltage)
        self._charge = (current, output, voltage, self._decay, self._which, self._values, height, floor)
        self._rest = (voltage, refractory_s, self._which, self._values, dt_s, tau_s, float(neurons.tau_ref))
        # Compiled or loaded now, not in the first step.
        _wake(*_of_none(self._wake))
        _charge(*_of_none(self._charge), 0)
        _rest(*_of_none(self._rest), 0)

    def __call__(self) -> None:
        """Make the step."""
        n_waking = _wake(*self._wake)
        waking = self._values[:n_waking]
        np.expm1(waking, out=waking)
        n_fired = _charge(*self._charge, n_waking)
        fired = self._values[:n_fired]
        np.log1p(fired, out=fired)
        _rest(*self._rest, n_fired)


def _of_none(arguments: tuple[Any, ...]) -> Iterator[Any]:
    """A kernel's arguments, without a neuron."""
    return (v[:0] if isinstance(v, np.ndarray) else v for v in arguments)


@kernel
def _wake(
    refractory_s: FloatArray,
    decay: FloatArray,
    which: NDArray[np.int64],
    exponents: FloatArray,
    dt_s: float,
    tau_s: float,
    of_whole_step: float,
) -> int:
    """Let the refractory times pass; the number of neurons that are awake for a part of the step."""
    n = 0
    for k in range(refractory_s.size):
        refractory_s[k] -= dt_s
        awake_s = min(max(dt_s - refractory_s[k], 0.0), dt_s)
        if awake_s == dt_s:
            decay[k] = of_whole_step
        elif awake_s == 0.0:
            decay[k] = -0.0
        else:
            which[n], exponents[n] = k, -awake_s / tau_s
            n += 1
    return n


@kernel(error_model="numpy")
def _charge(
    current: FloatArray,
    output: FloatArray,
    voltage: FloatArray,
    decay: FloatArray,
    which: NDArray[np.int64],
    values: FloatArray,
    height: float,
    floor: float,
    n_waking: int,
) -> int:
    """Move the voltages and fire; the number of neurons that fired."""
    for i in range(n_waking):
        decay[which[i]] = values[i]
    n = 0
    for k in range(voltage.size):
        v = voltage[k] - (current[k] - voltage[k]) * decay[k]
        if v > 1.0:
            output[k] = height
            which[n], values[n] = k, -(v - 1.0) / (current[k] - 1.0)
            n += 1
        else:
            output[k] = 0.0
        voltage[k] = max(v, floor)
    return n


@kernel
def _rest(
    voltage: FloatArray,
    refractory_s: FloatArray,
    which: NDArray[np.int64],
    logarithms: FloatArray,
    dt_s: float,
    tau_s: float,
    tau_ref_s: float,
    n_fired: int,
) -> None:
    """Those that fired rest, counted from when they did within the step."""
    for i in range(n_fired):
        k = which[i]
        voltage[k] = 0.0
        refractory_s[k] = tau_ref_s + (dt_s + tau_s * logarithms[i])
