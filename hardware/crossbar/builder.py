"""Puts the weights of a built Nengo model on crossbars, by exchanging operators.

What lies on tiles: every two-dimensional weight matrix, encoders included. What stays digital: scalars and
diagonal matrices (wires and scalings), convolutions, the decoders of probes (an observer must not change
what is observed, nor its cost), the error's way back through encoders in PES, and whatever the
configuration names. Encoders of ensembles that nothing decoded is sent to take no devices at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder.learning_rules import SimPES
from nengo.builder.operator import Copy, DotInc, Reset, SparseDotInc
from nengo.builder.processes import SimProcess

from spikearm.hardware.crossbar import events
from spikearm.hardware.crossbar.activity import ActivityLimit, nominal_power
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.events import EventTraces
from spikearm.hardware.crossbar.faults import Faults
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.operators import CrossbarPes, CrossbarRead, CrossbarUpdate
from spikearm.hardware.crossbar.ranges import (
    N_SAMPLES,
    learned_range,
    sample_rates,
    sample_spikes,
    sample_vectors,
)
from spikearm.records import FloatArray

_LEARNED_FILL = 0.1
"""Part of g_max by which learned pairs are assumed to differ when converters are calibrated; a range
that proves too small is doubled while running."""

_GROWTH = 1.5
"""Room for learned weights that do not start at zero, relative to their largest value at the start."""


@dataclass(frozen=True)
class Placement:
    """What was put on crossbars.

    Attributes:
        matrices: All matrices, in the order of the operators.
        learnings: The learning circuits.
    """

    matrices: tuple[CrossbarMatrix, ...]
    learnings: tuple[PulseLearning, ...]


class CrossbarMapper:
    """Exchanges the operators of one model.

    Args:
        model: A built ``nengo.builder.Model``, not yet optimised.
        config: Devices, tiles, converters.
        ledger: Where operators count.
        clock: The devices' clock.
        seeds: Source of independent seeds.
    """

    def __init__(
        self,
        model: Any,
        config: CrossbarConfig,
        ledger: Ledger,
        clock: DeviceClock,
        seeds: np.random.SeedSequence,
    ) -> None:
        self._model, self._config, self._seeds = model, config, seeds
        self._ledger, self._clock = ledger, clock
        self._owners = dict(_weight_owners(model))
        self._sources = dict(_spike_sources(model))
        self._copied = {op.dst: op.src for op in model.operators if type(op) is Copy and not op.inc}
        self._driven = {
            signal.base
            for op in model.operators
            if not isinstance(op, Reset)
            for signal in (*op.sets, *op.incs, *op.updates)
        }
        self._rates: dict[Any, FloatArray] = {}
        self._powers: dict[Any, FloatArray] = {}
        self._limited: Counter[Any] = Counter()
        self._faults = Faults(config.fault_seed)

    def place(self) -> Placement:
        """Put every eligible matrix on tiles, and learning with it."""
        operators: list[Any] = []
        matrices: dict[Any, CrossbarMatrix] = {}
        for op in self._model.operators:
            matrix = self._matrix_for(op) if type(op) in (DotInc, SparseDotInc) else None
            if matrix is None:
                operators.append(op)
                continue
            matrices[op.A] = matrix
            operators.append(CrossbarRead(matrix, self._ledger, op.A, op.X, op.Y, tag=matrix.label))
        self._model.operators[:] = operators
        self._faults.require_all_used()
        return Placement(tuple(matrices.values()), tuple(self._place_learning(matrices)))

    def _matrix_for(self, op: Any) -> CrossbarMatrix | None:
        """The matrix of this product on tiles, or None if it stays digital."""
        owner = self._owners.get(op.A)
        if owner is None or op.tag == "PES:encode" or self._config.is_digital(owner.label):
            return None
        config = self._config.for_label(owner.label)
        if not self._is_driven(op.X):
            return None
        learned = not op.A.readonly
        weights = _dense(op.A)
        if not learned and _is_diagonal(weights):
            return None
        label = f"{type(owner).__name__.lower()} {owner.label or 'without label'}"
        rng = self._next_rng()
        source = self._spike_source(op.X)
        matrix = CrossbarMatrix(
            label,
            weights,
            self._learned_ranges(weights, owner, op.X, rng) if learned else None,
            config,
            hold_s=self._config.ageing_steps * self._model.dt,
            per_spike=None if source is None else _per_spike(source, self._model.dt),
            rng=rng,
        )
        self._faults.deal(matrix, owner.label)
        typical = _LEARNED_FILL * matrix.full_siemens if learned else None
        matrix.calibrate(self._sample_drives(matrix, owner, op.X, rng), typical)
        return matrix

    def _is_driven(self, X: Any) -> bool:
        """Whether a signal is ever anything but zero."""
        return X.base in self._driven or bool(np.any(X.initial_value))

    def _learned_ranges(
        self, weights: FloatArray, owner: Any, X: Any, rng: np.random.Generator
    ) -> FloatArray:
        """Weight at full conductance for every column of a learned matrix.

        Learned connections to the same object share what is to be decoded.
        """
        config = self._config.for_label(owner.label)
        largest = np.abs(weights).max(axis=1)
        if config.learned_weight_range is not None:
            return np.full(len(weights), config.learned_weight_range)
        found = self._spike_source(X)
        if found is None:
            floor = np.full(len(weights), config.learned_output_range)
        else:
            drives = self._rates_of(found, X, rng) * getattr(found.neuron_type, "amplitude", 1.0)
            output_range = config.learned_output_range / self._n_learned_to(owner)
            auto = learned_range(drives, output_range, config.learned_headroom)
            floor = np.full(len(weights), auto)
        ranges: FloatArray = np.maximum(floor, _GROWTH * largest)
        return ranges

    def _n_learned_to(self, owner: Any) -> int:
        """How many learned connections, ``owner`` included, have the target of ``owner``."""
        target = getattr(owner, "post_obj", None)
        learned = [c for c in self._model.toplevel.all_connections if c.learning_rule is not None]
        return max(1, sum(c.post_obj is target for c in learned))

    def _sample_drives(
        self, matrix: CrossbarMatrix, owner: Any, X: Any, rng: np.random.Generator
    ) -> FloatArray:
        """Typical inputs of a matrix, as relative read voltages, shape (n_samples, n_inputs).

        What an ensemble represents is known from its evaluation points, and sets the range of the converters
        in front of its encoders. Other analog inputs set it when they come.
        """
        source = self._spike_source(X)
        if source is not None:
            return sample_spikes(self._rates_of(source, X, rng), self._model.dt, rng)
        points = self._model.params[owner].eval_points if isinstance(owner, nengo.Ensemble) else None
        if points is None or not len(points):
            return sample_vectors(X.size, rng)
        drives = matrix.calibrate_inputs(points)
        return drives[rng.integers(len(drives), size=N_SAMPLES)]

    def _spike_source(self, X: Any) -> Any | None:
        """The ensemble whose spikes a signal is, whole or in part; None for other signals."""
        return self._sources.get(self._origin(X).base)

    def _rates_of(self, ensemble: Any, X: Any, rng: np.random.Generator) -> FloatArray:
        if ensemble not in self._rates:
            self._rates[ensemble] = sample_rates(self._model, ensemble, rng)
        rates = self._rates[ensemble]
        origin = self._origin(X)
        if origin is not X:
            # Picked by a list of indices: which ones does not matter to a range.
            return rates[:, rng.integers(rates.shape[1], size=X.size)]
        first = origin.elemoffset
        part: FloatArray = rates[:, first : first + X.size]
        return part

    def _origin(self, X: Any) -> Any:
        return self._copied.get(X, X) if X.base not in self._sources else X

    def _place_learning(self, matrices: dict[Any, CrossbarMatrix]) -> Iterator[PulseLearning]:
        """Exchange the operators that change weights on tiles."""
        for A, matrix in matrices.items():
            operators = self._model.operators
            copies = [op for op in operators if type(op) is Copy and op.inc and op.dst is A]
            if not copies:
                continue
            rules = [op for op in operators if isinstance(op, SimPES) and op.delta is copies[0].src]
            if len(copies) == 1 and rules:
                yield self._place_pes(matrix, copies[0], rules[0])
            else:
                yield self._place_updates(matrix, copies)

    def _place_updates(self, matrix: CrossbarMatrix, copies: list[Any]) -> PulseLearning:
        """Any other rule, or several: Nengo computes the change, pulses write it."""
        learning = PulseLearning(matrix, self._clock, self._next_rng())
        for copy in copies:
            self._exchange([copy], CrossbarUpdate(learning, self._ledger, delta=copy.src, A=copy.dst))
        return learning

    def _place_pes(self, matrix: CrossbarMatrix, copy: Any, rule: Any) -> PulseLearning:
        """PES, event driven where the activities are lowpass-filtered spikes that nothing else looks at."""
        # Sign pulses look at the activities of all rows at every step.
        lowpass = None if matrix.config.learning == "sign" else self._lowpass_of(rule)
        traces, acts, old = None, rule.pre_filtered, [copy, rule]
        if lowpass is not None and self._may_go(lowpass, rule):
            traces = EventTraces(
                matrix.n_inputs,
                matrix.n_outputs,
                tau_s=lowpass.process.tau,
                dt_s=self._model.dt,
                per_spike=_per_spike(self._sources[lowpass.input.base], self._model.dt),
            )
            acts = lowpass.input
            old.append(lowpass)
        limit = None if lowpass is None else self._activity_limit(matrix, self._owners[copy.dst], lowpass)
        learning = PulseLearning(matrix, self._clock, self._next_rng(), traces, limit)
        pes = CrossbarPes(
            learning,
            self._ledger,
            acts=acts,
            error=rule.error,
            A=copy.dst,
            learning_rate=rule.learning_rate,
            publish=self._is_looked_at(copy.dst),
        )
        self._exchange(old, pes)
        return learning

    def _lowpass_of(self, rule: Any) -> Any | None:
        """The operator that filters the activities of a PES rule, if its filter is of first order."""
        for op in self._model.operators:
            if isinstance(op, SimProcess) and op.output is rule.pre_filtered:
                return op if type(op.process) is nengo.Lowpass and op.mode == "set" else None
        return None

    def _may_go(self, lowpass: Any, rule: Any) -> bool:
        """Whether the operator can be left out: it filters spikes, and nothing else looks at its output."""
        return (
            events.suits(lowpass.process.tau, self._model.dt)
            and lowpass.input.base in self._sources
            and not self._is_looked_at(lowpass.output, but=(rule, lowpass))
        )

    def _activity_limit(self, matrix: CrossbarMatrix, owner: Any, lowpass: Any) -> ActivityLimit | None:
        """Beyond how much activity a circuit learns at a smaller rate; None where that is not known."""
        ensemble, config = self._spike_source(lowpass.input), matrix.config
        if config.activity_limit is None or ensemble is None or ensemble not in self._rates:
            return None
        amplitude = float(getattr(ensemble.neuron_type, "amplitude", 1.0))
        nominal = nominal_power(self._rates[ensemble], amplitude, lowpass.process.tau)
        powers = self._powers.setdefault(owner.post_obj, np.zeros(self._n_learned_to(owner)))
        own = self._limited[owner.post_obj]
        self._limited[owner.post_obj] += 1
        return ActivityLimit(config.activity_limit * nominal, powers, own)

    def _is_looked_at(self, signal: Any, but: tuple[Any, ...] = ()) -> bool:
        """Whether anything besides crossbars reads a signal, probes included."""
        others = (op for op in self._model.operators if not isinstance(op, CrossbarRead) and op not in but)
        probed = any(self._model.sig[probe]["in"] is signal for probe in self._model.probes)
        return probed or any(signal in op.reads for op in others)

    def _next_rng(self) -> np.random.Generator:
        return np.random.default_rng(self._seeds.spawn(1)[0])

    def _exchange(self, old: list[Any], new: Any) -> None:
        operators = self._model.operators
        operators[:] = [op for op in operators if op not in old]
        operators.append(new)


def all_ensembles(model: Any) -> list[Any]:
    """The ensembles of a built model; none if its operators were put together by hand."""
    return [] if model.toplevel is None else list(model.toplevel.all_ensembles)


def _weight_owners(model: Any) -> Iterator[tuple[Any, Any]]:
    """Weight signals with the object they belong to; those of probes are left out."""
    for ensemble in all_ensembles(model):
        if "encoders" in model.sig[ensemble]:
            yield model.sig[ensemble]["encoders"], ensemble
    for connection in () if model.toplevel is None else model.toplevel.all_connections:
        if model.sig[connection].get("weights") is not None:
            yield model.sig[connection]["weights"], connection


def _spike_sources(model: Any) -> Iterator[tuple[Any, Any]]:
    """Output signals of spiking neurons with their ensembles."""
    for ensemble in all_ensembles(model):
        if ensemble.neuron_type.spiking:
            yield model.sig[ensemble.neurons]["out"], ensemble


def _per_spike(ensemble: nengo.Ensemble, dt_s: float) -> float:
    """Value of a neuron's output in a step with one spike."""
    return float(getattr(ensemble.neuron_type, "amplitude", 1.0)) / dt_s


def _dense(A: Any) -> FloatArray:
    """The weights as an array, also of a sparse transform: its zeros are pairs as well."""
    initial = A.initial_value
    if not A.sparse:
        return np.array(initial, dtype=np.float64, ndmin=2)
    matrix = initial.allocate() if hasattr(initial, "allocate") else initial
    dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    return np.array(dense, dtype=np.float64)


def _is_diagonal(weights: FloatArray) -> bool:
    n_out, n_in = weights.shape
    return n_out == n_in and n_out > 1 and not np.any(weights - np.diag(np.diag(weights)))
