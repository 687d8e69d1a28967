"""The perceptron of the reduced representation while it is trained: PyTorch, needed for training only."""

from __future__ import annotations

import torch
from torch import nn

from spikearm.models.osc_rates import HIDDEN_HZ, bend
from spikearm.models.osc_training_config import OscTrainingConfig
from spikearm.records import FloatArray

_FORGET = 0.01
"""Share of each batch in what counts as a unit's largest activation."""
_SILENT = 1e-2
"""Units whose largest activation is below bend as if it were this."""


class _Range:
    """The largest activation of each unit in the batches of late: about what will be its activation 1."""

    def __init__(self) -> None:
        self._largest: torch.Tensor | None = None

    def updated(self, activation: torch.Tensor) -> torch.Tensor:
        """Take a batch, shape (n, n_units), and say what is largest now."""
        largest = torch.amax(activation, dim=0)
        self._largest = largest if self._largest is None else torch.lerp(self._largest, largest, _FORGET)
        return self._largest.clamp_min(_SILENT)


class Perceptron(nn.Module):
    """Two hidden layers with the noise of spikes on their activations.

    Some states of a batch are seen by neurons with dead time, whose curves are bent. Both kinds share the
    hidden layers; what is read from these is not the same.

    Args:
        config: Sizes and noise.
        deviation: Of the inputs, shape (n_state,).
        spread: Of the outputs, shape (n_outputs,).
    """

    def __init__(self, config: OscTrainingConfig, deviation: FloatArray, spread: FloatArray) -> None:
        super().__init__()
        # Layers are drawn for inputs of deviation 1; the states of reaches span a fraction of their range.
        self.deviation = torch.tensor(deviation, dtype=torch.float32)
        self.h1 = nn.Linear(len(deviation), config.n_hidden1)
        self.h2 = nn.Linear(config.n_hidden1, config.n_hidden2)
        self.out = nn.Linear(config.n_hidden2, len(spread))
        self.dead_time_out = nn.Linear(config.n_hidden2, len(spread))
        nn.init.zeros_(self.dead_time_out.weight)
        nn.init.zeros_(self.dead_time_out.bias)
        self._ranges = [_Range(), _Range()]
        self._noise = config.spike_noise
        self._spread = torch.tensor(spread, dtype=torch.float32)

    def forward(self, x: torch.Tensor, bent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scaled outputs, and activations of the second layer.

        Args:
            x: Scaled states, shape (n, n_state).
            bent: 1.0 for states that are seen by neurons with dead time, 0.0 for others, shape (n, 1).
        """
        h1 = self._bent(torch.relu(self.h1(x / self.deviation)), bent, self._ranges[0])
        h2 = self._bent(torch.relu(self.h2(self._noisy(h1))), bent, self._ranges[1])
        seen = self._noisy(h2)
        return (self.out(seen) + bent * self.dead_time_out(seen)) * self._spread, h2

    def _bent(self, activation: torch.Tensor, bent: torch.Tensor, largest: _Range) -> torch.Tensor:
        gain, loss = bend(HIDDEN_HZ)
        relative = activation / largest.updated(activation.detach())
        return activation * (1.0 + bent * (gain / (1.0 + loss * relative) - 1.0))

    def _noisy(self, activation: torch.Tensor) -> torch.Tensor:
        deviation = self._noise * torch.sqrt(activation.detach() + 0.02)
        return activation + deviation * torch.randn_like(activation)
