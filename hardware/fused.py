"""A Nengo simulator's step in fewer pieces: runs of simple operators become one compiled call each.

Nengo calls one Python function per operator, most of which move a dozen numbers. Here neighbours that set,
copy, scale, filter or rectify are carried out together by one kernel, in the same order and with the same
arithmetic, so that every signal stays the same bit by bit. All other operators keep their own functions,
matrix products among them, whose order of summation belongs to the linear algebra library.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, ElementwiseInc, Reset, SimPyFunc
from nengo.builder.processes import SimProcess
from nengo.synapses import LinearFilter
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.nengo_state import step_functions
from spikearm.models.network import InputPort, OutputPort
from spikearm.records import FloatArray

_SET, _COPY, _ADD, _SCALE_ADD, _LOWPASS, _RECTIFY = range(6)


class _Move(NamedTuple):
    """One operator of the kernel, on vectors of the same length.

    Attributes:
        kind: What it does.
        target: What it writes.
        source: What it reads, if anything.
        other: A further vector: the factor, or the state of a filter or of neurons.
        a: A number: the value set, the filter's decay, or the time step.
        b: Another: the filter's gain, or the height of a spike.
    """

    kind: int
    target: FloatArray
    source: FloatArray | None = None
    other: FloatArray | None = None
    a: float = 0.0
    b: float = 0.0


def fused_steps(simulator: nengo.Simulator) -> list[Callable[[], None]]:
    """What one step of a simulator calls, in order; no probe is recorded.

    The functions write the simulator's own signals, and are of no use after its ``reset()``, which makes new
    ones.

    Args:
        simulator: Any ``nengo.Simulator``.
    """
    dt_s, signals, steps = float(simulator.dt), simulator.signals, step_functions(simulator)
    n_own = len(steps) - len(simulator.step_order)  # what a simulator does before its operators
    fused: list[Callable[[], None]] = steps[:n_own]
    pairs = zip(simulator.step_order, steps[n_own:], strict=True)
    moves = [(_move(_Site(operator, signals, step, dt_s)), step) for operator, step in pairs]
    for simple, group in itertools.groupby(moves, lambda pair: pair[0] is not None):
        if simple:
            fused.append(_Fused([move for move, _ in group if move is not None]))
        else:
            fused += [step for _, step in group]
    return fused


class _Fused:
    """Some moves as one call; holds on to the arrays whose addresses the kernel is given."""

    def __init__(self, moves: list[_Move]) -> None:
        self._moves = moves
        self._rows = np.array([_row(move) for move in moves], dtype=np.int64)
        self._numbers = np.array([(move.a, move.b) for move in moves])
        _carry_out(self._rows[:0], self._numbers[:0])  # compiled or loaded now, not in the first step

    def __call__(self) -> None:
        _carry_out(self._rows, self._numbers)


def _row(move: _Move) -> tuple[int, int, int, int, int]:
    addresses = [0 if v is None else v.ctypes.data for v in (move.target, move.source, move.other)]
    return (move.kind, *addresses, move.target.size)  # type: ignore[return-value]


@intrinsic
def _pointer(_typing_context: Any, _address: Any) -> Any:
    """An address as a pointer."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@kernel
def _vector(address: int, n: int) -> FloatArray:
    """The numbers at an address."""
    return carray(_pointer(address), n, np.float64)  # type: ignore[no-any-return]


@kernel
def _filter_step(target: FloatArray, source: FloatArray, state: FloatArray, a: float, b: float) -> None:
    for k in range(target.size):
        state[k] *= a
        state[k] += b * source[k]
        target[k] = state[k]


@kernel
def _rectify_step(
    target: FloatArray, source: FloatArray, voltage: FloatArray, dt_s: float, height: float
) -> None:
    for k in range(target.size):
        voltage[k] += np.maximum(source[k], 0.0) * dt_s
        spikes = np.floor(voltage[k])
        target[k] = height * spikes
        voltage[k] -= spikes


@kernel
def _carry_out(rows: NDArray[np.int64], numbers: FloatArray) -> None:
    for i in range(rows.shape[0]):
        kind, n = rows[i, 0], rows[i, 4]
        target = _vector(rows[i, 1], n)
        if kind == _SET:
            target[:] = numbers[i, 0]
            continue
        source = _vector(rows[i, 2], n)
        if kind == _COPY:
            target[:] = source
        elif kind == _ADD:
            target += source
        elif kind == _SCALE_ADD:
            target += _vector(rows[i, 3], 1)[0] * source
        elif kind == _LOWPASS:
            _filter_step(target, source, _vector(rows[i, 3], n), numbers[i, 0], numbers[i, 1])
        else:
            _rectify_step(target, source, _vector(rows[i, 3], n), numbers[i, 0], numbers[i, 1])


class _Site(NamedTuple):
    """An operator where it stands.

    Attributes:
        operator: Nengo's operator.
        signals: The simulator's signals.
        step: The function that the operator became.
        dt_s: Time step [s].
    """

    operator: Any
    signals: Any
    step: Callable[[], None]
    dt_s: float


def _move(site: _Site) -> _Move | None:
    """An operator for the kernel, or None if it is not one of those."""
    make = _MAKERS.get(type(site.operator))
    move = None if make is None else make(site)
    return move if move is not None and _fits(move) else None


def _fits(move: _Move) -> bool:
    """Whether all vectors lie in memory as the kernel reads them."""
    vectors = [v for v in (move.target, move.source, move.other) if v is not None]
    plain = all(v.dtype == np.float64 and v.flags.c_contiguous for v in vectors)
    lengths = {v.size for v in (move.target, move.source) if v is not None}
    return plain and len(lengths) == 1


def _reset(site: _Site) -> _Move | None:
    if np.ndim(site.operator.value):
        return None
    return _Move(_SET, site.signals[site.operator.dst], a=float(site.operator.value))


def _copy(site: _Site) -> _Move | None:
    operator, signals = site.operator, site.signals
    if operator.src_slice is not None or operator.dst_slice is not None:
        return None
    return _Move(_ADD if operator.inc else _COPY, signals[operator.dst], signals[operator.src])


def _scale(site: _Site) -> _Move | None:
    operator, signals = site.operator, site.signals
    if operator.A.size != 1:
        return None
    return _Move(_SCALE_ADD, signals[operator.Y], signals[operator.X], signals[operator.A])


def _port(site: _Site) -> _Move | None:
    """What enters and leaves by ports needs no function; programs let only finite numbers in."""
    operator, signals = site.operator, site.signals
    if isinstance(operator.fn, InputPort) and operator.output is not None:
        return _Move(_COPY, signals[operator.output], operator.fn.value)
    if isinstance(operator.fn, OutputPort) and operator.x is not None and operator.output is None:
        return _Move(_COPY, operator.fn.value, signals[operator.x])
    return None


def _filter(site: _Site) -> _Move | None:
    """A filter of first order, such as Lowpass."""
    operator, signals = site.operator, site.signals
    made: Any = inspect.getclosurevars(site.step).nonlocals.get("step_f")
    if type(made) not in (LinearFilter.OneX, LinearFilter.OneXScalar) or operator.mode == "inc":
        return None
    target, source = signals[operator.output], signals[operator.input]
    return _Move(_LOWPASS, target, source, made.X, made.a, made.b) if made.X.size == target.size else None


def _neurons(site: _Site) -> _Move | None:
    operator, signals = site.operator, site.signals
    if type(operator.neurons) is not nengo.SpikingRectifiedLinear:
        return None
    voltage, height = signals[operator.state["voltage"]], operator.neurons.amplitude / site.dt_s
    return _Move(_RECTIFY, signals[operator.output], signals[operator.J], voltage, site.dt_s, height)


_MAKERS: dict[type, Callable[[_Site], _Move | None]] = {
    Reset: _reset,
    Copy: _copy,
    ElementwiseInc: _scale,
    SimPyFunc: _port,
    SimProcess: _filter,
    SimNeurons: _neurons,
}
