"""Settings of a Franka arm; they need no library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from spikearm.errors import ConfigError

FRANKA_DT_S = 0.001
"""Period of Franka's control interface [s]; nobody can change it."""


@dataclass(frozen=True)
class FrankaConfig:
    """A Franka arm (FR3, Panda) with its control interface (FCI) switched on.

    Attributes:
        franka_host: Address of its control box.
        franka_realtime: "enforce" refuses a machine without a real-time kernel, as libfranka does by itself;
            "ignore" tries all the same.
        franka_collision_nm: External torque on a joint at which the arm takes it for a collision and stops by
            its own reflex [N m].
        franka_collision_n: External force and torque on the end effector at which it does [N, N m].
    """

    franka_host: str = "172.16.0.2"
    franka_realtime: Literal["enforce", "ignore"] = "enforce"
    franka_collision_nm: float = 20.0
    franka_collision_n: float = 20.0

    def __post_init__(self) -> None:
        if not self.franka_host:
            raise ConfigError("franka_host is empty; give the address of the arm's control box.")
        if self.franka_realtime not in ("enforce", "ignore"):
            raise ConfigError(f"franka_realtime must be 'enforce' or 'ignore', not {self.franka_realtime!r}.")
        for key in ("franka_collision_nm", "franka_collision_n"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{key} must be a positive number, not {value!r}.")
