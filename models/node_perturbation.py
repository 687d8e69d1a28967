"""Node perturbation: a gradient-free learning rule that is told one number, the size of the error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import nengo
import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray


@dataclass(frozen=True)
class NodePerturbation:
    """Gradient-free: every torque is wiggled, and goes where the cost ``|error|^2 / 2`` falls.

    Multiplexed gradient descent (McCaughan et al. 2023, APL Machine Learning 1, 026118) with perturbations
    that are told apart by their frequency, applied to the outputs instead of to each weight: what one
    output's perturbation tells, presynaptic activity shares out among its weights, which is the exact
    chain rule of a linear read-out (node perturbation: Fiete and Seung 2006, PRL 97, 048104). With thousands
    of weights and seven outputs, that is a thousand times less noise per step.

    Joint j is wiggled by ``x_j = A sin(w_j t)``. Through the loop the task torque answers with ``-F x``, and
    the cost with ``-u F x``, to first order. The part of the cost that is in step with the eligibility
    ``z_j``, the perturbation as the loop will give it back, is therefore

        mean(cost z_j) = -u_j mean(z_j^2),    hence    error_j ~ cost z_j / mean(z_j^2),

    and that estimate takes the place of the error in PES. Only a scalar has to come back from the arm, and
    nothing of the arm has to be known but how late it answers: above the law's bandwidth ``F ~ kd / s``, and
    the eligibility is a leaky integral with ``trace_s`` near ``1 / kd``. Frequencies are odd multiples of one
    hertz, so that no sum or difference of two of them, which a squared error has as well, is a third.
    What the cost does slowly is subtracted (``baseline_s``), what is left of it averages out while learning.

    Attributes:
        amplitude: Of the perturbation of each torque, relative to the scale.
        lowest_hz: Frequency of the first joint's perturbation, an odd number of hertz; each of the others
            lies 2 Hz above the one before.
        trace_s: Time constant of the eligibility [s].
        baseline_s: Time constant of the mean that the cost is compared with [s].
        limit: Largest estimate of an error, relative to the scale.
        tau_s: Filter of the activities that learn [s].
    """

    amplitude: float = 0.05
    lowest_hz: int = 11
    trace_s: float = 0.045
    baseline_s: float = 0.05
    limit: float = 0.5
    tau_s: float = 0.012
    pace: ClassVar[float] = 0.05

    def __post_init__(self) -> None:
        for name in ("amplitude", "trace_s", "baseline_s", "limit", "tau_s"):
            _require_positive(name, getattr(self, name))
        if self.lowest_hz < 1 or self.lowest_hz % 2 == 0:
            raise ConfigError(
                f"lowest_hz must be an odd whole number of hertz, not {self.lowest_hz!r}; only sums of odd "
                "multiples keep clear of all other perturbations."
            )

    def teach(self, error: nengo.Node, learned: nengo.Node, *, scale: float) -> nengo.Node:
        """Perturb the torque, and estimate the error from its squared size alone."""
        n = error.size_out
        wiggle = nengo.Node(self.perturbation(n), size_out=n, label="perturbation")
        nengo.Connection(wiggle, learned, transform=self.amplitude, synapse=None)
        cost = nengo.Node(_half_square, size_in=n, size_out=1, label="cost")
        nengo.Connection(error, cost, synapse=None)
        change = nengo.Node(size_in=1, label="cost change")
        nengo.Connection(cost, change, synapse=None)
        nengo.Connection(cost, change, transform=-1.0, synapse=self.baseline_s)
        estimate = nengo.Node(self.estimator(n, scale), size_in=1, size_out=n, label="estimated error")
        nengo.Connection(change, estimate, synapse=None)
        return estimate

    def rule_type(self, rate: float) -> nengo.PES:
        """PES, of the estimated error."""
        return nengo.PES(rate, pre_synapse=nengo.Lowpass(self.tau_s))

    def perturbation(self, n: int) -> Any:
        """The perturbations of n torques as a function of time [s], each between -1 and 1."""
        omega = self._omega(n)
        return lambda t: np.sin(omega * t)

    def estimator(self, n: int, scale: float) -> Any:
        """From time [s] and the cost's change [(N m)^2] to the error it tells of [N m], shape (n,)."""
        omega, limit = self._omega(n), self.limit * scale
        answer = 1.0 / (1.0 + 1j * omega * self.trace_s)
        seen = 1j * omega * self.baseline_s / (1.0 + 1j * omega * self.baseline_s)
        gain = 2.0 / (self.amplitude * scale * np.abs(answer * seen))
        phase = np.angle(answer * seen)

        def estimate(t: float, change: FloatArray) -> FloatArray:
            told: FloatArray = np.clip(change * gain * np.sin(omega * t + phase), -limit, limit)
            return told

        return estimate

    def _omega(self, n: int) -> FloatArray:
        omega: FloatArray = 2.0 * math.pi * (self.lowest_hz + 2.0 * np.arange(n, dtype=np.float64))
        return omega


def _half_square(_t: float, x: FloatArray) -> float:
    return 0.5 * float(x @ x)


def _require_positive(name: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise ConfigError(f"{name} must be a positive number, not {value!r}.")
