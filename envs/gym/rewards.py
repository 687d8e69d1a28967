"""The reward, term by term."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.gym.checks import floats
from spikearm.envs.gym.config import EnvConfig
from spikearm.errors import ConfigError
from spikearm.records import FloatArray

COSTS = ("action", "energy", "diverged", "cost")
"""Terms that depend on more than where the arm is and where it should be; the last is that of wrappers."""


class Rewards:
    """``- w_distance d + w_success [d < radius] - w_action |a|^2 - w_energy E - w_diverged [diverged]``.

    d is the distance of achieved and desired goal [m] (or [rad]), a the action, E the mechanical work of the
    drives in this step, ``sum |torque x velocity| dt`` [J]. With the sparse type the first two terms are
    replaced by -1 until the goal is reached and 0 there.

    Args:
        config: Type, weights and radius.
        unit: Of distances: "m" or "rad".
        goal_size: Numbers in a goal.
    """

    def __init__(self, config: EnvConfig, unit: str, goal_size: int) -> None:
        self._distance, self._goal_size = f"distance_{unit}", goal_size
        self._weights = config.weights
        self._sparse = config.reward_type == "sparse"
        self._radius = config.success_radius
        self._paid = tuple(name for name in ("action", "energy") if self._weights[name])

    @property
    def names(self) -> tuple[str, ...]:
        """What the terms of every step are called, and what they follow from."""
        return (self._distance, "is_success", "reward_goal", *(f"reward_{name}" for name in self._paid))

    def of_goals(self, achieved: FloatArray, desired: FloatArray) -> dict[str, Any]:
        """Distance, success and the terms that follow from them, each of shape (n,)."""
        distance, success, goal = _goal_terms(
            achieved, desired, self._radius, self._sparse, self._weights["distance"], self._weights["success"]
        )
        return {self._distance: distance, "is_success": success, "reward_goal": goal}

    def of_effort(self, actions: NDArray[np.floating], batch: ArmBatch) -> dict[str, Any]:
        """The terms that do not depend on the goal, each of shape (n,); only those with a weight."""
        terms = self.of_action(actions)
        if "energy" in self._paid:
            terms["reward_energy"] = -self._weights["energy"] * batch.work_j
        if not batch.all_sane:
            terms["reward_diverged"] = np.where(batch.sane, 0.0, -self._weights["diverged"])
        return terms

    def of_action(self, actions: NDArray[np.floating]) -> dict[str, Any]:
        """The term of the actions alone, of shape (n,), if it has a weight."""
        if "action" not in self._paid:
            return {}
        clipped = np.clip(actions, -1.0, 1.0).astype(np.float64)
        return {"reward_action": -self._weights["action"] * (clipped * clipped).sum(axis=1)}

    def compute(self, achieved: Any, desired: Any, info: Any) -> Any:
        """The reward of any goals, one or many, as hindsight needs it.

        Args:
            achieved: Shape (..., goal_size).
            desired: Same shape, or one that is broadcast to it, as one goal for all rows.
            info: What ``step`` returned, or a sequence of that, one per row: the terms that do not depend on
                the goal are taken from there. ``{}`` stands for none.

        Returns:
            Shape (...); a float for a single goal.

        Raises:
            ConfigError: The goals are no numbers, or goals and infos do not fit each other.
        """
        a, d = self._fitting(floats("achieved goals", achieved), floats("desired goals", desired))
        shape, rows = a.shape[:-1], (-1, self._goal_size)
        terms = self.of_goals(np.ascontiguousarray(a).reshape(rows), np.ascontiguousarray(d).reshape(rows))
        reward = terms["reward_goal"].reshape(shape) + _costs(info, shape)
        return float(reward) if not shape else reward

    def _fitting(self, achieved: FloatArray, desired: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both in one shape, (..., goal_size)."""
        sizes = {goals.shape[-1:] for goals in (achieved, desired)}
        try:
            a, d = np.broadcast_arrays(achieved, desired)
        except ValueError:
            sizes = set()
        if sizes != {(self._goal_size,)}:
            raise ConfigError(
                f"goals of shapes {achieved.shape} and {desired.shape}; give rows of {self._goal_size} "
                "numbers each, as many of one as of the other, or one for all."
            )
        return a, d


def diverged(achieved: Any, info: Any) -> Any:
    """Whether simulations have diverged, for one goal or many, by what ``step`` returned.

    Args:
        achieved: Goals, shape (..., goal_size); only their number matters.
        info: As of :meth:`Rewards.compute`.

    Returns:
        Shape (...); a bool for a single goal.

    Raises:
        ConfigError: Goals and infos do not fit each other.
    """
    shape = np.shape(achieved)[:-1]
    if isinstance(info, Mapping):
        reasons = np.ravel(np.asarray(info.get("termination"), dtype=object))
    else:
        reasons = np.array([row.get("termination") for row in _checked(info, shape)] or [None])
    flags = np.array([bool(reason) for reason in reasons])
    if flags.size not in (1, math.prod(shape)):
        raise ConfigError(f"{flags.size} reasons of termination for {math.prod(shape)} goals; give one each.")
    return bool(flags[0]) if not shape else np.broadcast_to(flags, (math.prod(shape),)).reshape(shape).copy()


def _checked(info: Any, shape: tuple[int, ...]) -> Sequence[Mapping[str, Any]]:
    """Infos, one per goal, or none at all."""
    rows = list(np.ravel(info)) if isinstance(info, np.ndarray) else info
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise ConfigError(f"info must be what step returned, or a sequence of that; got {info!r}.")
    if rows and len(rows) != math.prod(shape):
        raise ConfigError(f"{len(rows)} infos for {math.prod(shape)} goals; give one each, or {{}}.")
    return rows


def _costs(info: Any, shape: tuple[int, ...]) -> Any:
    """Sum of the terms in ``info`` that are costs."""
    names = tuple(f"reward_{name}" for name in COSTS)
    if isinstance(info, Mapping):
        return sum(info.get(name, 0.0) for name in names)
    rows = _checked(info, shape)
    if not rows:
        return 0.0
    each = [sum(one.get(name, 0.0) for name in names) for one in rows]
    return np.asarray(each, dtype=np.float64).reshape(shape)


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
