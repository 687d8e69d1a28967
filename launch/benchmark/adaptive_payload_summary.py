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
        """By how much rows err more than the full-size network on the state itself, on the same substrate.

        Smaller networks on the state are among them: what fewer neurons cost without an encoder.
        """
        first, *others = self._settings.backends
        full, *smaller = sorted(self._settings.neurons, reverse=True)
        behind = [state for state, (encoder, _) in SEEN.items() if encoder != "none"]
        compared = [
            *product(behind, (full, *smaller), (first,)),
            *product(("raw",), smaller, (first,)),
            *product(behind, (full,), others),
        ]
        pairs = [self._against(network_label(*row), network_label("raw", full, row[-1])) for row in compared]
        return [pair for pair in pairs if pair is not None]

    def _against(self, label: str, baseline: str) -> dict[str, Any] | None:
        """Two rows in the last trials: normalised errors in percent, the errors themselves beside them [m].

        The error without perturbation is in the errors themselves, and not in normalised ones: their
        percentages differ.
        """
        values, zero = self._normalised(label, "last"), self._normalised(baseline, "last")
        if values is None or zero is None:
            return None
        errors_m, zero_m = self._errors(label, "last"), self._errors(baseline, "last")
        return {
            "label": label,
            "against": baseline,
            "percent_more": bootstrap_paired(values, zero, percent_more, self._rng()).document(),
            "error_m": float(errors_m.mean()),
            "against_error_m": float(zero_m.mean()),
            "percent_more_m": bootstrap_paired(errors_m, zero_m, percent_more, self._rng()).document(),
        }

    def _estimate(self, values: FloatArray) -> dict[str, float | None]:
        return bootstrap_mean(values, self._rng()).document()

    def _rng(self) -> np.random.Generator:
        """The same resamples of sessions for every row."""
        return np.random.default_rng(self._settings.seed)


def _errors_m(runs: Sequence[Result]) -> FloatArray:
    """Mean error of each trial [m], shape (sessions, trials)."""
    return np.array([run["trials"]["mean_m"] for run in runs])
