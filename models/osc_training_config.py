"""How the spiking operational-space controller is trained."""

from __future__ import annotations

from dataclasses import dataclass

from spikearm.errors import ConfigError


@dataclass(frozen=True)
class OscTrainingConfig:
    """How the reduced representation is trained and the neurons are laid out.

    Attributes:
        n_hidden1: Units of the first hidden layer.
        n_hidden2: Units of the second hidden layer.
        n_modes: Coefficients in which the task's inertia is expanded.
        n_per_diagonal: Neurons on each diagonal of a product.
        n_steps: Gradient steps.
        batch: States per step.
        learning_rate: Largest of Adam's rates in its cycle.
        spike_noise: Noise on activations during training, relative to their square root, as spikes make it.
        dead_time_share: Share of the states of a batch that are seen by neurons with dead time, as Loihi has
            them.
        decoder_noise: Variance of filtered spikes relative to the mean activity, for the decoders.
        seed: Seed of states, weights and batches.
    """

    n_hidden1: int = 256
    n_hidden2: int = 768
    n_modes: int = 8
    n_per_diagonal: int = 16
    n_steps: int = 30000
    batch: int = 256
    learning_rate: float = 1e-3
    spike_noise: float = 0.005
    dead_time_share: float = 0.5
    decoder_noise: float = 3e-4
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("n_hidden1", "n_hidden2", "n_modes", "n_per_diagonal", "n_steps", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("learning_rate", "decoder_noise"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}.")
        if not 0 <= self.spike_noise < 1:
            raise ConfigError(f"spike_noise must be in [0, 1), not {self.spike_noise}.")
        if not 0 <= self.dead_time_share <= 1:
            raise ConfigError(f"dead_time_share must be from 0 to 1, not {self.dead_time_share}.")
        if 0 < self.dead_time_share < 1 and self.n_dead_time in (0, self.batch):
            raise ConfigError(
                f"dead_time_share {self.dead_time_share} of a batch of {self.batch} is {self.n_dead_time} "
                "states; use 0, 1, or a share that leaves states of both kinds."
            )
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, not {self.seed}.")

    @property
    def n_dead_time(self) -> int:
        """States of a batch that are seen by neurons with dead time."""
        return round(self.dead_time_share * self.batch)
