"""A stand-in of ``lerobot.robots`` (0.4): its base class, its registry and how a robot is made from both.

It has the names and signatures of that package that a robot of it needs (``test_lerobot.py`` compares them
with the package's source, where that is installed), none of what they do with files.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar


@dataclass(kw_only=True)
class RobotConfig(abc.ABC):  # noqa: B024 - as it is there
    """Settings of a kind of robot, registered under a name."""

    id: str | None = None
    calibration_dir: Path | None = None

    registered: ClassVar[dict[str, type[RobotConfig]]] = {}

    @classmethod
    def register_subclass(cls, name: str) -> Callable[[type], type]:
        def register(config_class: type) -> type:
            cls.registered[name] = config_class
            return config_class

        return register

    @classmethod
    def get_known_choices(cls) -> dict[str, type[RobotConfig]]:
        return cls.registered

    @property
    def type(self) -> str:
        return next(name for name, each in self.registered.items() if each is self.__class__)


class Robot(abc.ABC):
    """What LeRobot asks of a robot."""

    config_class: type[RobotConfig]
    name: str
    robots: ClassVar[dict[type[RobotConfig], type[Robot]]] = {}

    def __init_subclass__(cls) -> None:
        cls.robots[cls.config_class] = cls

    def __init__(self, config: RobotConfig) -> None:
        self.robot_type = self.name
        self.id = config.id

    @property
    @abc.abstractmethod
    def observation_features(self) -> dict: ...

    @property
    @abc.abstractmethod
    def action_features(self) -> dict: ...

    @property
    @abc.abstractmethod
    def is_connected(self) -> bool: ...

    @abc.abstractmethod
    def connect(self, calibrate: bool = True) -> None: ...

    @property
    @abc.abstractmethod
    def is_calibrated(self) -> bool: ...

    @abc.abstractmethod
    def calibrate(self) -> None: ...

    @abc.abstractmethod
    def configure(self) -> None: ...

    @abc.abstractmethod
    def get_observation(self) -> dict[str, Any]: ...

    @abc.abstractmethod
    def send_action(self, action: dict[str, Any]) -> dict[str, Any]: ...

    @abc.abstractmethod
    def disconnect(self) -> None: ...


def make_robot_from_config(config: RobotConfig) -> Robot:
    """The robot that belongs to its settings; there, it is found by its name."""
    return Robot.robots[type(config)](config)
