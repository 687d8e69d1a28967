"""What learning did to the devices of a crossbar in one run, in numbers that can be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Writing:
    """Pulses, energy and wear of all learned matrices together.

    Attributes:
        pulses_per_tick: SET and RESET pulses per tick.
        most_pulses: Pulses on the most used device.
        joules_per_tick: Energy of programming per tick, bottom-up [J].
        stuck: Part of all devices that follow no pulse at the end.
        lifetime_h: Hours until the first device is worn out, at the rate of the run.
    """

    pulses_per_tick: float
    most_pulses: float
    joules_per_tick: float
    stuck: float
    lifetime_h: float


def writing(summary: dict[str, Any]) -> Writing | None:
    """What a run's summary says of it; None for a run without devices that learn."""
    wear = summary.get("wear")
    if not wear:
        return None
    n_devices = sum(w["n_devices"] for w in wear)
    pulses = sum((w["set_mean"] + w["reset_mean"]) * w["n_devices"] for w in wear)
    lifetimes = [math.inf if w["lifetime_h"] is None else w["lifetime_h"] for w in wear]
    return Writing(
        pulses_per_tick=pulses / summary["n_ticks"],
        most_pulses=max(w["set_max"] + w["reset_max"] for w in wear),
        joules_per_tick=summary["energy_model_j_per_tick"]["programming"],
        stuck=sum(w["stuck_devices"] for w in wear) / n_devices,
        lifetime_h=min(lifetimes),
    )
