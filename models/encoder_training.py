"""Meta-training of the state encoder: features in which any missing torque is quick to learn.

The idea of Neural-Fly (O'Connell et al. 2022, Science Robotics 7 eabm6597), carried over to spiking
neurons that learn by PES: over many perturbations, a network is trained so that what each of them adds
to the torque can be learned *online* by a linear read-out. Here the read-out is the decoder of an
ensemble of LIF neurons over the features, and "learned online" means ridge regression whose ridge stands
for the little time there is (gradient descent for a time T learns what ridge regression with a ridge of
about 1/T learns; Ali, Kolter and Tibshirani 2019, arXiv:1810.10082). The regression has a closed form, so
its error on other states of the same perturbation is differentiated straight back into the encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from nengo.dists import CosineSimilarity
from torch import nn

from spikearm.errors import ConfigError
from spikearm.models.encoder import StateEncoder
from spikearm.models.scaling import StateScaling
from spikearm.models.training_config import TrainingConfig
from spikearm.records import FloatArray

_TAU_RC_S, _TAU_REF_S = 0.02, 0.002  # nengo.LIF's defaults
_SMOOTHING = 0.05  # of the LIF threshold, in units of the threshold current (Hunsberger and Eliasmith 2015)


@dataclass(frozen=True)
class TaskSet:
    """Perturbations, each with states the arm visits and the torque it lacks there.

    Attributes:
        states: (q, dq) in physical units, shape (n_tasks, n_samples, n_state).
        torques: Missing torque [N m], shape (n_tasks, n_samples, n_joints).
    """

    states: FloatArray
    torques: FloatArray

    def __post_init__(self) -> None:
        if self.states.ndim != 3 or self.states.shape[:2] != self.torques.shape[:2]:
            raise ConfigError(
                f"states and torques must both be (n_tasks, n_samples, ...); got {self.states.shape} and "
                f"{self.torques.shape}."
            )


@dataclass(frozen=True)
class TrainedEncoder:
    """Result of a training.

    Attributes:
        encoder: The encoder.
        train_loss: Mean loss of the last tenth of the steps.
        validation_loss: Share of the missing torque's power that is left after the read-out has learned,
            on perturbations never trained on.
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
        self.out = nn.Linear(config.n_hidden, config.n_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.out(self.activations(x))
        return features

    def activations(self, x: torch.Tensor) -> torch.Tensor:
        """Of the last hidden layer: what the read-out's synapses see as spikes."""
        h2: torch.Tensor = torch.relu(self.h2(torch.relu(self.h1(x))))
        return h2


def train_encoder(
    arm: str,
    scaling: StateScaling,
    training: TaskSet,
    validation: TaskSet,
    config: TrainingConfig,
    *,
    torque_scale: float,
    active_area: tuple[float, float, float],
    max_rates_hz: tuple[float, float],
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
        active_area: As in :class:`~spikearm.models.adaptive.AdaptiveNetwork`.
        max_rates_hz: As there.
        progress: Called with the step and its loss.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    population = _Population(config.n_neurons, active_area, max_rates_hz, rng)
    x, y = _tensors(training, scaling, torque_scale)
    perceptron = _Perceptron(scaling.size, config)
    optimizer = torch.optim.Adam(perceptron.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.n_steps)

    losses = []
    for step in range(config.n_steps):
        tasks = rng.choice(len(x), size=min(config.batch_tasks, len(x)), replace=False)
        batch = x[tasks]
        features = perceptron(batch)
        population.draw(config.n_features)
        loss = _readout_loss(population(features), y[tasks], config.ridge)
        total = loss + _range_penalty(features) + 1e-2 * _activity_penalty(perceptron.activations(batch))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if progress is not None:
            progress(step, losses[-1])

    x_val, y_val = _tensors(validation, scaling, torque_scale)
    with torch.no_grad():
        validation_loss = _validate(perceptron(x_val), y_val, population, config)
        raw = x_val / torch.linalg.vector_norm(x_val, dim=-1, keepdim=True).clamp(min=1.0)
        raw_state_loss = _validate(raw, y_val, population, config)
    return TrainedEncoder(
        encoder=_export(arm, scaling, perceptron),
        train_loss=float(np.mean(losses[-max(1, config.n_steps // 10) :])),
        validation_loss=validation_loss,
        raw_state_loss=raw_state_loss,
    )


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


def _tensors(tasks: TaskSet, scaling: StateScaling, torque_scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.tensor(scaling(tasks.states), dtype=torch.float32)
    return x, torch.tensor(tasks.torques / torque_scale, dtype=torch.float32)


def _readout_loss(activity: torch.Tensor, torque: torch.Tensor, ridge: float) -> torch.Tensor:
    """Share of the torque's power left on the second half of each task after learning on the first."""
    half = activity.shape[1] // 2
    a_seen, a_new = activity[:, :half], activity[:, half:]
    gram = a_seen @ a_seen.transpose(1, 2) / half
    scale = gram.diagonal(dim1=1, dim2=2).mean(dim=1).detach() * half
    damped = gram + (ridge * scale)[:, None, None] * torch.eye(half)
    dual = torch.linalg.solve(damped, torque[:, :half])
    predicted = a_new @ (a_seen.transpose(1, 2) @ dual) / half
    power = (torque[:, half:] ** 2).mean(dim=(1, 2))
    left = ((predicted - torque[:, half:]) ** 2).mean(dim=(1, 2))
    # The constant keeps perturbations that hardly do anything from dominating.
    return (left / (power + 1e-4)).mean()


def _range_penalty(features: torch.Tensor) -> torch.Tensor:
    """Features belong in the unit ball, where tuning curves lie, and should fill it."""
    norm = torch.linalg.vector_norm(features, dim=-1)
    outside = torch.relu(norm - 1.0).pow(2).mean()
    return outside + (norm.pow(2).mean() - 0.5).pow(2)


def _activity_penalty(activations: torch.Tensor) -> torch.Tensor:
    """Units that fire faster than intended cost energy, and saturate where a step allows one spike."""
    return torch.relu(activations - 1.0).pow(2).mean() + 0.1 * activations.mean()


def _validate(
    features: torch.Tensor, torque: torch.Tensor, population: _Population, config: TrainingConfig
) -> float:
    """Mean loss over several draws of neurons."""
    losses = []
    for _ in range(8):
        population.draw(features.shape[-1])
        losses.append(_readout_loss(population(features), torque, config.ridge).item())
    return float(np.mean(losses))


def _export(arm: str, scaling: StateScaling, perceptron: _Perceptron) -> StateEncoder:
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
    )
