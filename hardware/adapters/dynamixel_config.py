"""Settings of an arm of Dynamixel servos; they need no SDK."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikearm.errors import ConfigError

WATCHDOG_STEP_S = 0.02
"""Unit of the servos' bus watchdog [s]."""


@dataclass(frozen=True)
class DynamixelConfig:
    """Servos on a serial line.

    Attributes:
        servo_port: Serial device.
        servo_baudrate: Speed of the bus [bit/s].
        servo_ids: Numbers of the servos, first joint to last.
        servo_nm_per_a: Torque per current [N m/A]; 1.78 is the XM430-W350's stall torque by its stall current
            at 12 V (4.1 N m, 2.3 A).
        servo_limit_a: Largest current [A].
        servo_reversed: Servos that turn against their joint, by number.
        servo_watchdog_s: Silence on the bus that stops the servos [s]. It comes in steps of 20 ms.
    """

    servo_port: str = "/dev/ttyUSB0"
    servo_baudrate: int = 4_000_000
    servo_ids: tuple[int, ...] = (1, 2)
    servo_nm_per_a: float = 1.78
    servo_limit_a: float = 1.0
    servo_reversed: tuple[int, ...] = ()
    servo_watchdog_s: float = 0.1

    def __post_init__(self) -> None:
        ids = self.servo_ids
        if not ids or len(set(ids)) != len(ids) or not all(0 <= i <= 252 for i in ids):
            raise ConfigError(f"servo_ids are different numbers from 0 to 252, at least one; got {ids}.")
        if not set(self.servo_reversed) <= set(ids):
            raise ConfigError(f"servo_reversed = {self.servo_reversed} names servos that are not in {ids}.")
        for key in ("servo_nm_per_a", "servo_limit_a"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{key} must be a positive number, not {value!r}.")
        if not 1 <= round(self.servo_watchdog_s / WATCHDOG_STEP_S) <= 127:
            raise ConfigError(f"servo_watchdog_s must be from 0.02 to 2.54, not {self.servo_watchdog_s!r}.")
