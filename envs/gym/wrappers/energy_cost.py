"""What a step costs, in its reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from spikearm.envs.gym.checks import check_number
from spikearm.errors import ConfigError, UnknownNameError

_ADD_NO_NUMBER = ("gymnasium.", "spikearm.")
"""Packages whose wrappers add no entry to ``info`` in each step that is one number."""


class EnergyCost(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Subtracts weighted entries of ``info`` from the reward: joules, seconds, spikes.

    Every environment has the mechanical work ``energy_j``; :class:`ControllerInLoop` adds ``energy_model_j``,
    ``latency_model_s``, ``spikes`` and more. Modelled and measured figures are different kinds of evidence:
    give each its own weight.

    ``info["reward_cost"]`` is what was subtracted, as a negative number; ``compute_reward`` of a goal
    environment takes it from there. Hindsight must be told to keep it: without ``copy_info_dict=True``
    Stable-Baselines3's ``HerReplayBuffer`` computes rewards from goals alone, as if nothing had a cost.

    Args:
        env: The environment.
        weights: Reward per unit of each entry, ``{"energy_j": 0.1}``; positive.

    Raises:
        ConfigError: There is no weight, or one is negative or not finite.
        UnknownNameError: ``info`` has no such entry. Where a wrapper of your own stands in between, which
            may add some, the first step tells.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], weights: Mapping[str, float]) -> None:
        if not (isinstance(weights, Mapping) and weights):
            raise ConfigError(
                f"EnergyCost needs at least one weight by name, e.g. {{'energy_j': 0.1}}; got {weights!r}."
            )
        known = _known_numbers(env)
        for name, weight in weights.items():
            if known is not None and name not in known:
                raise UnknownNameError("entry of info that is one number", str(name), known)
            check_number(f"weight of {name}", weight)
        RecordConstructorArgs.__init__(self, weights=dict(weights))
        gymnasium.Wrapper.__init__(self, env)
        self._weights = dict(weights)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out one action and pay for it.

        Raises:
            UnknownNameError: ``info`` has no such entry.
            ConfigError: The entry is not one number.
        """
        observed, reward, terminated, truncated, info = self.env.step(action)
        cost = 0.0
        for name, weight in self._weights.items():
            if name not in info:
                raise UnknownNameError("entry of info", name, info)
            cost += weight * _number(name, info[name])
        paid = info.get("reward_cost", 0.0) - cost  # this wrapper may stand around another one
        return observed, float(reward) - cost, terminated, truncated, info | {"reward_cost": paid}


def _known_numbers(env: gymnasium.Env[Any, Any]) -> tuple[str, ...] | None:
    """What ``info`` has that can be given a price; None if that is not known before the first step."""
    known: tuple[str, ...] = ()
    while not hasattr(type(env), "info_numbers"):
        if not (isinstance(env, gymnasium.Wrapper) and type(env).__module__.startswith(_ADD_NO_NUMBER)):
            return None
        if isinstance(env, EnergyCost):
            known = ("reward_cost",)
        env = env.env
    return (*env.get_wrapper_attr("info_numbers"), *known)


def _number(name: str, value: Any) -> float:
    if np.ndim(value) or not isinstance(value, (float, int, np.number, np.bool_)):
        raise ConfigError(f"{name} of info is not one number and has no price: {value!r}.")
    return float(value)
