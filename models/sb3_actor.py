"""Reads the actor out of an agent of Stable-Baselines3: SAC, TD3, DDPG, PPO or A2C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikearm.errors import WeightsError
from spikearm.models.policy import Layers
from spikearm.records import FloatArray

_GOAL_PARTS = ("achieved_goal", "desired_goal", "observation")
_LEAST_CLIP = 5.0
"""Least ``clip_obs`` taken for none [standard deviations]: one normal number in two million is beyond it."""


def actor_layers(agent: Any) -> Layers:
    """The perceptron that gives an agent's deterministic action.

    Nothing of Stable-Baselines3 or PyTorch is imported: the modules are looked at as they are. An actor that
    sees goals is given the difference of desired and achieved goal in place of the desired one, with weights
    that make no difference: as two large inputs they would lose it among spikes and rounded weights.

    Observations that ``VecNormalize`` shows the agent in standard deviations are given to the perceptron as
    the environment gives them: mean and deviation of training go into its first layer. It does not cut them
    at ``clip_obs``. An agent that was loaded without its ``VecNormalize`` does not tell of it: load it with
    ``env=VecNormalize.load(...)``.

    Args:
        agent: A trained agent whose observations are vectors, or dictionaries of vectors (hindsight).

    Raises:
        WeightsError: The agent has no actor of linear layers and rectified-linear units, its actions are not
            from -1 to 1, or it sees pictures, or states of the past, features that cannot be read, or
            observations that are cut near to what they usually are.
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
    if getattr(agent, "use_sde", False) and hasattr(getattr(agent, "actor", None), "latent_pi"):
        raise WeightsError(
            "the actor explores by its state and cuts its actions (use_sde=True); train it with "
            "use_sde=False."
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


@dataclass(frozen=True, eq=False)
class _Features:
    """Maps on a flat observation.

    Attributes:
        given: What a spiking network should be given, by a square matrix; None for the observation itself.
        taken: What the actor takes, by this matrix and an offset.
        offset: Added to what the matrix gives.
    """

    given: FloatArray | None
    taken: FloatArray
    offset: FloatArray


def _features(agent: Any, extractor: Any) -> _Features:
    """How a flat observation becomes what an actor's first layer is fed."""
    spaces = getattr(agent.observation_space, "spaces", None)
    if spaces is None:
        sizes = {"": int(np.prod(agent.observation_space.shape))}
    else:
        sizes = {name: int(np.prod(space.shape)) for name, space in spaces.items()}
    scale, mean = _normalisation(agent, sizes)
    given, taken = _read(extractor, sizes)
    return _Features(given, taken * scale, -(taken * scale) @ mean)


def _read(extractor: Any, sizes: Mapping[str, int]) -> tuple[FloatArray | None, FloatArray]:
    """What a network is given, and what the extractor makes, of an observation already normalised."""
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
    return goal_matrix(sizes) if sorted(sizes) == list(_GOAL_PARTS) else None, _in_order_of(sizes)


def _in_order_of(sizes: Mapping[str, int]) -> FloatArray:
    """From an observation joined in the order of the keys to one joined in the order of the space."""
    first = dict(zip(sorted(sizes), np.cumsum([0, *(sizes[name] for name in sorted(sizes))]), strict=False))
    columns = np.concatenate([first[name] + np.arange(size) for name, size in sizes.items()])
    order: FloatArray = np.eye(len(columns))[columns]
    return order


def _normalisation(agent: Any, sizes: Mapping[str, int]) -> tuple[FloatArray, FloatArray]:
    """Factor and mean by which ``VecNormalize`` shows observations, joined in the order of the keys.

    Raises:
        WeightsError: It cuts observations near to what they usually are, which no linear map does.
    """
    total = sum(sizes.values())
    normalise = agent.get_vec_normalize_env() if hasattr(agent, "get_vec_normalize_env") else None
    if normalise is None or not normalise.norm_obs:
        return np.ones(total), np.zeros(total)
    if not normalise.clip_obs >= _LEAST_CLIP:
        raise WeightsError(
            f"VecNormalize cuts observations at {normalise.clip_obs:g} standard deviations, which a linear "
            f"layer cannot; train with clip_obs of {_LEAST_CLIP:g} or more."
        )
    known = normalise.obs_rms if isinstance(normalise.obs_rms, Mapping) else {"": normalise.obs_rms}
    scales, means = [], []
    for name in sorted(sizes):
        of_part = known.get(name)  # None: a part that is shown as it is
        var = np.ones(sizes[name]) if of_part is None else np.ravel(of_part.var) + normalise.epsilon
        scales.append(1.0 / np.sqrt(var))
        means.append(np.zeros(sizes[name]) if of_part is None else np.ravel(of_part.mean))
    return np.concatenate(scales), np.concatenate(means)


def _layers(modules: Sequence[Any], squash: str, features: _Features) -> Layers:
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
    weights, biases = [_array(module.weight) for module in linear], [_array(module.bias) for module in linear]
    biases[0] = biases[0] + weights[0] @ features.offset
    weights[0] = weights[0] @ features.taken
    if features.given is not None:
        weights[0] = weights[0] @ np.linalg.inv(features.given)
    return Layers(tuple(weights), tuple(biases), squash, features.given)


def _array(parameter: Any) -> FloatArray:
    values: FloatArray = parameter.detach().cpu().numpy().astype(np.float64)
    return values
