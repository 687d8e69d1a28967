"""Feedback gains, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikearm.errors import ConfigError


@dataclass(frozen=True)
class Gains:
    """Feedback gains of a unit mass: accelerations per error, so one set fits every arm.

    Attributes:
        kp: Acceleration per position error [1/s^2].
        kd: Acceleration per velocity error [1/s]; None means critically damped, ``2 sqrt(kp)``.
        ki: Change of acceleration per position error [1/s^3].
    """

    kp: float = 150.0
    kd: float | None = None
    ki: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("kp", self.kp), ("kd", self.kd), ("ki", self.ki)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"gain {name} must be a number of at least 0, not {value!r}.")

    @property
    def damping(self) -> float:
        """Velocity gain [1/s]."""
        return 2.0 * math.sqrt(self.kp) if self.kd is None else self.kd
