"""What an agent with goals should look at: how far it is from where it should be."""

from __future__ import annotations

from typing import Any

import torch

from spikearm.models.sb3_actor import goal_matrix


class GoalFeatures(torch.nn.Module):
    """A features extractor for Stable-Baselines3: achieved goal, the way to the desired one, observation.

    The way, desired less achieved goal, is what reaching is about; agents that have to find the small
    difference of two large inputs by themselves learn several times slower. It is a linear map without
    parameters, so that :func:`~spikearm.models.sb3_actor.actor_layers` can read it. It cannot be part of the
    environment's observation: hindsight replaces the desired goal of what was seen, and nothing else.

    Use it as ``policy_kwargs={"features_extractor_class": GoalFeatures}``.

    Args:
        observation_space: Of a goal environment: a dictionary of "achieved_goal", "desired_goal",
            "observation".
        unit: Length of the way that counts as 1, in the goals' unit.
    """

    def __init__(self, observation_space: Any, unit: float = 0.1) -> None:
        super().__init__()
        sizes = {name: int(space.shape[0]) for name, space in observation_space.spaces.items()}
        matrix = torch.as_tensor(goal_matrix(sizes, unit=unit), dtype=torch.float32)
        self.register_buffer("matrix", matrix)
        self.features_dim = len(matrix)

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        """Features, shape (n, features_dim)."""
        flat = torch.cat([observations[name] for name in sorted(observations)], dim=1)
        return flat @ self.get_buffer("matrix").T
