"""The reward, term by term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.gym.config import EnvConfig
from spikearm.records import FloatArray

COSTS = ("action", "energy", "diverged")
"""Terms that depend on more than where the arm is and where it should be."""


class Rewards:
    """``- w_distance d + w_success [d < radius] - w_action |a|^2 - w_energy E - w_diverged [diverged]``.

    d is the distance of achieved and desired goal [m] (or [rad]), a the action, E the mechanical work of the
    drives in this step, ``sum |torque x velocity| dt`` [J]. With the sparse type the first two terms are
    replaced by -1 until the goal is reached and 0 there.

    Args:
        config: Type, weights and radius.
        unit: Of distances: "m" or "rad".
    """

    def __init__(self, config: EnvConfig, unit: str) -> None:
        self._distance = f"distance_{unit}"
        self._weights = config.weights
        self._sparse = config.reward_type == "sparse"
        self._radius = config.success_radius
        self._paid = tuple(name for name in COSTS[:2] if self._weights[name])

    def of_goals(self, achieved: FloatArray, desired: FloatArray) -> dict[str, Any]:
        """Distance, success and the terms that follow from them, each of shape (n,)."""
        distance, success, goal = _goal_terms(
            achieved, desired, self._radius, self._sparse, self._weights["distance"], self._weights["success"]
        )
        return {self._distance: distance, "is_success": success, "reward_goal": goal}

    def of_effort(self, actions: NDArray[np.floating], batch: ArmBatch) -> dict[str, Any]:
        """The terms that do not depend on the goal, each of shape (n,); only those with a weight."""
        terms: dict[str, Any] = {}
        if "action" in self._paid:
            clipped = np.clip(actions, -1.0, 1.0).astype(np.float64)
            terms["reward_action"] = -self._weights["action"] * (clipped * clipped).sum(axis=1)
        if "energy" in self._paid:
            terms["reward_energy"] = -self._weights["energy"] * batch.work_j
        if not batch.all_sane:
            terms["reward_diverged"] = np.where(batch.sane, 0.0, -self._weights["diverged"])
        return terms

    def compute(self, achieved: Any, desired: Any, info: Any) -> Any:
        """The reward of any goals, one or many, as hindsight needs it.

        Args:
            achieved: Shape (..., goal_size).
            desired: Same shape.
            info: What ``step`` returned, or a sequence of that, one per row: the terms that do not depend on
                the goal are taken from there. ``{}`` stands for none.

        Returns:
            Shape (...); a float for a single goal.
        """
        a, d = np.asarray(achieved, dtype=np.float64), np.asarray(desired, dtype=np.float64)
        shape = a.shape[:-1]
        size = a.shape[-1]
        goal = self.of_goals(a.reshape(-1, size), d.reshape(-1, size))["reward_goal"].reshape(shape)
        reward = goal + _costs(info, shape)
        return float(reward) if not shape else reward


def _costs(info: Any, shape: tuple[int, ...]) -> Any:
    """Sum of the terms in ``info`` that are costs."""
    names = tuple(f"reward_{name}" for name in COSTS)
    if isinstance(info, Mapping):
        return sum(info.get(name, 0.0) for name in names)
    if isinstance(info, (Sequence, np.ndarray)) and len(info):
        each = [sum(one.get(name, 0.0) for name in names) for one in info]
        return np.asarray(each, dtype=np.float64).reshape(shape)
    return 0.0


@kernel
def _goal_terms(achieved, desired, radius, sparse, distance_weight, success_weight):  # type: ignore[no-untyped-def]
    """Distance, success and their reward, row by row, in an order of summation that rows do not change."""
    n = achieved.shape[0]
    distance, success, reward = np.empty(n), np.empty(n, dtype=np.bool_), np.empty(n)
    for e in range(n):
        total = 0.0
        for i in range(achieved.shape[1]):
            difference = achieved[e, i] - desired[e, i]
            total += difference * difference
        distance[e] = np.sqrt(total)
        success[e] = distance[e] < radius
        if sparse:
            reward[e] = 0.0 if success[e] else -1.0
        else:
            reward[e] = success_weight * success[e] - distance_weight * distance[e]
    return distance, success, reward
