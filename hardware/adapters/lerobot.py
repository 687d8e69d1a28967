"""Any LeRobot ``Robot`` that takes torques, as a plant.

LeRobot's interface (``lerobot.robots.Robot``, 0.4) is four methods and two tables of features; that is all
this needs, so nothing of LeRobot is imported: whoever has a robot of it has made it already.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spikearm.errors import ClosedError, ConfigError, DriveError
from spikearm.hardware.torque_check import checked_torque
from spikearm.records import FloatArray, JointState


class LeRobotLike(Protocol):
    """What of LeRobot's ``Robot`` is used."""

    @property
    def observation_features(self) -> Mapping[str, Any]:
        """Names of what an observation holds."""
        ...

    @property
    def action_features(self) -> Mapping[str, Any]:
        """Names of what an action holds."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether it is connected."""
        ...

    def connect(self) -> None:
        """Connect."""
        ...

    def get_observation(self) -> Mapping[str, Any]:
        """The present observation."""
        ...

    def send_action(self, action: dict[str, Any]) -> Mapping[str, Any]:
        """Act; returns what was really sent."""
        ...

    def disconnect(self) -> None:
        """Torque off, and disconnect."""
        ...


@dataclass(frozen=True)
class LeRobotNames:
    """How a robot calls its joints and what belongs to them; ``{}`` stands for the joint.

    Attributes:
        joints: From the first to the last.
        position: Of an observation.
        velocity: Of an observation.
        torque: Of an action [N m].
        degrees: Whether positions and velocities are in degrees, as many of LeRobot's robots have them.
    """

    joints: Sequence[str]
    position: str = "{}.pos"
    velocity: str = "{}.vel"
    torque: str = "{}.torque"
    degrees: bool = False

    def __post_init__(self) -> None:
        if not self.joints or len(set(self.joints)) != len(self.joints):
            raise ConfigError(f"joints are different names, at least one; got {list(self.joints)}.")

    def of(self, pattern: str) -> list[str]:
        """A name per joint."""
        return [pattern.format(joint) for joint in self.joints]


class LeRobotPlant:
    """A LeRobot robot; satisfies the controller's ``Plant`` and is meant to be served.

    Args:
        robot: The robot; it is connected if it is not yet.
        names: How it calls its joints.
        dt_s: Time between two writes [s].
        now: Monotonic clock [s].

    Raises:
        ConfigError: The robot does not observe or take what is needed.
    """

    def __init__(
        self,
        robot: LeRobotLike,
        names: LeRobotNames,
        *,
        dt_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._robot = robot
        self._dt_s = dt_s
        self._now = now
        self._position, self._velocity = names.of(names.position), names.of(names.velocity)
        self._torque = names.of(names.torque)
        self._to_rad = math.pi / 180.0 if names.degrees else 1.0
        _require("observe", [*self._position, *self._velocity], robot.observation_features)
        _require("take", self._torque, robot.action_features)
        self._closed = False
        if not robot.is_connected:
            robot.connect()
        self._start_s = now()

    @property
    def dt_s(self) -> float:
        """Time between two writes [s]."""
        return self._dt_s

    def reset(self, *, seed: int | None = None) -> JointState:
        """Start the clock anew; a real arm stays where it is.

        Raises:
            ClosedError: The plant was closed.
        """
        self._start_s = self._now()
        return self.read()

    def read(self) -> JointState:
        """The robot's observation of its joints.

        Raises:
            ClosedError: The plant was closed.
            DriveError: The observation lacks a joint.
        """
        self._require_open()
        seen = self._robot.get_observation()
        q, dq = self._numbers(seen, self._position), self._numbers(seen, self._velocity)
        return JointState(self._to_rad * q, self._to_rad * dq, self._now() - self._start_s)

    def write(self, torque: FloatArray) -> FloatArray:
        """Send torques.

        Args:
            torque: Commanded torque [N m], shape (n_joints,).

        Returns:
            What the robot says it has really sent [N m], shape (n_joints,).

        Raises:
            ConfigError: The torque has the wrong shape; nothing was sent.
            NotFiniteError: The torque is not finite; likewise.
            ClosedError: The plant was closed.
            DriveError: The robot does not say what it has sent.
        """
        self._require_open()
        torque = checked_torque(torque, len(self._torque))
        sent = self._robot.send_action(dict(zip(self._torque, torque.tolist(), strict=True)))
        return self._numbers(sent, self._torque)

    def close(self) -> None:
        """Disconnect, which takes the torque off; closing twice is not an error.

        Raises:
            DriveError: It failed to.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._robot.disconnect()
        except Exception as error:  # its makers', of any kind
            raise DriveError(
                f"the robot could not be disconnected, and may give torque: {error}. Cut its power."
            ) from error

    def _numbers(self, table: Mapping[str, Any], names: list[str]) -> FloatArray:
        try:
            return np.array([float(table[name]) for name in names])
        except KeyError as error:
            raise DriveError(f"the robot said nothing about {error}; it said {sorted(table)}.") from error

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the plant was closed; make a new one.")


def _require(what: str, names: list[str], features: Mapping[str, Any]) -> None:
    missing = [name for name in names if name not in features]
    if missing:
        raise ConfigError(
            f"the robot does not {what} {', '.join(map(repr, missing))}; its features are "
            f"{sorted(features)}. A robot that only takes positions cannot be driven by torque."
        )
