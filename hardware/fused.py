"""A Nengo simulator's step in fewer pieces: runs of simple operators become one compiled call each.

Nengo calls one Python function per operator, most of which move a dozen numbers. Here neighbours that set,
copy, scale, filter, rectify or learn are carried out together by one kernel, in the same order and with the
same arithmetic, so that every signal stays the same bit by bit; LIF neurons have kernels of their own (see
:mod:`spikearm.hardware.fused_lif`). Matrix products stay NumPy's, whose order of summation belongs to the
linear algebra library, and all other operators keep their own functions.

Kernels do not look for operations that are invalid: a network whose numbers overflow goes on with NaN, which
whoever uses its output has to refuse.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.builder.learning_rules import SimPES
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Reset, SimPyFunc, TimeUpdate
from nengo.builder.processes import SimProcess
from nengo.synapses import LinearFilter
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.addressed import integer_at, vector_at
from spikearm.hardware.fused_lif import LifStep
from spikearm.hardware.nengo_state import step_functions
from spikearm.models.network import InputPort, OutputPort
from spikearm.models.scaling import Scaled
from spikearm.records import FloatArray

_SET, _COPY, _ADD, _SCALE_ADD, _MULTIPLY_ADD, _LOWPASS, _RECTIFY, _CLIP, _OUTER, _COUNT = range(10)


class _Move(NamedTuple):
    """One operator of the kernel, on vectors of the same length.

    Attributes:
        kind: What it does.
        target: What it writes; of an outer product, a row for each element of ``other``.
        source: What it reads, if anything.
        other: A further vector: the factor, the state of a filter or of neurons, centres followed by half
            ranges, or the count of steps.
        a: A number: the value set, the filter's decay, the rate of learning, or the time step.
        b: Another: the filter's gain, the height of a spike, or the number of rows.
    """

    kind: int
    target: FloatArray
    source: FloatArray | None = None
    other: FloatArray | NDArray[np.int64] | None = None
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
    moves = [_fastest(_Site(operator, signals, step, dt_s)) for operator, step in pairs]
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
    size = move.target.size if move.source is None else move.source.size
    return (move.kind, *addresses, size)  # type: ignore[return-value]


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


# Number by number: operations on whole arrays, and their messages, cost numba seconds of compilation.


@kernel
def _set_step(target: FloatArray, a: float) -> None:
    for k in range(target.size):
        target[k] = a


@kernel
def _copy_step(target: FloatArray, source: FloatArray) -> None:
    for k in range(target.size):
        target[k] = source[k]


@kernel
def _add_step(target: FloatArray, a: float, source: FloatArray) -> None:
    for k in range(target.size):
        target[k] += a * source[k]


@kernel
def _multiply_add_step(target: FloatArray, a: FloatArray, source: FloatArray) -> None:
    for k in range(target.size):
        target[k] += a[k] * source[k]


@kernel(error_model="numpy")
def _clip_step(target: FloatArray, source: FloatArray, centers: FloatArray, half_ranges: FloatArray) -> None:
    for k in range(target.size):
        target[k] = min(max((source[k] - centers[k]) / half_ranges[k], -1.0), 1.0)


@kernel
def _outer_step(target: FloatArray, source: FloatArray, rows: FloatArray, a: float) -> None:
    for i in range(rows.size):
        scaled = a * rows[i]
        for k in range(source.size):
            target[i * source.size + k] = scaled * source[k]


@kernel
def _carry_out_longer(row: NDArray[np.int64], a: float, b: float) -> None:
    """Operators of several lines."""
    kind, n = row[0], row[4]
    source = vector_at(row[2], n)
    if kind == _OUTER:
        n_rows = int(b)
        _outer_step(vector_at(row[1], n_rows * n), source, vector_at(row[3], n_rows), a)
        return
    target = vector_at(row[1], n)
    if kind == _LOWPASS:
        _filter_step(target, source, vector_at(row[3], n), a, b)
    elif kind == _CLIP:
        ranges = vector_at(row[3], 2 * n)
        _clip_step(target, source, ranges[:n], ranges[n:])
    else:
        _rectify_step(target, source, vector_at(row[3], n), a, b)


@kernel
def _carry_out(rows: NDArray[np.int64], numbers: FloatArray) -> None:
    for i in range(rows.shape[0]):
        kind, n = rows[i, 0], rows[i, 4]
        target = vector_at(rows[i, 1], n)
        if kind == _SET:
            _set_step(target, numbers[i, 0])
        elif kind == _COUNT:
            n_steps = integer_at(rows[i, 3])
            n_steps[0] += 1
            target[0] = n_steps[0] * numbers[i, 0]
        elif kind == _COPY:
            _copy_step(target, vector_at(rows[i, 2], n))
        elif kind == _ADD:
            _add_step(target, 1.0, vector_at(rows[i, 2], n))
        elif kind == _SCALE_ADD:
            _add_step(target, vector_at(rows[i, 3], 1)[0], vector_at(rows[i, 2], n))
        elif kind == _MULTIPLY_ADD:
            _multiply_add_step(target, vector_at(rows[i, 3], n), vector_at(rows[i, 2], n))
        else:
            _carry_out_longer(rows[i], numbers[i, 0], numbers[i, 1])


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


def _fastest(site: _Site) -> tuple[_Move | None, Callable[[], None]]:
    """An operator for the kernel if it is one of those, and its function if not."""
    move = _move(site)
    return move, site.step if move is not None else _lif(site) or _product(site) or site.step


def _move(site: _Site) -> _Move | None:
    """An operator for the kernel, or None if it is not one of those."""
    make = _MAKERS.get(type(site.operator))
    move = None if make is None else make(site)
    return move if move is not None and _fits(move) else None


def _fits(move: _Move) -> bool:
    """Whether all vectors lie in memory as the kernel reads them."""
    vectors = [v for v in (move.target, move.source, move.other) if v is not None]
    if not all(v.flags.c_contiguous for v in vectors):
        return False
    if move.kind == _COUNT:
        return [v.dtype for v in vectors] == [np.float64, np.int64]
    return all(v.dtype == np.float64 for v in vectors) and _lengths_agree(move)


def _lengths_agree(move: _Move) -> bool:
    """Whether all vectors are as long as the kernel takes them to be."""
    n, other = move.target.size, 0 if move.other is None else move.other.size
    if move.source is None:
        return True
    if move.kind == _OUTER:
        return n == move.source.size * other
    return n == move.source.size and (move.kind != _CLIP or other == 2 * n)


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
    if operator.A.size != 1 and operator.A.shape != operator.X.shape:
        return None
    kind = _SCALE_ADD if operator.A.size == 1 else _MULTIPLY_ADD
    return _Move(kind, signals[operator.Y], signals[operator.X], signals[operator.A])


def _port(site: _Site) -> _Move | None:
    """What enters, leaves or is scaled needs no function; programs let only finite numbers in."""
    operator, signals = site.operator, site.signals
    if isinstance(operator.fn, InputPort) and operator.output is not None:
        return _Move(_COPY, signals[operator.output], operator.fn.value)
    if isinstance(operator.fn, OutputPort) and operator.x is not None and operator.output is None:
        return _Move(_COPY, operator.fn.value, signals[operator.x])
    if isinstance(operator.fn, Scaled) and operator.x is not None and operator.output is not None:
        ranges = np.concatenate(operator.fn.scaling.arrays)
        return _Move(_CLIP, signals[operator.output], signals[operator.x], ranges)
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


def _lif(site: _Site) -> LifStep | None:
    """LIF neurons, whose exponentials and logarithms stay NumPy's."""
    operator, signals = site.operator, site.signals
    if not isinstance(operator, SimNeurons) or type(operator.neurons) is not nengo.LIF:
        return None
    state = [signals[operator.state[name]] for name in ("voltage", "refractory_time")]
    vectors = [signals[operator.J], signals[operator.output], *state]
    if not all(v.dtype == np.float64 and v.flags.c_contiguous for v in vectors):
        return None
    return LifStep(operator.neurons, *vectors, dt_s=site.dt_s)


def _product(site: _Site) -> Callable[[], None] | None:
    """A matrix product as Nengo carries it out, without its arrays of the moment and its reshaping."""
    operator, signals = site.operator, site.signals
    if type(operator) is not DotInc or operator.reshape:
        return None
    matrix, vector, target = signals[operator.A], signals[operator.X], signals[operator.Y]
    increment = np.zeros(target.shape, target.dtype)
    dot, add = np.dot, np.add
    if not (dot(matrix, vector).dtype == target.dtype and dot(matrix, vector).shape == target.shape):
        return None

    def step() -> None:
        dot(matrix, vector, increment)
        add(target, increment, target)

    return step


def _learning(site: _Site) -> _Move | None:
    """PES: the outer product of error and activity."""
    operator, signals = site.operator, site.signals
    activity, error = signals[operator.pre_filtered], signals[operator.error]
    rate = -operator.learning_rate * site.dt_s / activity.shape[0]
    return _Move(_OUTER, signals[operator.delta], activity, error, rate, error.size)


def _time(site: _Site) -> _Move | None:
    operator, signals = site.operator, site.signals
    return _Move(_COUNT, signals[operator.time], other=signals[operator.step], a=site.dt_s)


_MAKERS: dict[type, Callable[[_Site], _Move | None]] = {
    Reset: _reset,
    Copy: _copy,
    ElementwiseInc: _scale,
    SimPyFunc: _port,
    SimProcess: _filter,
    SimNeurons: _neurons,
    SimPES: _learning,
    TimeUpdate: _time,
}
