"""What a step costs, in its reward."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from spikearm.errors import ConfigError, UnknownNameError


class EnergyCost(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Subtracts weighted entries of ``info`` from the reward: joules, seconds, spikes.

    ``info["reward_cost"]`` is what was subtracted, as a negative number. Every environment has the mechanical
    work ``energy_j``; :class:`ControllerInLoop` adds ``energy_model_j``, ``latency_model_s``, ``spikes`` and
    more. Modelled and measured figures are different kinds of evidence: give each its own weight.

    Args:
        env: The environment.
        weights: Reward per unit of each entry, ``{"energy_j": 0.1}``; positive.

    Raises:
        ConfigError: There is no weight, or one is negative or not finite.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], weights: Mapping[str, float]) -> None:
        RecordConstructorArgs.__init__(self, weights=dict(weights))
        gymnasium.Wrapper.__init__(self, env)
        if not weights:
            raise ConfigError("EnergyCost needs at least one weight, e.g. {'energy_j': 0.1}.")
        for name, weight in weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ConfigError(f"weight of {name} must be a number of 0 or more, not {weight!r}.")
        self._weights = dict(weights)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out one action and pay for it.

        Raises:
            UnknownNameError: ``info`` has no such entry.
        """
        observed, reward, terminated, truncated, info = self.env.step(action)
        cost = 0.0
        for name, weight in self._weights.items():
            if name not in info:
                raise UnknownNameError("entry of info", name, info)
            cost += weight * float(info[name])
        return observed, float(reward) - cost, terminated, truncated, info | {"reward_cost": -cost}
