"""The data sheet of an environment as it was made: every number of its actions and observations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from spikearm.envs.gym.episodes import Episodes
from spikearm.envs.gym.single import ArmEnv
from spikearm.envs.gym.vector import ArmVectorEnv
from spikearm.envs.gym.wrappers.controller_in_loop import ControllerInLoop
from spikearm.errors import ConfigError
from spikearm.records import FloatArray

_XYZ = ("x", "y", "z")
_AXES = (*_XYZ, "rx", "ry", "rz")


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        what: What it is.
        low: Least value that the arm allows, by its joints' stops and its length; stops are soft and sensors
            may be noisy, so that the space itself has no bounds.
        high: Greatest value.
        unit: Of both.
    """

    what: str
    low: float
    high: float
    unit: str


def data_sheet(env: gymnasium.Env[Any, Any] | gymnasium.vector.VectorEnv[Any, Any, Any]) -> str:
    """Tables in Markdown, for this arm, action mode and task: number, meaning, minimum, maximum, unit.

    Random plants differ in length: their sheet is of the plant of the present episode.

    Args:
        env: An environment of this package, single or vectorised, wrapped or not. Wrappers are not described.

    Raises:
        ConfigError: It is another environment.
    """
    loop = _loop_of(env)
    inner = env.unwrapped if loop is None else loop.unwrapped
    if not isinstance(inner, (ArmEnv, ArmVectorEnv)):
        raise ConfigError(f"data sheets are of environments of spikearm, not of {env!r}.")
    episodes = inner.episodes
    actions = action_rows(episodes) if loop is None else _agents_rows(loop)
    parts = {"action; -1 to 1 mean": actions}
    if inner.goal:
        parts["achieved_goal"] = _goal_rows(episodes, "end effector")
        parts["desired_goal"] = _goal_rows(episodes, "target")
    parts["observation"] = observation_rows(episodes, goal=inner.goal)
    if loop is not None:
        spans = [row.high - row.low for row in _point_rows(episodes, "")]
        parts["observation"] += [
            Row(f"set point {axis} less end effector", -s, s, "m")
            for axis, s in zip(_XYZ, spans, strict=True)
        ]
    return "\n\n".join(_table(title, rows) for title, rows in parts.items()) + "\n"


def _loop_of(env: Any) -> ControllerInLoop[Any] | None:
    """The controller in the loop of an environment, if there is one."""
    while env is not None and not isinstance(env, ControllerInLoop):
        inside = env.env if isinstance(env, gymnasium.Wrapper) else getattr(env, "controlled", None)
        env = inside if isinstance(inside, gymnasium.Env) else None
    return env


def _agents_rows(loop: ControllerInLoop[Any]) -> list[Row]:
    """What -1 and 1 mean to a controller in the loop: a factor is divided by at -1."""
    return [
        Row(what, 1.0 / most if unit == "times" else -most, most, unit)
        for what, most, unit in loop.agents_actions
    ]


def action_rows(episodes: Episodes) -> list[Row]:
    """What -1 and 1 mean, for every number of an action."""
    mode, scale = episodes.config.action_mode, episodes.commands.scale
    if mode == "torque":
        return [Row(f"torque of {n}", -s, s, "N m") for n, s in zip(_joints(episodes), scale, strict=True)]
    if mode == "position":
        whats = [f"move of the set point of {name}" for name in _joints(episodes)]
        return [Row(what, -s, s, "rad per step") for what, s in zip(whats, scale, strict=True)]
    axes = np.flatnonzero(episodes.arm.task_axes)
    return [
        Row(f"move of the set point along {_AXES[a]}", -s, s, "m per step")
        if a < len(_XYZ)
        else Row(f"turn of the set point about {_AXES[a][1:]}", -s, s, "rad per step")
        for a, s in zip(axes, scale, strict=True)
    ]


def observation_rows(episodes: Episodes, *, goal: bool) -> list[Row]:
    """Every number of an observation, in its order; without the goal itself for goal environments."""
    joints, task, low, high = _joints(episodes), episodes.task, *episodes.batch.joint_ranges.T
    room = high - low
    rows = list(_rows("angle of", joints, low, high, "rad"))
    rows += _rows("velocity of", joints, np.full(len(joints), -np.inf), np.full(len(joints), np.inf), "rad/s")
    rows += _point_rows(episodes, "end effector")
    if episodes.commands.is_servo:
        rows += _rows("set point less angle of", joints, -room, room, "rad")
    targets = _goal_rows(episodes, "target")
    if task.moving:
        rows += [Row(f"velocity of the {row.what}", -np.inf, np.inf, f"{row.unit}/s") for row in targets]
    if not goal:
        rows += targets
        seen = "angle" if task.unit == "rad" else "end effector"
        spans = [row.high - row.low for row in targets]
        rows += [
            Row(f"{row.what} less {seen}", -s, s, row.unit) for row, s in zip(targets, spans, strict=True)
        ]
    return rows


def _goal_rows(episodes: Episodes, what: str) -> list[Row]:
    """A goal: a point, or angles where the task is in joint space."""
    if episodes.task.unit == "m":
        return _point_rows(episodes, what)
    low, high = episodes.batch.joint_ranges.T
    return list(_rows(f"{what} of", _joints(episodes), low, high, "rad"))


def _point_rows(episodes: Episodes, what: str) -> list[Row]:
    """A point: within the arm's length of its first joint."""
    base, reach_m = episodes.batch.reach
    return list(_rows(what, _XYZ, base - reach_m, base + reach_m, "m"))


def _rows(what: str, names: Iterable[str], low: FloatArray, high: FloatArray, unit: str) -> Iterator[Row]:
    for name, least, most in zip(names, low, high, strict=True):
        yield Row(f"{what} {name}", float(least), float(most), unit)


def _joints(episodes: Episodes) -> list[str]:
    model = episodes.batch.model(0)
    return [model.joint(i).name for i in range(model.njnt)]


def _table(title: str, rows: list[Row]) -> str:
    lines = [f"| number | {title} | min | max | unit |", "|---|---|---|---|---|"]
    lines += [f"| {i} | {r.what} | {r.low:.4g} | {r.high:.4g} | {r.unit} |" for i, r in enumerate(rows)]
    return "\n".join(lines)
