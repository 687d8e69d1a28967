"""Exact snapshots of running simulators: everything that changes while stepping, as named arrays.

A ``nengo.Simulator`` keeps its state in its signals (neurons, synapses and processes included since
Nengo 3), with one exception: random generators, which live in the closures of its step functions.
Whatever a substrate adds (conductances, queues, traces) joins the same snapshot as further parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any, Protocol, TypeAlias

import nengo
import numpy as np
from nengo.builder.signal import is_sparse
from numpy.typing import NDArray

from spikearm.errors import StateError

StateArray: TypeAlias = NDArray[np.generic]
RandomSource: TypeAlias = np.random.RandomState | np.random.Generator

_FINGERPRINT = "fingerprint"


class Part(Protocol):
    """A piece of changing state that can be written down as one array."""

    def save(self) -> StateArray:
        """A copy of the present state."""
        ...

    def objection(self, saved: StateArray) -> str | None:
        """Why ``saved`` cannot be loaded, or None. Changes nothing."""
        ...

    def load(self, saved: StateArray) -> None:
        """Take over a saved state that met no objection."""
        ...


class ArrayPart:
    """A live array that is written in place and never replaced."""

    def __init__(self, live: StateArray) -> None:
        self._live = live

    def save(self) -> StateArray:
        """A copy of the array."""
        return self._live.copy()

    def objection(self, saved: StateArray) -> str | None:
        """Shape and type must be the same."""
        if saved.shape != self._live.shape or saved.dtype != self._live.dtype:
            return f"is {saved.dtype} of shape {saved.shape}, not {self._live.dtype} of {self._live.shape}"
        return None

    def load(self, saved: StateArray) -> None:
        """Overwrite the live array."""
        self._live[...] = saved


class RandomPart:
    """A random generator, old or new; its state is kept as JSON in an array of bytes."""

    def __init__(self, rng: RandomSource) -> None:
        self._rng = rng

    def save(self) -> StateArray:
        """The generator's state."""
        if isinstance(self._rng, np.random.RandomState):
            state: Any = self._rng.get_state(legacy=False)
        else:
            state = self._rng.bit_generator.state
        return np.frombuffer(json.dumps(state, default=_jsonable).encode(), dtype=np.uint8).copy()

    def objection(self, saved: StateArray) -> str | None:
        """It must be the complete state of the same kind of generator."""
        wanted = json.loads(self.save().tobytes())["bit_generator"]
        try:
            found = json.loads(saved.tobytes())["bit_generator"]
            if found == wanted:
                RandomPart(self._another()).load(saved)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return "is not the state of a random generator"
        return None if found == wanted else f"is the state of a {found} generator, not of a {wanted}"

    def load(self, saved: StateArray) -> None:
        """Continue the saved stream of random numbers."""
        state = json.loads(saved.tobytes())
        if isinstance(state["state"].get("key"), list):
            state["state"]["key"] = np.asarray(state["state"]["key"], dtype=np.uint32)
        if isinstance(self._rng, np.random.RandomState):
            self._rng.set_state(state)
        else:
            self._rng.bit_generator.state = state

    def _another(self) -> RandomSource:
        """A generator of the same kind, to try a state on."""
        if isinstance(self._rng, np.random.RandomState):
            return np.random.RandomState(0)
        return np.random.Generator(type(self._rng.bit_generator)(0))


class Snapshot:
    """All changing state of a program, by name; saved as copies, loaded completely or not at all.

    Args:
        parts: Every piece of state; names are the keys of a saved state.
        fingerprint: Identifies the network and its seed; a state with another one is refused.
    """

    def __init__(self, parts: Mapping[str, Part], fingerprint: bytes) -> None:
        self._parts = dict(parts)
        self._fingerprint = np.frombuffer(fingerprint, dtype=np.uint8)

    def save(self) -> dict[str, StateArray]:
        """Copies of everything."""
        state: dict[str, StateArray] = {name: part.save() for name, part in self._parts.items()}
        state[_FINGERPRINT] = self._fingerprint.copy()
        return state

    def load(self, state: Mapping[str, StateArray]) -> None:
        """Take over a saved state.

        Raises:
            StateError: A key is missing or unknown, an array does not fit, or the state was saved from
                another network or seed. Nothing was changed.
        """
        self._check(state)
        for name, part in self._parts.items():
            part.load(np.asarray(state[name]))

    def _check(self, state: Mapping[str, StateArray]) -> None:
        wanted = {*self._parts, _FINGERPRINT}
        missing, unknown = sorted(wanted - set(state)), sorted(set(state) - wanted)
        if missing or unknown:
            raise StateError(
                f"this state does not belong here: {_some(missing)} missing, {_some(unknown)} unknown; "
                "load it into a program compiled from the same network for the same backend."
            )
        if not np.array_equal(state[_FINGERPRINT], self._fingerprint):
            raise StateError(
                "this state was saved from another network or another seed; compile with the network, "
                "the seed and the time step it was saved with."
            )
        for name, part in self._parts.items():
            why = part.objection(np.asarray(state[name]))
            if why is not None:
                raise StateError(f"state {name!r} {why}; it is damaged, or from another version.")


def simulator_parts(simulator: nengo.Simulator, prefix: str = "nengo") -> dict[str, Part]:
    """The changing state of a Nengo simulator.

    Compile with ``optimize=False`` if states must survive the process: the optimiser merges signals in
    an order that may differ from run to run.

    Args:
        simulator: Any ``nengo.Simulator``, subclasses included.
        prefix: What the names of the parts start with.

    Returns:
        One part for each signal that may change and for each random generator.
    """
    parts: dict[str, Part] = {
        f"{prefix}/signal{i}": ArrayPart(_live(simulator, signal))
        for i, signal in enumerate(_base_signals(simulator))
        if not signal.readonly
    }
    generators = enumerate(find_random_sources(step_functions(simulator)))
    parts.update({f"{prefix}/random{i}": RandomPart(rng) for i, rng in generators})
    return parts


def simulator_fingerprint(simulator: nengo.Simulator) -> bytes:
    """A digest of structure and initial values (encoders, biases, weights), and so of the seed.

    Names are left out: those of unlabelled Nengo objects contain memory addresses.
    """
    digest = hashlib.sha256(repr(float(simulator.dt)).encode())
    for operator in simulator.step_order:
        digest.update(type(operator).__name__.encode())
    for signal in _base_signals(simulator):
        initial = signal.initial_value.data if signal.sparse else signal.initial_value
        initial = np.ascontiguousarray(initial)
        digest.update(f"{initial.shape}{initial.dtype}{signal.readonly}".encode())
        digest.update(initial.tobytes())
    return digest.digest()


def step_functions(simulator: nengo.Simulator) -> list[Callable[[], None]]:
    """The functions that one step of a simulator calls, in order.

    Calling them one after another is ``simulator.step()`` without probes, whose histories grow.
    """
    steps: list[Callable[[], None]] = simulator._steps  # noqa: SLF001 Nengo has no public access to them
    return steps


def find_random_sources(functions: list[Callable[[], None]]) -> list[RandomSource]:
    """Every random generator held by closures, in a fixed order, each once."""
    found: dict[int, RandomSource] = {}
    seen: set[int] = set()
    pending: list[Any] = list(reversed(functions))
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.random.RandomState | np.random.Generator):
            found[id(item)] = item
        else:
            pending.extend(reversed(list(_held_by(item))))
    return list(found.values())


def _held_by(item: object) -> Iterator[Any]:
    """What a function, a bound method, a callable object or a container refers to."""
    if isinstance(item, FunctionType):
        yield from (cell.cell_contents for cell in item.__closure__ or ())
    elif isinstance(item, MethodType):
        yield from vars(item.__self__).values() if hasattr(item.__self__, "__dict__") else ()
    elif isinstance(item, Mapping):
        yield from item.values()
    elif isinstance(item, list | tuple):
        yield from item
    elif callable(item) and not isinstance(item, type) and hasattr(item, "__dict__"):
        yield from vars(item).values()


def _base_signals(simulator: nengo.Simulator) -> list[Any]:
    """Signals that own memory; views would only repeat it."""
    return [signal for signal in simulator.signals if not signal.is_view]


def _live(simulator: nengo.Simulator, signal: Any) -> StateArray:
    live = simulator.signals[signal]
    array: StateArray = live.data if is_sparse(live) else live
    return array


def _jsonable(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3])) or "nothing"
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
