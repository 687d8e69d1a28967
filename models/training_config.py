"""How a state encoder is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikearm.errors import ConfigError


@dataclass(frozen=True)
class TrainingConfig:
    """How the encoder is trained.

    Attributes:
        n_features: Dimensions the encoder reduces the state to.
        n_hidden: Units in each of the two hidden layers.
        n_neurons: LIF neurons of the read-out during training, drawn anew in every step so that the
            features suit any draw.
        n_steps: Gradient steps.
        batch_tasks: Perturbations per gradient step.
        learning_rate: Of Adam, decaying to zero along a cosine.
        ridge: Of the read-out, relative to a neuron population's mean squared activity.
        seed: Of weights, batches and draws of neurons.
    """

    n_features: int = 8
    n_hidden: int = 64
    n_neurons: int = 256
    n_steps: int = 4000
    batch_tasks: int = 32
    learning_rate: float = 2e-3
    ridge: float = 0.02
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("n_features", "n_hidden", "n_neurons", "n_steps", "batch_tasks"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, not {self.seed}.")
        if not (0 < self.learning_rate < math.inf and 0 < self.ridge < math.inf):
            raise ConfigError(
                f"learning_rate and ridge must be positive, not {self.learning_rate}, {self.ridge}."
            )
