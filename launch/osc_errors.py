"""How good the weights of the spiking controller are without dynamics, on the states of some reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikearm.models.osc_rates import hidden_rates, parts, rates, reduced_rates
from spikearm.models.osc_readout import random_commands, wanted_torque, with_constant
from spikearm.models.osc_samples import OscSamples
from spikearm.models.osc_weights import NEURONS, TASK_SIZE, Neurons, OscWeights, readout_name
from spikearm.records import FloatArray

_STATES = 4096
"""States that torques are compared in, at most."""


@dataclass(frozen=True, eq=False)
class MeanErrors:
    """Root mean square errors of what each kind of neurons answers in the mean, without dynamics.

    Attributes:
        pose: Of the arm's share of the acceleration, divided by the stiffness: by how much the pose is
            misjudged [m, rad], by kind of neurons, each shape (6,).
        torque_nm: Of the torque with random commands, by read-out [N m], each shape (n_joints,).
    """

    pose: dict[Neurons, FloatArray]
    torque_nm: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class LinearPart:
    """What of the arm's share of the acceleration goes round the neurons.

    Attributes:
        explained: Share of its variance that the linear part explains, shape (6,).
        pose_alone: By how much the pose would be misjudged without the neurons [m, rad], shape (6,).
    """

    explained: FloatArray
    pose_alone: FloatArray


def mean_errors(
    samples: OscSamples, weights: OscWeights, rng: np.random.Generator, *, null_damping: float
) -> MeanErrors:
    """Errors in these states; all kinds of neurons meet the same commands.

    Args:
        samples: States with what the law makes of them.
        weights: The network, with decoders for every kind of neurons.
        rng: Source of the commands.
        null_damping: Of the posture [1/s].
    """
    some = samples[rng.permutation(len(samples))[:_STATES]]
    command = random_commands(some, weights, rng)
    activity = {kind: with_constant(rates(weights, some.state, command, kind)) for kind in NEURONS}
    torque_nm = {}
    for form in (False, True):
        wanted = wanted_torque(some, weights, command, feedforward=form, null_damping=null_damping)
        for kind in NEURONS:
            name = readout_name(kind, feedforward=form)
            torque_nm[name] = _rms(activity[kind] @ weights.readout(name).T - wanted)
    return MeanErrors({kind: _pose_error(samples, weights, kind) for kind in NEURONS}, torque_nm)


def _pose_error(samples: OscSamples, weights: OscWeights, neurons: Neurons) -> FloatArray:
    state, share = samples.state, samples.arm_share(weights.kp, weights.damping)
    error = np.empty_like(share)
    for part in parts(len(samples)):
        h2 = hidden_rates(weights, state[part], neurons)
        error[part] = reduced_rates(weights, state[part], h2, neurons)[:, :TASK_SIZE] - share[part]
    return _rms(error) / weights.kp


def linear_part(samples: OscSamples, weights: OscWeights) -> LinearPart:
    """How much of the arm's share of the acceleration is linear in these states."""
    share = samples.arm_share(weights.kp, weights.damping)
    rest = share - weights.scaling(samples.state) @ weights.skip.T
    explained: FloatArray = 1.0 - rest.var(axis=0) / share.var(axis=0)
    return LinearPart(explained, _rms(rest - weights.reduce_bias[:TASK_SIZE]) / weights.kp)


def _rms(error: FloatArray) -> FloatArray:
    root: FloatArray = np.sqrt(np.mean(np.square(error), axis=0))
    return root
