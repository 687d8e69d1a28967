"""Meta-training of the state encoder: features in which any missing torque is quick to learn.

The idea of Neural-Fly (O'Connell et al. 2022, Science Robotics 7 eabm6597), carried over to spiking
neurons that learn by PES: over many perturbations, a network is trained so that what each of them adds
to the torque is learned well *online* by a linear read-out. Here the read-out is the decoder of an
ensemble of LIF neurons over the features, and online learning is the real one: PES on the task torque of a
loop that repeats a session of reaches (:mod:`spikearm.models.online_training`). It has a closed form, so
the end effector's error after some repetitions is differentiated straight back into the encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from nengo.dists import CosineSimilarity
from numpy.typing import NDArray
from torch import nn

from spikearm.errors import ConfigError
from spikearm.models.adaptive import RAW_ACTIVE_AREA
from spikearm.models.encoder import StateEncoder
from spikearm.models.online_training import LearningLoop
from spikearm.models.scaling import StateScaling
from spikearm.models.training_config import TrainingConfig
from spikearm.records import FloatArray

Indices: TypeAlias = NDArray[np.int64]

_TAU_RC_S, _TAU_REF_S = 0.02, 0.002  # nengo.LIF's defaults
_START_RATE = 0.35  # activation of a unit at one deviation, before training
_START_SPREAD = 0.18  # deviation of each feature then
_GAIN_PER_S = 25.0
"""Speed of learning in the loop that an encoder asks for: two thirds of what makes it unstable (iiwa14)."""
_MAX_RATE = 0.5  # Nengo warns of rates from 1 on: neurons that hardly fire learn no faster
_SMOOTHING = 0.05  # of the LIF threshold, in units of the threshold current (Hunsberger and Eliasmith 2015)


@dataclass(frozen=True)
class TaskSet:
    """Sessions of reaches, and under several perturbations each the torque that is missing along them.

    Attributes:
        states: (q, dq) in physical units, shape (n_sessions, n_samples, n_state).
        mobility: Acceleration of the end effector per joint torque [m/s^2 / N m], shape
            (n_sessions, n_samples, 3, n_joints).
        torques: Missing torque that acts on the task [N m], shape
            (n_sessions, n_perturbations, n_samples, n_joints).
        dt_s: Time between samples [s].
    """

    states: FloatArray
    mobility: FloatArray
    torques: FloatArray
    dt_s: float

    def __post_init__(self) -> None:
        sessions, samples = self.states.shape[:2]
        n_joints = self.torques.shape[-1]
        if self.mobility.shape != (sessions, samples, 3, n_joints) or self.torques.shape != (
            sessions,
            self.torques.shape[1],
            samples,
            n_joints,
        ):
            raise ConfigError(
                "states, mobility and torques must be (n_sessions, n_samples, n_state), (n_sessions, "
                "n_samples, 3, n_joints) and (n_sessions, n_perturbations, n_samples, n_joints); got "
                f"{self.states.shape}, {self.mobility.shape} and {self.torques.shape}."
            )


@dataclass(frozen=True)
class TrainedEncoder:
    """Result of a training.

    Attributes:
        encoder: The encoder.
        train_loss: Mean loss of the last tenth of the steps.
        validation_loss: Share of the end effector's error that is left after the last repetition, on
            new perturbations of the families trained on, by the closed form.
        raw_state_loss: The same with the scaled state itself in place of the features.
    """

    encoder: StateEncoder
    train_loss: float
    validation_loss: float
    raw_state_loss: float


class _Perceptron(nn.Module):
    """The encoder as torch sees it; ``StateEncoder.features`` is the same in NumPy."""

    def __init__(self, n_state: int, config: TrainingConfig) -> None:
        super().__init__()
        self.h1 = nn.Linear(n_state, config.n_hidden)
        self.h2 = nn.Linear(config.n_hidden, config.n_hidden)
        self.out = nn.Linear(config.n_hidden, config.n_features or n_state + 1, bias=False)
        self._noise, self._noise_floor = config.weight_noise, config.weight_noise_floor

    def start_from_the_state(self, deviation: torch.Tensor) -> None:
        """Let the features be the state itself, whitened, on a sphere; the other units are free to learn.

        Random features would first have to learn what the state already tells. Two units carry each number
        of the state, one its positive and one its negative part, and one unit that always fires carries what
        the sphere has more dimensions than the state. A perceptron too small for that stays random.

        Args:
            deviation: Standard deviation of each number of the scaled state, shape (n_state,).
        """
        n = len(deviation)
        if self.out.out_features < n + 1 or self.h1.out_features < 2 * n + 1:
            return
        gain = _START_RATE / deviation.clamp(min=0.02)
        whole = torch.eye(2 * n)
        self.h1.weight[2 * n :] *= 3.0
        self.h1.weight[: 2 * n] = (whole[:, :n] - whole[:, n:]) * gain
        self.h2.weight[: 2 * n + 1] = 0.0
        self.h2.weight[: 2 * n, : 2 * n] = whole
        for layer in (self.h1, self.h2):
            layer.bias[: 2 * n] = 0.0
        self.h2.bias[2 * n] = 1.0
        self.out.weight *= 0.1
        self.out.weight[:, : 2 * n + 1] = 0.0
        self.out.weight[:n, : 2 * n] = _START_SPREAD / _START_RATE * (whole[:n] - whole[n:])
        self.out.weight[n, 2 * n] = max(0.05, 1.0 - n * _START_SPREAD**2) ** 0.5

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features, and activations of the last hidden layer: what the read-out's synapses see as spikes.

        With noise, every call is a chip of its own.
        """
        h1 = torch.relu(self._apply_layer(self.h1, x))
        h2 = torch.relu(self._apply_layer(self.h2, h1))
        return self._apply_layer(self.out, h2), h2

    def _apply_layer(self, layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        weight: torch.Tensor = layer.weight
        if self._noise:
            weight = weight + weight_scatter(weight.detach(), self._noise, self._noise_floor)
        result: torch.Tensor = nn.functional.linear(x, weight, layer.bias)
        return result


def train_encoder(
    arm: str,
    scaling: StateScaling,
    training: TaskSet,
    validation: TaskSet,
    config: TrainingConfig,
    *,
    torque_scale: float,
    max_rates_hz: tuple[float, float],
    gains: tuple[float, float],
    progress: Callable[[int, float], None] | None = None,
) -> TrainedEncoder:
    """Train from scratch; the same arguments give the same weights on the same machine.

    Args:
        arm: Name the weights will carry.
        scaling: Scaling of the state.
        training: Perturbations to learn from.
        validation: Perturbations to judge by.
        config: How to train.
        torque_scale: Torque the read-out represents as 1 [N m].
        max_rates_hz: As in :class:`~spikearm.models.adaptive.AdaptiveNetwork`.
        gains: Stiffness [1/s^2] and damping [1/s] of the law that the network is to help.
        progress: Called with the step and its loss.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    population = _Population(config.n_neurons, config.active_area, max_rates_hz, rng)
    tasks, to_judge = (_Tensors(tasks, scaling, torque_scale, gains) for tasks in (training, validation))
    perceptron = _Perceptron(scaling.size, config)
    with torch.no_grad():
        perceptron.start_from_the_state(tasks.states.std((0, 1)))
    optimizer = torch.optim.Adam(perceptron.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.n_steps)

    losses = []
    for step in range(config.n_steps):
        sessions, perturbations = tasks.draw(config.batch_tasks, rng)
        states = tasks.states[sessions]
        features, activations = perceptron(states + config.state_noise * torch.randn_like(states))
        population.draw(features.shape[-1])
        low, high = config.gain_per_s
        gain = torch.tensor(low * (high / low) ** rng.random(len(sessions)), dtype=torch.float32)
        first, last = tasks.left(population(features), sessions, perturbations, gain, config.n_repeats)
        loss = last.mean() + config.first_weight * first.mean()
        total = loss + _range_penalty(features) + 1e-2 * _activity_penalty(activations)
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(perceptron.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if progress is not None:
            progress(step, losses[-1])

    with torch.no_grad():
        raw = to_judge.states / torch.linalg.vector_norm(to_judge.states, dim=-1, keepdim=True).clamp(min=1.0)
        validation_loss, activity = _validate(
            lambda: perceptron(to_judge.states)[0], to_judge, population, config
        )
        whole = _Population(config.n_neurons, RAW_ACTIVE_AREA, max_rates_hz, rng)
        raw_state_loss, _ = _validate(lambda: raw, to_judge, whole, config)
    rate = min(_MAX_RATE, _GAIN_PER_S / (1e4 * activity))
    return TrainedEncoder(
        encoder=_export(arm, scaling, perceptron, config.active_area, rate),
        train_loss=float(np.mean(losses[-max(1, config.n_steps // 10) :])),
        validation_loss=validation_loss,
        raw_state_loss=raw_state_loss,
    )


def weight_scatter(
    weight: torch.Tensor, coefficients: tuple[float, ...], lowest: float = 0.0
) -> torch.Tensor:
    """What programming on differential pairs adds to a layer's weights.

    The inputs of one unit lie in one column of a crossbar, scaled so that the largest of them is a device
    at full conductance. Both devices of a pair scatter: the one that carries the weight, and the one at its
    smallest conductance. Either may end above its largest target, neither below 0.

    Args:
        weight: Shape (n_units, n_inputs).
        coefficients: Deviation of a device as a polynomial in its place in the range, relative to the range.
        lowest: Place of a conductance of 0, 0 or negative.
    """
    scale = weight.abs().amax(dim=1, keepdim=True)
    x = weight.abs() / scale.clamp(min=1e-12)
    sigma = torch.zeros_like(x)
    for c in reversed(coefficients):
        sigma = sigma * x + c
    carrier = (x + sigma * torch.randn_like(x)).clamp(min=lowest) - x
    other = (coefficients[0] * torch.randn_like(x)).clamp(min=lowest)
    return torch.where(weight >= 0, 1.0, -1.0) * scale * (carrier - other)


class _Population:
    """LIF neurons with smoothed rate curves, drawn as :class:`AdaptiveNetwork` draws them."""

    def __init__(
        self,
        n_neurons: int,
        area: tuple[float, float, float],
        max_rates_hz: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        self._n, self._area, self._rates, self._rng = n_neurons, area, max_rates_hz, rng

    def draw(self, n_dimensions: int) -> None:
        """New encoders, intercepts and maximum rates."""
        encoders = self._rng.standard_normal((self._n, n_dimensions))
        encoders /= np.linalg.norm(encoders, axis=1, keepdims=True)
        fraction = self._rng.triangular(*self._area, size=self._n)
        intercepts = CosineSimilarity(n_dimensions).ppf(1.0 - fraction)
        max_rates = self._rng.uniform(*self._rates, size=self._n)
        # Gain and bias from the two points of the tuning curve, as nengo.LIF.gain_bias.
        x = 1.0 / (1.0 - np.exp((_TAU_REF_S - 1.0 / max_rates) / _TAU_RC_S))
        gain = (1.0 - x) / (intercepts - 1.0)
        self._encoders = torch.tensor(encoders * gain[:, None], dtype=torch.float32)
        self._bias = torch.tensor(1.0 - gain * intercepts, dtype=torch.float32)

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Firing rates in units of 100 Hz, shape (..., n_neurons)."""
        current = features @ self._encoders.T + self._bias
        above = _SMOOTHING * nn.functional.softplus((current - 1.0) / _SMOOTHING) + 1e-9
        return 0.01 / (_TAU_REF_S + _TAU_RC_S * torch.log1p(1.0 / above))


class _Tensors:
    """A task set as torch sees it, with the loop it is learned in."""

    def __init__(
        self, tasks: TaskSet, scaling: StateScaling, torque_scale: float, gains: tuple[float, float]
    ) -> None:
        kp, kd = gains
        self.states = torch.tensor(scaling(tasks.states), dtype=torch.float32)
        self._mobility = torch.tensor(tasks.mobility, dtype=torch.float32)
        self._missing = torch.tensor(tasks.torques / torque_scale, dtype=torch.float32)
        self._loop = LearningLoop(tasks.states.shape[1], tasks.dt_s, kp=kp, kd=kd)

    @property
    def n_perturbations(self) -> int:
        """Of each session."""
        return int(self._missing.shape[1])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """Different sessions, and one perturbation in each."""
        sessions = rng.choice(len(self.states), size=min(n, len(self.states)), replace=False)
        return sessions, rng.integers(self.n_perturbations, size=len(sessions))

    def left(
        self,
        activity: torch.Tensor,
        sessions: Indices,
        perturbations: Indices,
        gain: torch.Tensor,
        n_repeats: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Share of the error that is left in the first and in the last repetition, each shape (b,)."""
        first, last, without = self._loop.errors(
            activity, self._missing[sessions, perturbations], self._mobility[sessions], gain, n_repeats
        )
        # The constant keeps perturbations that hardly do anything from dominating.
        return first / (without + 1e-6), last / (without + 1e-6)


def _range_penalty(features: torch.Tensor) -> torch.Tensor:
    """Features belong on the unit sphere, where a neuron is active in just its share of the space."""
    return 2.0 * (torch.linalg.vector_norm(features, dim=-1) - 1.0).square().mean()


def _activity_penalty(activations: torch.Tensor) -> torch.Tensor:
    """Units that fire faster than intended cost energy, and saturate where a step allows one spike."""
    return torch.relu(activations - 1.0).pow(2).mean() + 0.1 * activations.mean()


def _validate(
    draw: Callable[[], torch.Tensor], tasks: _Tensors, population: _Population, config: TrainingConfig
) -> tuple[float, float]:
    """Mean of what is left, and of the squared activity, over draws of neurons (and of noisy weights)."""
    losses, activities = [], []
    sessions = np.arange(len(tasks.states))
    gain = torch.full((len(sessions),), float(np.sqrt(np.prod(config.gain_per_s))))
    for perturbation in range(tasks.n_perturbations):
        features = draw()
        population.draw(features.shape[-1])
        activity = population(features)
        chosen = np.full(len(sessions), perturbation)
        _, last = tasks.left(activity, sessions, chosen, gain, config.n_repeats)
        losses.append(last.mean().item())
        activities.append(activity.square().mean().item())
    return float(np.mean(losses)), float(np.mean(activities))


def _export(
    arm: str,
    scaling: StateScaling,
    perceptron: _Perceptron,
    active_area: tuple[float, float, float],
    learning_rate: float,
) -> StateEncoder:
    def array(tensor: torch.Tensor) -> FloatArray:
        return np.asarray(tensor.detach().numpy(), dtype=np.float64)

    return StateEncoder(
        arm=arm,
        scaling=scaling,
        w1=array(perceptron.h1.weight),
        b1=array(perceptron.h1.bias),
        w2=array(perceptron.h2.weight),
        b2=array(perceptron.h2.bias),
        w3=array(perceptron.out.weight),
        active_area=active_area,
        learning_rate=learning_rate,
    )
