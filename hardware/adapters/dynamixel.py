"""An arm of Dynamixel X servos in current mode, through ROBOTIS' own SDK (extra ``dynamixel``).

Addresses and units are those of the XM430-W350's control table (ROBOTIS e-Manual, "XM430-W350, Control
Table", protocol 2.0); the XC, XH, XM and XW series share them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import dynamixel_sdk as sdk
import numpy as np

from spikearm.errors import ClosedError, ConfigError, DriveError
from spikearm.hardware.adapters.dynamixel_config import WATCHDOG_STEP_S, DynamixelConfig
from spikearm.hardware.torque_check import checked_torque
from spikearm.records import FloatArray, JointState

_OPERATING_MODE, _CURRENT_MODE = 11, 0
_TORQUE_ENABLE = 64
_BUS_WATCHDOG = 98
_GOAL_CURRENT = 102
_PRESENT, _PRESENT_BYTES = 126, 10
"""Present current (2 bytes), velocity (4) and position (4) lie side by side: one read for all."""
_AMP = 2.69e-3
_RAD_S = 0.229 * 2.0 * math.pi / 60.0
_RAD = 2.0 * math.pi / 4096.0
_CENTRE = 2048
_TRIES = 3
_BAD_READS = 5
"""Reads in a row that may fail, as single ones on a serial line do, before it counts as a fault."""


class DynamixelPlant:
    """An arm of servos; satisfies the controller's ``Plant`` and is meant to be served by ``robot serve``.

    The servos' torque is off until the first :meth:`write`. Their own bus watchdog stops them if nothing is
    heard any more, whatever becomes of this process.

    Args:
        config: The servos.
        dt_s: Time between two writes [s]; a read and a write of six servos take 1 to 2 ms at 4 Mbit/s.
        now: Monotonic clock [s].

    Raises:
        DriveError: The port cannot be opened, or a servo does not answer.
    """

    def __init__(
        self, config: DynamixelConfig, *, dt_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._dt_s = dt_s
        self._now = now
        self._sign = np.array([-1.0 if i in config.servo_reversed else 1.0 for i in config.servo_ids])
        self._limit_nm = config.servo_limit_a * config.servo_nm_per_a
        self._port = sdk.PortHandler(config.servo_port)
        self._bus = sdk.Protocol2PacketHandler()
        self._closed = self._enabled = False
        self._open()
        self._reader = sdk.GroupSyncRead(self._port, self._bus, _PRESENT, _PRESENT_BYTES)
        self._writer = sdk.GroupSyncWrite(self._port, self._bus, _GOAL_CURRENT, 2)
        for servo in config.servo_ids:
            self._reader.addParam(servo)
        self._start_s = now()
        self._n_bad = 0
        self._measured: FloatArray = np.zeros(len(config.servo_ids))
        try:
            self._prepare()
            self._last = self._read_servos()
        except DriveError:
            self._port.closePort()
            raise

    @property
    def dt_s(self) -> float:
        """Time between two writes [s]."""
        return self._dt_s

    @property
    def torque_measured(self) -> FloatArray:
        """Torque by the servos' present currents at the last reading [N m], shape (n_joints,)."""
        return self._measured

    def reset(self, *, seed: int | None = None) -> JointState:
        """Start the clock anew; a real arm stays where it is.

        Raises:
            ClosedError: The plant was closed.
            DriveError: The servos do not answer.
        """
        self._start_s = self._now()
        return self.read()

    def read(self) -> JointState:
        """Positions and velocities of all servos, by one packet.

        A single reading that is lost on the line is replaced by the one before.

        Raises:
            ClosedError: The plant was closed.
            DriveError: Several readings in a row were lost.
        """
        self._require_open()
        self._last = self._read_servos()
        return self._last

    def write(self, torque: FloatArray) -> FloatArray:
        """Set the servos' currents, by one packet that none of them answers.

        Args:
            torque: Commanded torque [N m], shape (n_joints,).

        Returns:
            The torque within the current limit [N m], shape (n_joints,); that currents go in steps of
            2.69 mA does not show here.

        Raises:
            ConfigError: The torque has the wrong shape; nothing was sent.
            NotFiniteError: The torque is not finite; likewise.
            ClosedError: The plant was closed.
            DriveError: The line has failed.
        """
        self._require_open()
        torque = checked_torque(torque, len(self._sign))
        applied: FloatArray = np.clip(torque, -self._limit_nm, self._limit_nm)
        amps = self._sign * applied / self._config.servo_nm_per_a
        self._send_currents(np.rint(amps / _AMP).astype(int).tolist())
        if not self._enabled:
            self._enable()
        return applied

    def close(self) -> None:
        """Torque off; closing twice is not an error."""
        if self._closed:
            return
        self._closed = True
        self._disable()
        self._port.closePort()

    def _enable(self) -> None:
        """All servos or none: an arm of which some joints are held is worse than one that is limp."""
        try:
            self._set_all(_TORQUE_ENABLE, 1)
        except DriveError:
            self._disable()
            raise
        self._enabled = True

    def _disable(self) -> None:
        for servo in self._config.servo_ids:  # each by itself: one that is lost must not spare the others
            self._bus.write1ByteTxRx(self._port, servo, _TORQUE_ENABLE, 0)

    def _open(self) -> None:
        port = self._config.servo_port
        try:
            if not self._port.setBaudRate(self._config.servo_baudrate):
                raise ConfigError(f"servo_baudrate {self._config.servo_baudrate} is none the SDK knows.")
        except OSError as error:
            raise DriveError(
                f"serial port {port} cannot be opened: {error}. Is the adapter plugged in, and may you use "
                "it (group dialout)?"
            ) from error

    def _prepare(self) -> None:
        """Current mode, which a servo takes only while its torque is off, and the watchdog armed."""
        self._set_all(_TORQUE_ENABLE, 0)
        self._set_all(_OPERATING_MODE, _CURRENT_MODE)
        self._set_all(_BUS_WATCHDOG, 0)  # clears one that has tripped
        self._set_all(_BUS_WATCHDOG, round(self._config.servo_watchdog_s / WATCHDOG_STEP_S))

    def _set_all(self, address: int, value: int) -> None:
        for servo in self._config.servo_ids:
            for _ in range(_TRIES):
                result, error = self._bus.write1ByteTxRx(self._port, servo, address, value)
                if result == sdk.COMM_SUCCESS:
                    break
            if result != sdk.COMM_SUCCESS or error:
                text = self._bus.getTxRxResult(result) if result else self._bus.getRxPacketError(error)
                raise DriveError(
                    f"servo {servo} on {self._config.servo_port} did not take {value} at address {address}: "
                    f"{text} Check its number, baud rate, power, and its hardware error (address 70)."
                )

    def _send_currents(self, units: list[int]) -> None:
        self._writer.clearParam()
        for servo, value in zip(self._config.servo_ids, units, strict=True):
            self._writer.addParam(servo, list(value.to_bytes(2, "little", signed=True)))
        result = self._writer.txPacket()
        if result != sdk.COMM_SUCCESS:
            raise DriveError(f"currents could not be sent: {self._bus.getTxRxResult(result)}")

    def _read_servos(self) -> JointState:
        result = self._reader.txRxPacket()
        if result != sdk.COMM_SUCCESS:
            return self._lost(self._bus.getTxRxResult(result))
        self._n_bad = 0
        current, velocity, position = self._numbers(2, 0), self._numbers(4, 2), self._numbers(4, 6)
        self._measured = self._sign * current * _AMP * self._config.servo_nm_per_a
        q = self._sign * (position - _CENTRE) * _RAD
        return JointState(q, self._sign * velocity * _RAD_S, self._now() - self._start_s)

    def _numbers(self, size: int, offset: int) -> FloatArray:
        """One number of every servo that was read, from the two's complement that the SDK leaves as it is."""
        numbers = [int(self._reader.getData(i, _PRESENT + offset, size)) for i in self._config.servo_ids]
        half = 1 << (8 * size - 1)
        return np.array([(number ^ half) - half for number in numbers], dtype=np.float64)

    def _lost(self, why: str) -> JointState:
        self._n_bad += 1
        if self._n_bad >= _BAD_READS or not hasattr(self, "_last"):
            raise DriveError(f"the servos did not answer {self._n_bad} times in a row: {why}")
        last = self._last
        return JointState(last.q.copy(), last.dq.copy(), self._now() - self._start_s)

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the plant was closed; make a new one.")
