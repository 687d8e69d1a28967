"""What the runs of ``adaptive-payload`` come to: normalised errors and comparisons, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from spikearm.launch.benchmark.adaptive_payload import (
    FREE,
    FREE_BLOCK,
    PD,
    PID,
    SEEN,
    AdaptivePayload,
    families_held_out,
    network_label,
    unperturbed,
    variants,
)
from spikearm.launch.benchmark.rows import Result, Variant, costs, runs_of
from spikearm.launch.benchmark.statistics import (
    bootstrap_mean,
    bootstrap_paired,
    normalised_error,
    percent_more,
)
from spikearm.records import FloatArray


def summarise(settings: AdaptivePayload, results: Mapping[str, Result]) -> list[dict[str, Any]]:
    """The blocks of the table, one per perturbation; rows of which a session is missing are left out.

    Args:
        settings: The protocol.
        results: Of the jobs, by key.
    """
    return [_Block(settings, name, results).document() for name in settings.perturbations]


class _Block:
    """All rows under one perturbation."""

    def __init__(self, settings: AdaptivePayload, perturbation: str, results: Mapping[str, Result]) -> None:
        self._settings, self._perturbation = settings, perturbation
        blocks = [(FREE_BLOCK, unperturbed(settings)), *((perturbation, v) for v in variants(settings))]
        self._runs: dict[str, tuple[Variant, Sequence[Result]]] = {}
        for block, variant in blocks:
            runs = runs_of(results, block, variant, settings.sessions)
            if runs is not None:
                self._runs[variant.label] = (variant, runs)
        n = settings.trials
        self._windows = {"first": slice(0, 1), "all": slice(0, n), "last": slice(n - settings.last, n)}

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "perturbation": self._perturbation,
            "held_out": self._perturbation in families_held_out(self._settings),
            "rows": [self._row(label) for label in self._runs],
            "encoder": self._encoder(),
        }

    def _row(self, label: str) -> dict[str, Any]:
        variant, runs = self._runs[label]
        normalised = {name: self._normalised(label, name) for name in self._windows}
        return {
            **variant.about(),
            "error_m": {name: self._estimate(self._errors(label, name)) for name in self._windows},
            "normalised": {n: self._estimate(e) for n, e in normalised.items() if e is not None},
            "minus_pid": self._minus_pid(normalised["last"]),
            "error_m_by_trial": [self._estimate(trial) for trial in _errors_m(runs).T],
            **costs(variant, runs),
        }

    def _errors(self, label: str, window: str) -> FloatArray:
        """Mean error of the window's trials [m], shape (sessions,)."""
        errors: FloatArray = _errors_m(self._runs[label][1])[:, self._windows[window]].mean(axis=1)
        return errors

    def _normalised(self, label: str, window: str) -> FloatArray | None:
        """The same on the scale of the session's own PD runs; None where these make no scale."""
        if not {FREE, PD, label} <= set(self._runs):
            return None
        values, zero, one = (self._errors(of, window) for of in (label, FREE, PD))
        return normalised_error(values, zero, one) if (one > zero).all() else None

    def _minus_pid(self, normalised: FloatArray | None) -> dict[str, float | None] | None:
        """Difference to PID in the last trials, session by session; below 0 is better."""
        pid = self._normalised(PID, "last")
        if normalised is None or pid is None:
            return None
        return bootstrap_paired(normalised, pid, np.subtract, self._rng()).document()

    def _encoder(self) -> list[dict[str, Any]]:
        """By how many percent rows with an encoder err more than the full-size one on the state itself."""
        backend = self._settings.backends[0]
        raw = network_label("raw", max(self._settings.neurons), backend)
        baseline = self._normalised(raw, "last")
        comparisons = []
        sizes = sorted(self._settings.neurons, reverse=True)
        behind = [state for state, (encoder, _) in SEEN.items() if encoder != "none"]
        for state, n_neurons in product(behind, sizes):
            label = network_label(state, n_neurons, backend)
            encoded = self._normalised(label, "last")
            if baseline is None or encoded is None:
                continue
            more = bootstrap_paired(encoded, baseline, percent_more, self._rng())
            comparisons.append({"label": label, "against": raw, "percent_more": more.document()})
        return comparisons

    def _estimate(self, values: FloatArray) -> dict[str, float | None]:
        return bootstrap_mean(values, self._rng()).document()

    def _rng(self) -> np.random.Generator:
        """The same resamples of sessions for every row."""
        return np.random.default_rng(self._settings.seed)


def _errors_m(runs: Sequence[Result]) -> FloatArray:
    """Mean error of each trial [m], shape (sessions, trials)."""
    return np.array([run["trials"]["mean_m"] for run in runs])
