"""Training of the reduced representation: PyTorch, needed for training only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from spikearm.models.osc_products import product_neurons
from spikearm.models.osc_rates import hidden_rates, parts
from spikearm.models.osc_readout import LeastSquares, random_accelerations
from spikearm.models.osc_samples import OscSamples
from spikearm.models.osc_training_config import OscTrainingConfig
from spikearm.models.osc_training_network import Perceptron
from spikearm.models.osc_weights import NEURONS, TASK_SIZE, Neurons, OscWeights
from spikearm.models.scaling import StateScaling
from spikearm.records import FloatArray

_POSITION_M, _LEVER_M = 1e-3, 0.5
"""Errors are measured by how far they move the hand: one millimetre, half a metre from the joint."""
_TYPICAL = np.repeat((3.0, 6.0), 3)
"""Accelerations that errors of the task's inertia are multiplied with [m/s^2, rad/s^2]."""
_MODE_ERROR = 0.3
_FULL = 0.998
"""Quantile of a unit's activation that becomes 1."""
_DEAD = 0.02
"""Units that stay below this part of the median unit are left out: they carry nothing."""
_STRONG = 3.0
"""Largest weight into a unit, relative to that of the median unit; beyond, the unit is scaled down and stays
below activation 1. Chips have one scale for the weights of an ensemble, and 8 bits."""
_MOTIONS = {1.0: 0.6, -1.0: 0.2, 0.0: 0.2}
"""Share of the states that are seen with their velocity, the opposite one, and none."""
_LAYOUT = 1
"""Marks the random numbers of the product neurons' layout."""


@dataclass(frozen=True)
class TaskGains:
    """Feedback that the network is trained for.

    Attributes:
        kp: Stiffness [1/s^2].
        damping: Damping of the task [1/s].
        null_damping: Damping of the posture [1/s].
    """

    kp: float
    damping: float
    null_damping: float


@dataclass(frozen=True)
class _Modes:
    """Principal components of the task's inertia, weighted by what matters."""

    mean: FloatArray
    components: FloatArray
    weight: FloatArray

    def coefficients(self, task: FloatArray) -> FloatArray:
        flat: FloatArray = (task * self.weight).reshape(len(task), -1) - self.mean
        return flat @ self.components.T

    def matrices(self, flat: FloatArray) -> FloatArray:
        matrices: FloatArray = flat.reshape(*flat.shape[:-1], *self.weight.shape) / self.weight
        return matrices


def train_osc(
    arm: str,
    scaling: StateScaling,
    center: FloatArray,
    samples: OscSamples,
    gains: TaskGains,
    config: OscTrainingConfig,
    *,
    progress: Callable[[int, float], None] | None = None,
) -> OscWeights:
    """Train the hidden layers and lay out the product neurons; decoders are still missing.

    Args:
        arm: Name the weights will carry.
        scaling: Of the state.
        center: Pose that displacements are counted from, shape (7,).
        samples: States with what the law makes of them.
        gains: Of the law.
        config: How to train.
        progress: Called with the step and its loss.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    modes = _modes(samples, config.n_modes)
    targets = _Targets(gains, modes, scaling, _linear_part(samples, scaling, gains))
    problem = _Problem(samples, targets)
    network = Perceptron(config, problem.deviation, problem.spread)
    _descend(network, problem, config, rng, progress)
    w1, b1, w2, b2 = _normalised(network, scaling(samples.state))
    wanted = targets.reduced(samples)
    reduce_bias = wanted.mean(axis=0)
    accelerations = random_accelerations(len(samples), np.random.default_rng((config.seed, _LAYOUT)))
    encoders, product_bias = product_neurons(
        accelerations, wanted[:, TASK_SIZE:], n_per_diagonal=config.n_per_diagonal
    )
    weights = OscWeights(
        arm=arm,
        kp=gains.kp,
        damping=gains.damping,
        center=center,
        scaling=scaling,
        command_range=np.ceil(1.2 * np.abs(wanted[:, :TASK_SIZE] + accelerations).max(axis=0)),
        w1=w1,
        b1=b1,
        w2=w2,
        b2=b2,
        skip=targets.skip,
        reduce_bias=reduce_bias,
        encoders=encoders,
        product_bias=product_bias,
        task_matrix=modes.matrices(modes.mean),
        task_modes=modes.matrices(modes.components),
        reductions={},
        readouts={},
    )
    reductions: dict[str, FloatArray] = {
        kind: _reduction(weights, samples.state, wanted - reduce_bias, config, kind) for kind in NEURONS
    }
    return replace(weights, reductions=reductions)


def _reduction(
    weights: OscWeights, state: FloatArray, wanted: FloatArray, config: OscTrainingConfig, neurons: Neurons
) -> FloatArray:
    """Decoders of the second layer."""
    fit = LeastSquares(len(weights.b2), wanted.shape[1])
    for part in parts(len(state)):
        fit.add(hidden_rates(weights, state[part], neurons), wanted[part])
    return fit.solve(config.decoder_noise)


def _modes(samples: OscSamples, n_modes: int) -> _Modes:
    weight = _TYPICAL / np.sqrt(samples.inertia.mean(axis=0))[:, None]
    flat = (samples.task * weight).reshape(len(samples), -1)
    mean = flat.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((flat - mean).T))
    return _Modes(mean, vectors[:, ::-1][:, :n_modes].T.copy(), weight)


def _linear_part(samples: OscSamples, scaling: StateScaling, gains: TaskGains) -> FloatArray:
    """What of the arm's share is linear in the scaled state, by least squares, shape (6, n_state)."""
    share, state = samples.arm_share(gains.kp, gains.damping), scaling(samples.state)
    skip, *_ = np.linalg.lstsq(state - state.mean(axis=0), share - share.mean(axis=0))
    return np.asarray(skip.T, dtype=np.float64)


@dataclass(frozen=True)
class _Targets:
    """What the hidden layers should say of a state.

    Attributes:
        gains: Of the law.
        modes: Of the task's inertia.
        scaling: Of the state.
        skip: What goes round the hidden layers.
    """

    gains: TaskGains
    modes: _Modes
    scaling: StateScaling
    skip: FloatArray

    def reduced(self, samples: OscSamples) -> FloatArray:
        """The arm's share without its linear part, and the modes, shape (n, 6 + n_modes)."""
        share = samples.arm_share(self.gains.kp, self.gains.damping)
        share -= self.scaling(samples.state) @ self.skip.T
        return np.concatenate((share, self.modes.coefficients(samples.task)), axis=1)

    def all(self, samples: OscSamples) -> FloatArray:
        """The same, and the support in both forms of the law."""
        supports = [
            samples.support_torque(
                feedforward=form, damping=self.gains.damping, null_damping=self.gains.null_damping
            )
            for form in (False, True)
        ]
        share, modes = np.split(self.reduced(samples), (TASK_SIZE,), axis=1)
        return np.concatenate((share, *supports, modes), axis=1)


class _Problem:
    """What the perceptron should say, in units of the errors that are still tolerable."""

    def __init__(self, samples: OscSamples, targets: _Targets) -> None:
        gains, modes, scaling = targets.gains, targets.modes, targets.scaling
        task = gains.kp * _POSITION_M * np.repeat((1.0, 1.0 / _LEVER_M), 3)
        support = gains.kp * _POSITION_M / _LEVER_M * samples.inertia.mean(axis=0)
        scale = np.concatenate((task, support, support, np.full(len(modes.components), _MODE_ERROR)))
        wanted = targets.all(samples)
        mean = wanted.mean(axis=0)
        self.deviation = scaling(samples.state).std(axis=0)
        self.spread = ((wanted - mean) / scale).std(axis=0)
        moved = [samples.moving(np.full(len(samples), factor)) for factor in _MOTIONS]
        self._states = torch.tensor(np.array([scaling(s.state) for s in moved]), dtype=torch.float32)
        scaled = np.array([(targets.all(s) - mean) / scale for s in moved])
        self._targets = torch.tensor(scaled, dtype=torch.float32)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Scaled states, and scaled targets."""
        motion = torch.from_numpy(rng.choice(len(_MOTIONS), size=n, p=tuple(_MOTIONS.values())))
        chosen = torch.from_numpy(rng.integers(self._states.shape[1], size=n))
        return self._states[motion, chosen], self._targets[motion, chosen]


def _descend(
    network: Perceptron,
    problem: _Problem,
    config: OscTrainingConfig,
    rng: np.random.Generator,
    progress: Callable[[int, float], None] | None,
) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.n_steps + 1
    )
    bent = (torch.arange(config.batch) < config.n_dead_time).float()[:, None]
    for step in range(config.n_steps):
        state, wanted = problem.draw(config.batch, rng)
        out, h2 = network(state, bent)
        error = (out - wanted).pow(2).mean()
        loss = error + 0.2 * torch.relu(h2 - 1.0).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step, error.item())


def _normalised(network: Perceptron, x: FloatArray) -> tuple[FloatArray, ...]:
    """Weights of both layers with units whose largest activation is 1; units that never fire are left out."""
    w1, b1, w2, b2 = (
        np.asarray(p.detach().numpy(), dtype=np.float64)
        for p in (network.h1.weight / network.deviation, network.h1.bias, network.h2.weight, network.h2.bias)
    )
    h1 = np.maximum(x @ w1.T + b1, 0.0)
    full, kept = _ranges(h1, w1)
    w1, b1, w2, h1 = w1[kept] / full[:, None], b1[kept] / full, w2[:, kept] * full, h1[:, kept] / full
    full, kept = _ranges(np.maximum(h1 @ w2.T + b2, 0.0), w2)
    return w1, b1, w2[kept] / full[:, None], b2[kept] / full


def _ranges(activation: FloatArray, weight: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """What becomes activation 1 in the units that are kept, and which these are."""
    full = np.quantile(activation, _FULL, axis=0)
    kept = np.flatnonzero(full > _DEAD * np.median(full))
    full = full[kept]
    largest = np.abs(weight[kept]).max(axis=1)
    return np.maximum(full, largest / (_STRONG * np.median(largest / full))), kept
