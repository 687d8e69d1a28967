"""The reaches of a run: from home to targets that the seed draws, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikearm.controller.orientation import from_rotation_vector, multiply
from spikearm.controller.path import ReachSequence, to_each_and_back
from spikearm.envs.arms import ArmSpec
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.records import FloatArray, Pose

ARRANGEMENTS = ("random", "cube")
N_CORNERS = 8
_N_DRAWS = 200
_DEXTERITY = 0.3
"""Least share of the home posture's manipulability that the arm must keep along the way."""
_STOP_MARGIN_RAD = 0.1
"""Least distance to a joint's stop along the way: payloads move the arm off its path."""


@dataclass(frozen=True)
class Targets:
    """Where the reaches of a run go.

    Attributes:
        n: Targets, gone to and back from in turn, round after round.
        arrangement: "random" directions from home, or "cube": the corners of a cube around home, turned at
            random as a whole.
        turn_rad: Angle by which the orientation changes on the way to each target, about an axis of its
            own [rad].
    """

    n: int = 1
    arrangement: str = "random"
    turn_rad: float = 0.0

    def __post_init__(self) -> None:
        if self.arrangement not in ARRANGEMENTS:
            raise UnknownNameError("arrangement", self.arrangement, ARRANGEMENTS)
        if self.n < 1:
            raise ConfigError(f"targets.n must be at least 1, not {self.n}.")
        if self.arrangement == "cube" and self.n != N_CORNERS:
            raise ConfigError(f"a cube has {N_CORNERS} corners; set targets.n to that, not to {self.n}.")
        if not (math.isfinite(self.turn_rad) and 0 <= self.turn_rad <= math.pi):
            raise ConfigError(f"targets.turn_rad must be from 0 to pi, not {self.turn_rad!r}.")


def draw_reaches(
    arm: ArmSpec,
    dynamics: MujocoDynamics,
    rng: np.random.Generator,
    *,
    targets: Targets,
    distance_m: float | None,
    n_reaches: int,
    duration_s: float,
) -> ReachSequence:
    """Reaches from the arm's home to random targets that it can go to without losing its dexterity.

    Args:
        arm: The arm; its task axes say in which directions it can move and turn.
        dynamics: Its model.
        rng: Draws directions, uniform on the sphere (or circle) of the task's positions, and axes of turns.
        targets: How many, how arranged, and how far to turn.
        distance_m: Length of a reach [m]; None takes the arm's own.
        n_reaches: Number of reaches; out and back are two.
        duration_s: Time of each [s].

    Raises:
        ConfigError: No targets were found to which the arm can go, or it cannot move or turn like this.
    """
    _require_axes(arm, targets)
    distance = arm.reach_m if distance_m is None else distance_m
    home = np.asarray(arm.home)
    dynamics.update(home, np.zeros(arm.n_joints))
    start = dynamics.pose()
    start = Pose(start.position.copy(), start.quaternion.copy())
    draw = _Draw(arm, dynamics, rng, distance, targets.turn_rad)
    ways = draw.cube() if targets.arrangement == "cube" else [draw.one() for _ in range(targets.n)]
    goals = [
        Pose(start.position + way[:3], multiply(from_rotation_vector(way[3:]), start.quaternion))
        for way in ways
    ]
    return to_each_and_back(start, goals, n_reaches=n_reaches, duration_s=duration_s)


class _Draw:
    """Draws ways from home, translation and rotation vector [m, rad], until the arm can go them."""

    def __init__(
        self,
        arm: ArmSpec,
        dynamics: MujocoDynamics,
        rng: np.random.Generator,
        distance_m: float,
        turn_rad: float,
    ) -> None:
        self._arm, self._dynamics, self._rng = arm, dynamics, rng
        self._home, self._axes = np.asarray(arm.home), np.flatnonzero(arm.task_axes)
        self._distance_m, self._turn_rad = distance_m, turn_rad

    def one(self) -> FloatArray:
        """A way in a random direction."""
        for _ in range(_N_DRAWS):
            way = self._way(self._direction(self._arm.task_axes[:3]))
            if way is not None:
                return way
        raise self._unreachable("in any direction tried")

    def cube(self) -> list[FloatArray]:
        """Ways to the corners of a cube, in a random order."""
        signs = np.array((-1.0, 1.0))
        corners = np.stack(np.meshgrid(signs, signs, signs), axis=-1).reshape(-1, 3) / math.sqrt(3.0)
        for _ in range(_N_DRAWS):
            turned = self._rng.permutation(corners) @ self._rotation().T
            ways = [way for way in map(self._way, turned) if way is not None]
            if len(ways) == N_CORNERS:
                return ways
        raise self._unreachable("to all corners of a cube, however it was turned")

    def _way(self, direction: FloatArray) -> FloatArray | None:
        way = np.append(self._distance_m * direction, np.zeros(3))
        if self._turn_rad:
            way[3:] = self._turn_rad * self._direction(self._arm.task_axes[3:])
        return way if stays_dexterous(self._dynamics, self._home, self._axes, way) else None

    def _direction(self, axes: tuple[bool, ...]) -> FloatArray:
        direction: FloatArray = self._rng.standard_normal(3) * axes
        direction /= np.linalg.norm(direction)
        return direction

    def _rotation(self) -> FloatArray:
        """Random rotation matrix, uniform (Haar measure): QR of a Gaussian matrix with signs fixed."""
        q, r = np.linalg.qr(self._rng.standard_normal((3, 3)))
        rotation: FloatArray = q * np.sign(np.diag(r))
        return rotation

    def _unreachable(self, where: str) -> ConfigError:
        arm = self._arm
        turn = f" and turn by {self._turn_rad:g} rad" if self._turn_rad else ""
        return ConfigError(
            f"arm {arm.name!r} cannot reach {self._distance_m:g} m{turn} from its home {where}; "
            f"choose a shorter distance_m (its own is {arm.reach_m:g} m)"
            + (" or a smaller targets.turn_rad." if turn else ".")
        )


def _require_axes(arm: ArmSpec, targets: Targets) -> None:
    if targets.arrangement == "cube" and not all(arm.task_axes[:3]):
        raise ConfigError(
            f"arm {arm.name!r} does not move in all of x, y and z, as a cube of targets needs; use "
            "targets.arrangement 'random'."
        )
    if targets.turn_rad and not any(arm.task_axes[3:]):
        raise ConfigError(f"arm {arm.name!r} does not control its orientation; set targets.turn_rad to 0.")


def stays_dexterous(
    dynamics: MujocoDynamics, home: FloatArray, axes: NDArray[np.intp], way: FloatArray
) -> bool:
    """Whether the arm can go this way: resolved motion, manipulability (Yoshikawa 1985), the joints' stops.

    Args:
        dynamics: The arm's model; left at another state than it had.
        home: Joint angles to start from [rad], shape (n_joints,).
        axes: Numbers of the controlled axes.
        way: From the start to the end [m], shape (3,), or with a rotation vector [m, rad], shape (6,).
    """
    low, high = (dynamics.joint_ranges + np.array([_STOP_MARGIN_RAD, -_STOP_MARGIN_RAD])).T
    q, at_rest, n_steps = home.copy(), np.zeros_like(home), 40
    twist = np.append(way, np.zeros(6 - len(way)))[axes] / n_steps
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
