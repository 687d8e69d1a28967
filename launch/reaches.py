"""The reaches of a run: out and back along a direction that the seed draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikearm.controller.path import ReachSequence, out_and_back
from spikearm.envs.arms import ArmSpec
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError
from spikearm.records import FloatArray

_N_DRAWS = 100
_DEXTERITY = 0.3
"""Least share of the home posture's manipulability that the arm must keep along the way."""
_STOP_MARGIN_RAD = 0.1
"""Least distance to a joint's stop along the way: payloads move the arm off its path."""


def draw_reaches(
    arm: ArmSpec,
    dynamics: MujocoDynamics,
    rng: np.random.Generator,
    *,
    distance_m: float | None,
    n_reaches: int,
    duration_s: float,
) -> ReachSequence:
    """Reaches from the arm's home along a random direction that it can go without losing its dexterity.

    Args:
        arm: The arm; its task axes say in which directions it can move.
        dynamics: Its model.
        rng: Draws the direction, uniformly on the sphere (or circle) of the task's positions.
        distance_m: Length of a reach [m]; None takes the arm's own.
        n_reaches: Number of reaches; out and back are two.
        duration_s: Time of each [s].

    Raises:
        ConfigError: No direction was found in which the arm can go that far.
    """
    distance = arm.reach_m if distance_m is None else distance_m
    home = np.asarray(arm.home)
    dynamics.update(home, np.zeros(arm.n_joints))
    start = dynamics.pose()
    (direction,) = draw_directions(arm, dynamics, rng, distance_m=distance, n_directions=1)
    return out_and_back(start, direction, distance, n_reaches=n_reaches, duration_s=duration_s)


def draw_directions(
    arm: ArmSpec, dynamics: MujocoDynamics, rng: np.random.Generator, *, distance_m: float, n_directions: int
) -> list[FloatArray]:
    """Random directions from the arm's home that it can go without losing its dexterity.

    Args:
        arm: The arm; its task axes say in which directions it can move.
        dynamics: Its model.
        rng: Draws directions uniformly on the sphere (or circle) of the task's positions.
        distance_m: How far it should be able to go [m].
        n_directions: How many.

    Returns:
        Unit vectors in the world, each shape (3,).

    Raises:
        ConfigError: No direction was found in which the arm can go that far.
    """
    home, axes = np.asarray(arm.home), np.flatnonzero(arm.task_axes)
    directions: list[FloatArray] = []
    for _ in range(_N_DRAWS * n_directions):
        direction = rng.standard_normal(3) * arm.task_axes[:3]
        direction /= np.linalg.norm(direction)
        if stays_dexterous(dynamics, home, axes, distance_m * direction):
            directions.append(direction)
        if len(directions) == n_directions:
            return directions
    raise ConfigError(
        f"arm {arm.name!r} cannot reach {distance_m:g} m from its home in any direction tried; "
        f"choose a shorter distance_m (its own is {arm.reach_m:g} m)."
    )


def stays_dexterous(
    dynamics: MujocoDynamics, home: FloatArray, axes: NDArray[np.intp], way: FloatArray
) -> bool:
    """Whether the arm can go this way: resolved motion, manipulability (Yoshikawa 1985), the joints' stops.

    Args:
        dynamics: The arm's model; left at another state than it had.
        home: Joint angles to start from [rad], shape (n_joints,).
        axes: Numbers of the controlled axes.
        way: From the start to the end [m], shape (3,).
    """
    low, high = (dynamics.joint_ranges + np.array([_STOP_MARGIN_RAD, -_STOP_MARGIN_RAD])).T
    q, at_rest, n_steps = home.copy(), np.zeros_like(home), 40
    twist = np.append(way, np.zeros(3))[axes] / n_steps
    at_home = 0.0
    for step in range(n_steps + 1):
        dynamics.update(q, at_rest)
        jacobian = dynamics.jacobian()[axes]
        manipulability = float(np.sqrt(max(0.0, np.linalg.det(jacobian @ jacobian.T))))
        if step == 0:
            at_home = manipulability
        if manipulability < _DEXTERITY * at_home or (q < low).any() or (q > high).any():
            return False
        q = q + np.linalg.pinv(jacobian) @ twist
    return True
