"""The SDK's serial port, which gives up within the period of whoever reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dynamixel_sdk as sdk

_ANSWER_SHARE, _ANSWER_S = 0.4, 1e-3
"""Time that an answer may take, beyond that of its bytes: a share of the period, at least [s].

The SDK's own is twice a latency timer of 16 ms and 2 ms, whatever the period: several periods of a line that
is dead. The time for which a USB adapter keeps back what it has received has to be below that as well.
"""


class PromptPort(sdk.PortHandler):
    """The SDK's port, which gives up in time.

    Args:
        name: Serial device.
        dt_s: Time between two readings [s].
    """

    def __init__(self, name: str, *, dt_s: float) -> None:
        super().__init__(name)
        self._patience_s = max(_ANSWER_S, _ANSWER_SHARE * dt_s)
        self._is_patient = False

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Meanwhile, as patient as the SDK is."""
        self._is_patient = True
        try:
            yield
        finally:
            self._is_patient = False

    def setPacketTimeout(self, packet_length: int) -> None:  # noqa: N802 - the SDK's name
        """Called by the SDK before it waits for a packet of so many bytes."""
        if self._is_patient:
            super().setPacketTimeout(packet_length)
        else:
            self.setPacketTimeoutMillis(1e3 * self._patience_s + self.tx_time_per_byte * packet_length)
