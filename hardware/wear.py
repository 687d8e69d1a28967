"""Devices that age and wear out; what the program of such a substrate can tell and do besides stepping."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Wear:
    """Pulses that the devices of a matrix have taken since the first step; programming is not counted.

    Attributes:
        label: The matrix.
        set_max: SET pulses on the most used device.
        set_mean: SET pulses per device.
        reset_max: RESET pulses on the device that has most.
        reset_mean: RESET pulses per device.
        pulses_max: Pulses of both kinds on the most used device; those that were faulty from the start aside,
            which nothing wears out.
        endurance_used: Part of its endurance that this device has spent.
        stuck_devices: Devices that follow no pulse: faulty from the start, or worn out since.
        saturated_devices: Devices at the upper end of their range now.
        n_devices: Devices of the matrix.
        operated_s: Time of operation so far, rests not counted [s].
    """

    label: str
    set_max: int
    set_mean: float
    reset_max: int
    reset_mean: float
    pulses_max: int
    endurance_used: float
    stuck_devices: int
    saturated_devices: int
    n_devices: int
    operated_s: float

    @property
    def lifetime_h(self) -> float:
        """Hours of operation after which the most used device will be worn out, at the rate so far."""
        if not self.endurance_used:
            return math.inf
        return self.operated_s / self.endurance_used / 3600.0

    def document(self) -> dict[str, Any]:
        """The whole as plain values, with the forecast; None for devices that will last for ever."""
        hours = self.lifetime_h
        return {**dataclasses.asdict(self), "lifetime_h": hours if math.isfinite(hours) else None}


@runtime_checkable
class Wears(Protocol):
    """A program whose devices wear out by learning."""

    @property
    def wear(self) -> tuple[Wear, ...]:
        """Pulses taken by the devices of each learned matrix."""
        ...


@runtime_checkable
class Ages(Protocol):
    """A program whose devices change while the network rests."""

    def advance_time(self, seconds: float) -> None:
        """Let time pass between two steps, for the devices alone.

        Args:
            seconds: How long [s], e.g. 86,400 for a day.

        Raises:
            ConfigError: The time is not positive and finite, or longer than the devices are described for.
            ClosedError: The program is closed.
        """
        ...
