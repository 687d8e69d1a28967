"""Decoders for a substrate, fitted in closed loop to what its neurons really answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikearm.controller.spiking import target_inputs
from spikearm.envs.plant import MujocoPlant
from spikearm.hardware.backend import Backend, Program
from spikearm.launch.osc_data import CONTROL_DT_S, Reaching
from spikearm.models.osc import SpikingOSC
from spikearm.models.osc_readout import LeastSquares
from spikearm.records import FloatArray, Pose

_EVERY = 4
"""Ticks from one sample to the next: activities are filtered, neighbours say the same."""
_SETTLING = 50
"""Ticks before the first sample: filters start at zero."""
_PUSH, _PUSH_TICKS = 0.02, 100
"""Random torque while the teacher drives, relative to the arm's limits, and how long each push lasts."""


@dataclass(frozen=True)
class DecoderFit:
    """How decoders are fitted on a substrate.

    Attributes:
        n_reaches: Reaches out and back; the teacher drives in the first half, the network in the others.
        n_solves: How often the decoders are renewed while the network drives.
        noise: Ridge, as in :meth:`~spikearm.models.osc_readout.LeastSquares.solve`.
    """

    n_reaches: int = 16
    n_solves: int = 4
    noise: float = 3e-3


def fit_decoders(
    spec: SpikingOSC,
    backend: Backend,
    reaching: Reaching,
    fit: DecoderFit,
    rng: np.random.Generator,
    *,
    seed: int,
    metric: FloatArray | None = None,
    progress: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Least squares between the filtered activity and the analytic torque in the same states.

    Data are gathered where they will be needed (data set aggregation, Ross, Gordon and Bagnell 2011): first
    along the teacher's paths, pushed at random, then along those of the network with the decoders so far.

    Args:
        spec: The network, with decoders to start from.
        backend: The substrate.
        reaching: The arm, and the law that teaches.
        fit: How to fit.
        rng: Draws reaches and pushes.
        seed: Of the network and the substrate, as it will be compiled later.
        metric: Mean product of activities over samples where the spec's decoders are good, or None.
        progress: Called after every reach.

    Returns:
        Decoders, shape (n_joints, n_units).
    """
    weights = spec.weights
    program = backend.compile(dataclasses.replace(spec, observed=True), dt_s=CONTROL_DT_S, seed=seed)
    squares = LeastSquares(weights.n_units, weights.n_joints)
    start = spec.used_decoders()
    metric = np.zeros((weights.n_units, weights.n_units)) if metric is None else metric
    decoders = None
    n_taught = max(1, fit.n_reaches // 2)
    solve_every = max(1, (fit.n_reaches - n_taught) // fit.n_solves)
    try:
        for reach in range(fit.n_reaches):
            if reach >= n_taught and (reach - n_taught) % solve_every == 0:
                decoders = squares.solve(fit.noise, prior=(start, metric))
            _Rollout(spec, program, reaching, rng).run(decoders, squares)
            progress()
    finally:
        program.close()
    return squares.solve(fit.noise, prior=(start, metric))


class _Rollout:
    """One reach out and back, driven by the teacher or by the network."""

    def __init__(
        self, spec: SpikingOSC, program: Program, reaching: Reaching, rng: np.random.Generator
    ) -> None:
        self._program, self._rng = program, rng
        self._feedforward = spec.feedforward
        self._center = Pose(spec.weights.center[:3], spec.weights.center[3:])
        self._law = reaching.law(feedforward=spec.feedforward)
        self._schedule = reaching.draw(rng)
        self._plant = MujocoPlant(reaching.arm, control_dt_s=CONTROL_DT_S)
        self._limits = reaching.dynamics.torque_limits

    def run(self, decoders: FloatArray | None, squares: LeastSquares) -> None:
        """Drive with these decoders, or with the teacher's pushed torque if there are none yet."""
        self._program.reset()
        push = np.zeros_like(self._limits)
        for tick, target in enumerate(self._schedule):
            state = self._plant.read()
            output = self._law.compute(state, target)
            wanted = output.task + output.support
            inputs = target_inputs(self._center, target, feedforward=self._feedforward)
            inputs["state"] = np.concatenate((state.q, state.dq))
            activity = self._program.step(inputs).outputs["activity"]
            if tick >= _SETTLING and tick % _EVERY == 0:
                squares.add(activity, wanted)
            if tick % _PUSH_TICKS == 0:
                push = _PUSH * self._limits * self._rng.standard_normal(len(push))
            given = wanted + push if decoders is None or tick < _SETTLING else decoders @ activity
            self._plant.write(np.clip(given, -self._limits, self._limits))
        self._plant.close()
