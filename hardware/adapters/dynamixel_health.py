"""What a Dynamixel X servo says of itself: whether it gives torque, and why not.

ROBOTIS e-Manual, "XM430-W350, Control Table": Torque Enable (64), Hardware Error Status (70) and Bus Watchdog
(98).
"""

from __future__ import annotations

TORQUE_ENABLE, HARDWARE_ERROR, BUS_WATCHDOG = 64, 70, 98
WATCHED = (TORQUE_ENABLE, HARDWARE_ERROR, BUS_WATCHDOG)
"""Addresses of the three bytes that :func:`trouble` looks at."""

_TRIPPED = 255
_ERRORS = {
    0x01: "input voltage out of range",
    0x04: "too hot",
    0x08: "no signal of its encoder",
    0x10: "electric shock, or not enough power",
    0x20: "overload",
}


def trouble(servo: int, torque_on: int, error: int, watchdog: int, *, wanted_on: bool) -> str:
    """Why a servo does not do what it is told; "" if it does.

    Args:
        servo: Its number.
        torque_on: Torque Enable.
        error: Hardware Error Status.
        watchdog: Bus Watchdog, which was set to something above 0.
        wanted_on: Whether its torque was switched on.
    """
    if error:
        known = ", ".join(text for bit, text in _ERRORS.items() if error & bit) or f"error {error:#04x}"
        return f"servo {servo} has switched its torque off: {known} (it gives none until you reboot it)"
    if watchdog == _TRIPPED:
        return f"servo {servo} has stopped: nothing was heard on its bus for too long"
    if not watchdog:
        return f"servo {servo} has switched its torque off: it was without power, and has lost its settings"
    if wanted_on and not torque_on:
        return f"servo {servo} has switched its torque off: somebody else on its bus told it to"
    return ""
