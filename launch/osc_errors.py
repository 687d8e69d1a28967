"""How good the weights of the spiking controller are without spikes, on the states of some reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikearm.models.osc_rates import hidden_rates, rates, reduced_rates
from spikearm.models.osc_readout import random_commands, wanted_torque, with_constant
from spikearm.models.osc_samples import OscSamples
from spikearm.models.osc_weights import TASK_SIZE, OscWeights, readout_name
from spikearm.records import FloatArray

_STATES = 4096
"""States that torques are compared in, at most."""


@dataclass(frozen=True, eq=False)
class RateErrors:
    """Root mean square errors of rates without dynamics.

    Attributes:
        pose: Of the arm's share of the acceleration, divided by the stiffness: by how much the pose is
            misjudged [m, rad], shape (6,).
        torque_nm: Of the torque with random commands, by read-out [N m], each shape (n_joints,).
    """

    pose: FloatArray
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


def rate_errors(
    samples: OscSamples, weights: OscWeights, rng: np.random.Generator, *, null_damping: float
) -> RateErrors:
    """Errors in these states.

    Args:
        samples: States with what the law makes of them.
        weights: The network, with decoders for rates.
        rng: Source of the commands.
        null_damping: Of the posture [1/s].
    """
    reduced = reduced_rates(weights, samples.state, hidden_rates(weights, samples.state))
    share = samples.arm_share(weights.kp, weights.damping)
    some = samples[rng.permutation(len(samples))[:_STATES]]
    command = random_commands(some, weights, rng)
    activity = with_constant(rates(weights, some.state, command))
    torque_nm = {}
    for form in (False, True):
        wanted = wanted_torque(some, weights, command, feedforward=form, null_damping=null_damping)
        name = readout_name("rates", feedforward=form)
        torque_nm[name] = _rms(activity @ weights.readout(name).T - wanted)
    return RateErrors(_rms(reduced[:, :TASK_SIZE] - share) / weights.kp, torque_nm)


def linear_part(samples: OscSamples, weights: OscWeights) -> LinearPart:
    """How much of the arm's share of the acceleration is linear in these states."""
    share = samples.arm_share(weights.kp, weights.damping)
    rest = share - weights.scaling(samples.state) @ weights.skip.T
    explained: FloatArray = 1.0 - rest.var(axis=0) / share.var(axis=0)
    return LinearPart(explained, _rms(rest - weights.reduce_bias[:TASK_SIZE]) / weights.kp)


def _rms(error: FloatArray) -> FloatArray:
    root: FloatArray = np.sqrt(np.mean(np.square(error), axis=0))
    return root
