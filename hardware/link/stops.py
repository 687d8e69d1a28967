"""Reasons of a stop, in words."""

from __future__ import annotations

from spikearm.hardware.link.wire import Stop

_REASONS = {
    Stop.MISSED_IN_A_ROW: "too many commands missed in a row",
    Stop.MISSED_TOO_OFTEN: "too large a share of commands missed",
    Stop.CLIENT: "the client told it to",
    Stop.JOINT_LIMIT: "a joint was beyond its range",
    Stop.SPEED_LIMIT: "a joint was faster than its limit",
    Stop.SENSOR: "a sensor gave no number, or leapt",
    Stop.PLANT: "its drive or simulation failed",
    Stop.STALLED: "the robot's own program stood still for too long",
    Stop.ENDED: "the robot's own program was told to end",
    Stop.TORQUE_OFF: "it could not hold its arm, whose torque is off",
}
_LATE = Stop.MISSED_IN_A_ROW | Stop.MISSED_TOO_OFTEN | Stop.STALLED
"""Reasons of a machine, not of an arm."""


def describe(stop: Stop) -> str:
    """All reasons of a stop."""
    return ", ".join(text for reason, text in _REASONS.items() if stop & reason) or "no reason given"


def what_next(stop: Stop) -> str:
    """What the robot does with its arm after a stop, and what somebody has to do."""
    if stop & Stop.ENDED:
        return (
            "It brakes its arm, lets it go and ends: nothing is left to recover. Serve it again "
            "(`spikearm robot serve`), then start anew."
        )
    if stop & Stop.TORQUE_OFF:
        return "Look at the arm, find the cause, then recover it (--recover)."
    if stop & ~_LATE:
        return "It holds its arm and takes no torque; find the cause, then recover it (--recover)."
    return (
        "It holds its arm and takes no torque; `spikearm doctor --link` says whether this machine keeps "
        "time. Then recover it (--recover). On a machine that cannot keep it, a simulated robot may be "
        "served with --max-share and --max-missed-s."
    )
