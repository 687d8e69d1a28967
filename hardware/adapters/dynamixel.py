"""An arm of Dynamixel X servos in current mode, through ROBOTIS' own SDK (extra ``dynamixel``).

Addresses and units are those of the XM430-W350's control table (ROBOTIS e-Manual, "XM430-W350, Control
Table", protocol 2.0); the XC, XH, XM and XW series share them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

import dynamixel_sdk as sdk
import numpy as np

from spikearm.errors import ClosedError, ConfigError, DriveError, NoReadingError
from spikearm.hardware.adapters.dynamixel_config import WATCHDOG_STEP_S, DynamixelConfig
from spikearm.hardware.adapters.dynamixel_health import BUS_WATCHDOG, TORQUE_ENABLE, WATCHED, trouble
from spikearm.hardware.adapters.dynamixel_port import PromptPort
from spikearm.hardware.torque_check import checked_torque
from spikearm.records import FloatArray, JointState

_OPERATING_MODE, _CURRENT_MODE = 11, 0
_CURRENT_LIMIT = 38
_GOAL_CURRENT = 102
_PRESENT = range(126, 136)
"""Present current (2 bytes), velocity (4) and position (4)."""
_INDIRECT_ADDRESS, _INDIRECT_DATA = 168, 224
"""The bytes at the addresses written to the first are read at the second: one packet for all that matters."""
_READ = (*WATCHED, *_PRESENT)
_ALERT = 0x80
"""Of a status: there is a hardware error, which is read by itself."""
_AMP = 2.69e-3
_RAD_S = 0.229 * 2.0 * math.pi / 60.0
_RAD = 2.0 * math.pi / 4096.0
_CENTRE = 2048
_TRIES = 3
_BAD_READS = 2
"""Reads in a row that fail are a fault; single ones do, on a serial line."""
_INSISTING_READS = 5
"""Reads that try again to switch off what is still on; then the line is left to the servos' watchdog."""
_T = TypeVar("_T")


class DynamixelPlant:
    """An arm of servos; satisfies the controller's ``Plant`` and is meant to be served by ``robot serve``.

    The servos' torque is off until the first :meth:`write`. Their own bus watchdog stops them if nothing is
    heard any more, whatever becomes of this process. With every reading they say whether they still give
    torque: if one does not, all are switched off, until :meth:`recover`. A servo that cannot be switched off
    is told again with every reading; after some, nothing is said any more, so that its own watchdog trips.

    Args:
        config: The servos.
        dt_s: Time between two writes [s]; a read and a write of six servos take 1 to 2 ms at 4 Mbit/s.
        now: Monotonic clock [s].

    Raises:
        DriveError: The port cannot be opened, or a servo does not answer or has a hardware error.
        ConfigError: A servo allows less current than ``servo_limit_a``.
    """

    def __init__(
        self, config: DynamixelConfig, *, dt_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._dt_s = dt_s
        self._now = now
        self._sign = np.array([-1.0 if i in config.servo_reversed else 1.0 for i in config.servo_ids])
        self._limit_nm = config.servo_limit_a * config.servo_nm_per_a
        self._port = PromptPort(config.servo_port, dt_s=dt_s)
        self._bus = sdk.Protocol2PacketHandler()
        self._closed = self._enabled = False
        self._open()
        self._reader = sdk.GroupSyncRead(self._port, self._bus, _INDIRECT_DATA, len(_READ))
        self._writer = sdk.GroupSyncWrite(self._port, self._bus, _GOAL_CURRENT, 2)
        for servo in config.servo_ids:
            self._reader.addParam(servo)
        self._start_s = now()
        self._n_bad = 0
        self._trouble = ""
        self._not_off: tuple[int, ...] = ()
        self._n_insisted = 0
        self._measured: FloatArray = np.zeros(len(config.servo_ids))
        try:
            self._prepare()
            self._require_current()
            self._read_servos()
            self._require_no_trouble()
        except (ConfigError, DriveError):
            self._port.closePort()
            raise

    @property
    def dt_s(self) -> float:
        """Time between two writes [s]."""
        return self._dt_s

    @property
    def torque_measured(self) -> FloatArray:
        """Torque by the servos' present currents at the last reading [N m], shape (n_joints,)."""
        return self._measured.copy()

    @property
    def torque_limits(self) -> FloatArray:
        """Torque of each servo at its largest current, ``servo_limit_a`` [N m], shape (n_joints,)."""
        return np.full(len(self._sign), self._limit_nm)

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

        Raises:
            ClosedError: The plant was closed.
            NoReadingError: A single reading was lost on the line.
            DriveError: Two readings in a row were lost, the line has failed, or a servo could not be
                switched off, and the line is left alone.
        """
        self._require_open()
        self._insist()
        return self._read_servos()

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
            DriveError: The line has failed, or a servo gives no torque; then none does.
        """
        self._require_open()
        self._require_no_trouble()
        torque = checked_torque(torque, len(self._sign))
        applied: FloatArray = np.clip(torque, -self._limit_nm, self._limit_nm)
        amps = self._sign * applied / self._config.servo_nm_per_a
        self._send_currents(np.rint(amps / _AMP).astype(int).tolist())
        if not self._enabled:
            self._enable()
        return applied

    def recover(self) -> None:
        """Prepare servos that have stopped; their torque is off until the next :meth:`write`.

        Raises:
            ClosedError: The plant was closed.
            DriveError: They do not answer, or have an error that only a reboot ends.
        """
        self._require_open()
        self._prepare()
        self._trouble, self._not_off, self._n_insisted, self._n_bad = "", (), 0, 0
        self._read_servos()
        self._require_no_trouble()

    def let_go(self) -> None:
        """Torque off until the next :meth:`write`.

        Raises:
            ClosedError: The plant was closed.
            DriveError: A servo could not be switched off; it is told again with every reading.
        """
        self._require_open()
        if not self._not_off:
            self._disable()
        if self._not_off:
            raise DriveError(self._still_on())

    def close(self) -> None:
        """Torque off; closing twice is not an error.

        Raises:
            DriveError: A servo could not be switched off; the port is closed all the same.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._disable()
        finally:
            self._port.closePort()
        if self._not_off:
            raise DriveError(self._still_on())

    def _enable(self) -> None:
        """All servos or none: an arm of which some joints are held is worse than one that is limp."""
        try:
            self._set_all(TORQUE_ENABLE, 1)
        except DriveError:
            self._disable()
            raise
        self._enabled = True

    def _disable(self, n_tries: int = _TRIES) -> None:
        """Torque off, and no current for whoever keeps it on; who could not be switched off is remembered."""
        self._enabled = False
        with suppress(DriveError):
            self._send_currents([0] * len(self._config.servo_ids))
        left = self._config.servo_ids
        for _ in range(n_tries):  # each by itself: one that is lost must not spare the others
            left = tuple(servo for servo in left if not self._switch_off(servo))
        self._not_off = left

    def _switch_off(self, servo: int) -> bool:
        """Whether it says itself that it is off."""
        with suppress(DriveError):
            result, _ = self._packet(self._bus.write1ByteTxRx, self._port, servo, TORQUE_ENABLE, 0)
            if result == sdk.COMM_SUCCESS:
                value, result, _ = self._packet(self._bus.read1ByteTxRx, self._port, servo, TORQUE_ENABLE)
                return bool(result == sdk.COMM_SUCCESS and not value)
        return False

    def _insist(self) -> None:
        """Try again to switch off what is still on; in the end, be silent: readings feed its watchdog."""
        if not self._not_off:
            self._n_insisted = 0
            return
        if self._n_insisted < _INSISTING_READS:
            self._n_insisted += 1
            self._disable(n_tries=1)
        if self._not_off and self._n_insisted >= _INSISTING_READS:
            raise DriveError(self._still_on())

    def _still_on(self) -> str:
        servos = ", ".join(map(str, self._not_off))
        return (
            f"servo {servos} on {self._config.servo_port} could not be switched off, and may give torque. "
            f"Cut its power. If that lasts, nothing is sent any more, so that its own watchdog stops it after"
            f" {self._config.servo_watchdog_s:g} s; then look at the arm, and recover it (--recover)."
        )

    def _packet(self, exchange: Callable[..., _T], *arguments: object) -> _T:
        """One packet, and what is answered.

        The SDK takes its port for busy for ever after an exchange that an exception has ended, be it the
        line's or Ctrl-C; only one thread uses it, so that nothing is under way when the next one begins.

        Raises:
            DriveError: The line has failed.
        """
        self._port.is_using = False
        try:
            return exchange(*arguments)
        except Exception as error:  # pyserial lets out those of the system as well, e.g. termios.error
            raise DriveError(f"the line {self._config.servo_port} has failed: {error}") from error

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
        self._enabled = False
        with self._port.patient():  # nothing is held meanwhile, and settings may take their time
            self._prepare_all()

    def _prepare_all(self) -> None:
        self._set_all(TORQUE_ENABLE, 0)
        self._set_all(_OPERATING_MODE, _CURRENT_MODE)
        self._set_all(BUS_WATCHDOG, 0)  # clears one that has tripped
        self._set_all(BUS_WATCHDOG, round(self._config.servo_watchdog_s / WATCHDOG_STEP_S))
        for k, address in enumerate(_READ):
            self._set_all(_INDIRECT_ADDRESS + 2 * k, address, size=2)

    def _set_all(self, address: int, value: int, *, size: int = 1) -> None:
        data = list(value.to_bytes(size, "little"))
        for servo in self._config.servo_ids:
            for _ in range(_TRIES):
                result, error = self._packet(self._bus.writeTxRx, self._port, servo, address, size, data)
                if result == sdk.COMM_SUCCESS:
                    break
            error &= ~_ALERT
            if result != sdk.COMM_SUCCESS or error:
                text = self._bus.getTxRxResult(result) if result else self._bus.getRxPacketError(error)
                raise DriveError(
                    f"servo {servo} on {self._config.servo_port} did not take {value} at address {address}: "
                    f"{text} Check its number, baud rate, power, and its hardware error (address 70)."
                )

    def _require_current(self) -> None:
        """A goal beyond a servo's own limit is not taken, and a sync write does not say so."""
        limit_a = self._config.servo_limit_a
        for servo in self._config.servo_ids:
            units, result, _ = self._packet(self._bus.read2ByteTxRx, self._port, servo, _CURRENT_LIMIT)
            if result != sdk.COMM_SUCCESS:
                raise DriveError(f"servo {servo} does not tell its current limit.")
            if units * _AMP < limit_a:
                raise ConfigError(
                    f"servo {servo} allows {units * _AMP:.3f} A (address 38), less than servo_limit_a = "
                    f"{limit_a:g} A; give less, or raise it there."
                )

    def _send_currents(self, units: list[int]) -> None:
        self._writer.clearParam()
        for servo, value in zip(self._config.servo_ids, units, strict=True):
            self._writer.addParam(servo, list(value.to_bytes(2, "little", signed=True)))
        result = self._packet(self._writer.txPacket)
        if result != sdk.COMM_SUCCESS:
            raise DriveError(f"currents could not be sent: {self._bus.getTxRxResult(result)}")

    def _read_servos(self) -> JointState:
        result = self._packet(self._reader.txRxPacket)
        if result != sdk.COMM_SUCCESS:
            self._lost(self._bus.getTxRxResult(result))
        if any(len(self._reader.data_dict[i]) != len(_READ) for i in self._config.servo_ids):
            self._lost("an answer came that was another packet's")  # of one that was broken off
        if not self._watch():
            raise DriveError(self._trouble)
        self._n_bad = 0
        current, velocity, position = self._numbers(2, 3), self._numbers(4, 5), self._numbers(4, 9)
        self._measured = self._sign * current * _AMP * self._config.servo_nm_per_a
        q = self._sign * (position - _CENTRE) * _RAD
        return JointState(q, self._sign * velocity * _RAD_S, self._now() - self._start_s)

    def _watch(self) -> bool:
        """Look at what the servos say of themselves; whether their readings are what was asked for.

        Those that give torque though they were switched off are told again with the next reading. If one
        gives no torque, all are switched off: an arm of which some joints are held is worse than one that is
        limp. One that has lost its settings reads something else at the same addresses.
        """
        watched = np.stack([self._numbers(1, k) for k in range(len(WATCHED))], axis=1).astype(int) % 256
        if not self._enabled:
            on = watched[:, WATCHED.index(TORQUE_ENABLE)]
            self._not_off = tuple(i for i, each in zip(self._config.servo_ids, on, strict=True) if each)
        if not self._trouble:
            found = zip(self._config.servo_ids, watched.tolist(), strict=True)
            said = (trouble(servo, *each, wanted_on=self._enabled) for servo, each in found)
            self._trouble = next(filter(None, said), "")
            if self._trouble:
                self._disable()
        return bool(watched[:, WATCHED.index(BUS_WATCHDOG)].all())

    def _require_no_trouble(self) -> None:
        if self._not_off:
            raise DriveError(". But ".join(filter(None, (self._trouble, self._still_on()))))
        if self._trouble:
            raise DriveError(
                f"{self._trouble}. All servos are without torque; look at the arm, then recover it "
                "(--recover)."
            )

    def _numbers(self, size: int, offset: int) -> FloatArray:
        """One number of every servo that was read, from the two's complement that the SDK leaves as it is."""
        numbers = [
            int(self._reader.getData(i, _INDIRECT_DATA + offset, size)) for i in self._config.servo_ids
        ]
        half = 1 << (8 * size - 1)
        return np.array([(number ^ half) - half for number in numbers], dtype=np.float64)

    def _lost(self, why: str) -> NoReturn:
        self._n_bad += 1
        if self._n_bad >= _BAD_READS:
            raise DriveError(f"the servos did not answer {self._n_bad} times in a row: {why}")
        raise NoReadingError(f"the servos did not answer: {why}")

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the plant was closed; make a new one.")
