"""What single arms of a native vector environment can be asked, and told, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spikearm.envs.gym.episodes import settings_of
from spikearm.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from spikearm.envs.gym.vector import ArmVectorEnv

PER_ARM: Mapping[str, Callable[[ArmVectorEnv, int], Any]] = {
    "target": lambda arms, e: arms.episodes.task.goal[e].copy(),
    "joint_state": lambda arms, e: arms.episodes.joint_state(e),
    "perturbation": lambda arms, e: settings_of(arms.episodes.perturbation[e]),
    "model": lambda arms, e: arms.episodes.batch.model(e),
    "np_random": lambda arms, e: arms.np_random[e],
    "np_random_seed": lambda arms, e: arms.np_random_seed[e],
}
"""What differs from arm to arm, with the meaning it has in the single environment."""

SHARED = {
    "action_space": "single_action_space",
    "observation_space": "single_observation_space",
    **{name: name for name in ("config", "scenario", "goal", "metadata", "render_mode")},
    **{name: name for name in ("compute_reward", "compute_terminated", "compute_truncated")},
}
"""What is the same for all arms, and what the vector environment calls it."""

_TOGETHER = ("reset", "step", "close", "data", "episodes", "spec", "unwrapped")
"""What single environments have, and arms that are stepped together have only as a whole."""


def attribute(arms: ArmVectorEnv, name: str) -> tuple[Any, ...]:
    """An attribute of every arm.

    Raises:
        ConfigError: Arms do not have it one by one.
        UnknownNameError: Single environments do not have it either.
    """
    if name in PER_ARM:
        return tuple(PER_ARM[name](arms, e) for e in range(arms.num_envs))
    if name in SHARED and hasattr(arms, SHARED[name]):
        return (getattr(arms, SHARED[name]),) * arms.num_envs
    if name in _TOGETHER:
        raise ConfigError(
            f"{name} is not to be had of single arms of a native vector environment, which are one object; "
            "take that of the whole, or make it with vectorization_mode='sync'."
        )
    known = [*PER_ARM, *(mine for mine, its in SHARED.items() if hasattr(arms, its)), "render"]
    raise UnknownNameError("attribute of single arms", str(name), known)


def set_generators(arms: ArmVectorEnv, name: str, values: Any) -> list[np.random.Generator]:
    """The generators that arms are given, one each; nothing else can be set of single arms.

    Raises:
        ConfigError: It is something else, or not one generator for each arm.
    """
    if name != "np_random":
        raise ConfigError(
            f"{name} cannot be set of arms of a native vector environment, which are one object; give it "
            "when it is made, use options of reset, or make it with vectorization_mode='sync'. Only "
            "np_random can."
        )
    rows = list(values) if isinstance(values, (list, tuple)) else [values]
    if len(rows) != arms.num_envs or not all(isinstance(one, np.random.Generator) for one in rows):
        raise ConfigError(f"np_random is one Generator for each of {arms.num_envs} arms; got {values!r}.")
    return rows
