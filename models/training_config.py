"""How a state encoder is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikearm.errors import ConfigError


@dataclass(frozen=True)
class TrainingConfig:
    """How the encoder is trained.

    Attributes:
        n_features: Dimensions the encoder gives the neurons; None means one more than the state has.
        n_hidden: Units in each of the two hidden layers.
        n_neurons: LIF neurons of the read-out during training, drawn anew in every step so that the
            features suit any draw.
        n_steps: Gradient steps.
        batch_tasks: Perturbations per gradient step.
        learning_rate: Of Adam, decaying to zero along a cosine.
        active_area: Part of the features' space a neuron is active in: lower end, mode and upper end.
            Features are drawn to the unit sphere, where narrow tuning tells states apart; the state itself
            lies in the middle of its ball, where narrow tuning would leave most neurons silent.
        gain_per_s: Lowest and highest speed of learning in the loop [1/s]: PES rate times mean squared
            activity. Loops with synapses of 12 ms become unstable at about 40 behind an encoder.
        n_repeats: Repetitions of the motion after which the error counts.
        first_weight: Weight of the first repetition's error against that of the last.
        state_noise: Deviation of the arm from its path during training, relative to the scaled state.
        weight_noise: Scatter of weights during training: coefficients of a polynomial in the size of a
            weight, both relative to the largest weight into the same unit. Empty for exact weights.
        weight_noise_floor: Below what a device cannot scatter, in the same unit: 0, or negative where the
            smallest weight is not a conductance of 0.
        seed: Seed of weights, batches and draws of neurons.
    """

    n_features: int | None = None
    n_hidden: int = 64
    n_neurons: int = 300
    n_steps: int = 250
    batch_tasks: int = 8
    learning_rate: float = 1.5e-3
    active_area: tuple[float, float, float] = (0.05, 0.1, 0.15)
    gain_per_s: tuple[float, float] = (15.0, 40.0)
    n_repeats: int = 6
    first_weight: float = 0.5
    state_noise: float = 0.005
    weight_noise: tuple[float, ...] = ()
    weight_noise_floor: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("n_features", "n_hidden", "n_neurons", "n_steps", "batch_tasks", "n_repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, not {self.seed}.")
        for name in ("first_weight", "state_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be 0 or more and finite, not {getattr(self, name)}.")
        if not all(map(math.isfinite, self.weight_noise)):
            raise ConfigError(f"weight_noise must be finite, not {self.weight_noise}.")
        if not -1 < self.weight_noise_floor <= 0:
            raise ConfigError(f"weight_noise_floor must lie in (-1, 0], not {self.weight_noise_floor}.")
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate must be positive, not {self.learning_rate}.")
        self._check_ranges()

    def _check_ranges(self) -> None:
        low, mode, high = self.active_area
        if not (0 < low <= mode <= high < 1 and low < high):
            raise ConfigError(f"active_area must be three shares in order, not {self.active_area}.")
        low, high = self.gain_per_s
        if not 0 < low <= high < math.inf:
            raise ConfigError(f"gain_per_s must be two positive numbers in order, not {self.gain_per_s}.")
