"""Reads the actor out of an agent of Stable-Baselines3: SAC, TD3, DDPG, PPO or A2C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikearm.errors import WeightsError
from spikearm.models.policy import Layers
from spikearm.records import FloatArray


def actor_layers(agent: Any) -> Layers:
    """The perceptron that gives an agent's deterministic action.

    Nothing of Stable-Baselines3 or PyTorch is imported: the modules are looked at as they are.

    Args:
        agent: A trained agent whose observations are vectors, or dictionaries of vectors (hindsight).

    Raises:
        WeightsError: The agent has no actor of linear layers and rectified-linear units, or it sees pictures,
            or states of the past.
    """
    actor = getattr(agent, "actor", None)
    if actor is not None and hasattr(actor, "latent_pi"):  # SAC
        return _layers([*actor.latent_pi, actor.mu], "tanh")
    if actor is not None and hasattr(actor, "mu"):  # TD3, DDPG
        return _layers(list(actor.mu), "tanh")
    policy = getattr(agent, "policy", None)
    if policy is not None and hasattr(policy, "mlp_extractor") and hasattr(policy, "action_net"):  # PPO, A2C
        return _layers([*policy.mlp_extractor.policy_net, policy.action_net], "clip")
    raise WeightsError(
        f"{type(agent).__name__} has no actor that can be read; SAC, TD3, DDPG, PPO and A2C do."
    )


def flat_observation(observation: Any) -> FloatArray:
    """An observation as the actor sees it: dictionaries are joined in the order of their keys."""
    if isinstance(observation, dict):
        parts = [np.asarray(observation[key], dtype=np.float64) for key in sorted(observation)]
        joined: FloatArray = np.concatenate(parts, axis=-1)
        return joined
    return np.asarray(observation, dtype=np.float64)


def _layers(modules: Sequence[Any], squash: str) -> Layers:
    """The linear layers among an actor's modules; between them only rectified-linear units are allowed."""
    names = [type(module).__name__ for module in modules]
    if squash == "tanh" and names[-1] == "Tanh":  # TD3 bounds its actions with a module of its own
        modules, names = modules[:-1], names[:-1]
    for name in names:
        if name not in ("Linear", "ReLU", "Flatten", "Identity"):
            raise WeightsError(
                f"the actor has a {name} module; train it with rectified-linear units, "
                "policy_kwargs={'activation_fn': torch.nn.ReLU}."
            )
    linear = [module for module, name in zip(modules, names, strict=True) if name == "Linear"]
    return Layers(
        tuple(_array(module.weight) for module in linear),
        tuple(_array(module.bias) for module in linear),
        squash,
    )


def _array(parameter: Any) -> FloatArray:
    values: FloatArray = parameter.detach().cpu().numpy().astype(np.float64)
    return values
