"""Reads the actor out of an agent of Stable-Baselines3: SAC, TD3, DDPG, PPO or A2C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spikearm.errors import WeightsError
from spikearm.models.policy import Layers
from spikearm.records import FloatArray

_GOAL_PARTS = ("achieved_goal", "desired_goal", "observation")


def actor_layers(agent: Any) -> Layers:
    """The perceptron that gives an agent's deterministic action.

    Nothing of Stable-Baselines3 or PyTorch is imported: the modules are looked at as they are. An actor that
    sees goals is given the difference of desired and achieved goal in place of the desired one, with weights
    that make no difference: as two large inputs they would lose it among spikes and rounded weights.

    Args:
        agent: A trained agent whose observations are vectors, or dictionaries of vectors (hindsight).

    Raises:
        WeightsError: The agent has no actor of linear layers and rectified-linear units, its actions are not
            from -1 to 1, or it sees pictures, or states of the past, or features that cannot be read.
    """
    _check_agent(agent)
    actor = getattr(agent, "actor", None)
    if actor is not None and hasattr(actor, "latent_pi"):  # SAC
        return _layers([*actor.latent_pi, actor.mu], "tanh", _features(agent, actor.features_extractor))
    if actor is not None and hasattr(actor, "mu"):  # TD3, DDPG
        return _layers(list(actor.mu), "tanh", _features(agent, actor.features_extractor))
    policy = getattr(agent, "policy", None)
    if policy is not None and hasattr(policy, "mlp_extractor") and hasattr(policy, "action_net"):  # PPO, A2C
        modules = [*policy.mlp_extractor.policy_net, policy.action_net]
        squash = "tanh" if policy.squash_output else "clip"
        return _layers(modules, squash, _features(agent, policy.pi_features_extractor))
    raise WeightsError(
        f"{type(agent).__name__} has no actor that can be read; SAC, TD3, DDPG, PPO and A2C do."
    )


def _check_agent(agent: Any) -> None:
    """Refuse what a perceptron with actions from -1 to 1 cannot do."""
    for part in (getattr(agent, "policy", None), getattr(agent, "actor", None)):
        memory = next((name for name in ("lstm_actor", "lstm") if hasattr(part, name)), None)
        if memory:
            raise WeightsError(
                f"{type(agent).__name__} remembers the past (it has {memory}); train one that does not."
            )
    space = getattr(agent, "action_space", None)
    low, high = (np.asarray(getattr(space, name, np.nan)) for name in ("low", "high"))
    if space is not None and not ((low == -1.0).all() and (high == 1.0).all()):
        raise WeightsError(
            f"the agent has actions from {low.min():g} to {high.max():g}, they must be from -1 to 1: train "
            "it without wrappers of actions, and set action_scale of the environment instead."
        )


def flat_observation(observation: Any) -> FloatArray:
    """An observation as the actor sees it: dictionaries are joined in the order of their keys."""
    if isinstance(observation, dict):
        parts = [np.asarray(observation[key], dtype=np.float64) for key in sorted(observation)]
        joined: FloatArray = np.concatenate(parts, axis=-1)
        return joined
    return np.asarray(observation, dtype=np.float64)


def goal_matrix(sizes: Mapping[str, int], *, unit: float = 1.0) -> FloatArray:
    """From a flat observation with goals to achieved goal, the way to the desired one, and observation.

    Args:
        sizes: Numbers in "achieved_goal", "desired_goal" and "observation".
        unit: Length of the way that counts as 1, in the goals' unit.

    Returns:
        Square and invertible, shape (n, n).

    Raises:
        WeightsError: These are not the parts of such an observation.
    """
    if sorted(sizes) != list(_GOAL_PARTS) or sizes["achieved_goal"] != sizes["desired_goal"]:
        raise WeightsError(
            f"observations with goals have {', '.join(_GOAL_PARTS)}, both goals of one size; "
            f"got {dict(sizes)}."
        )
    n = sizes["achieved_goal"]
    matrix = np.eye(sum(sizes.values()))
    matrix[n : 2 * n, :n] = -np.eye(n)
    matrix[n : 2 * n] /= unit
    return matrix


def _features(agent: Any, extractor: Any) -> tuple[FloatArray, FloatArray] | None:
    """Matrices on a flat observation: what a spiking network should be given, and what the actor takes."""
    spaces = getattr(agent.observation_space, "spaces", {})
    sizes = {name: int(np.prod(space.shape)) for name, space in spaces.items()}
    name = type(extractor).__name__
    if hasattr(extractor, "matrix"):  # GoalFeatures
        matrix = _array(extractor.matrix)
        return matrix, matrix
    flat = all(type(part).__name__ == "Flatten" for part in getattr(extractor, "extractors", {}).values())
    if name not in ("FlattenExtractor", "CombinedExtractor") or not flat:
        raise WeightsError(
            f"the actor's features come from a {name}; train it on vectors, with the default extractor or "
            "spikearm.models.policy_training.GoalFeatures."
        )
    if sorted(sizes) != list(_GOAL_PARTS):
        return None
    return goal_matrix(sizes), np.eye(sum(sizes.values()))


def _layers(modules: Sequence[Any], squash: str, features: tuple[FloatArray, FloatArray] | None) -> Layers:
    """The linear layers among an actor's modules; rectified-linear units stand between them, nothing else."""
    names = [type(module).__name__ for module in modules]
    if squash == "tanh" and names[-1] == "Tanh":  # TD3 bounds its actions with a module of its own
        modules, names = modules[:-1], names[:-1]
    for name in names:
        if name not in ("Linear", "ReLU"):
            raise WeightsError(
                f"the actor has a module {name}; train it with rectified-linear units, "
                "policy_kwargs={'activation_fn': torch.nn.ReLU}."
            )
    if names != ["Linear", "ReLU"] * (len(names) // 2) + ["Linear"]:
        raise WeightsError(
            f"the actor's modules are {', '.join(names)}; rectified-linear units must stand between linear "
            "layers, and only there."
        )
    linear = [module for module, name in zip(modules, names, strict=True) if name == "Linear"]
    weights = [_array(module.weight) for module in linear]
    if features is not None:
        given, taken = features
        weights[0] = weights[0] @ taken @ np.linalg.inv(given)
    return Layers(
        tuple(weights),
        tuple(_array(module.bias) for module in linear),
        squash,
        None if features is None else features[0],
    )


def _array(parameter: Any) -> FloatArray:
    values: FloatArray = parameter.detach().cpu().numpy().astype(np.float64)
    return values
