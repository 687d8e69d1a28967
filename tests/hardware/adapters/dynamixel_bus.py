"""Servos on a pseudo-terminal: protocol 2.0 on the wire, MuJoCo behind it.

From ROBOTIS' description of the protocol ("DYNAMIXEL Protocol 2.0", e-Manual): header FF FF FD 00, id,
length, instruction, parameters, CRC-16 with polynomial 0x8005.
"""

from __future__ import annotations

import os
import select
import struct
import threading
import tty

import dynamixel_sdk as sdk
import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.plant import MujocoPlant
from spikearm.hardware.adapters import dynamixel_port

PING, READ, WRITE, STATUS, SYNC_READ, SYNC_WRITE = 0x01, 0x02, 0x03, 0x55, 0x82, 0x83
HEADER = b"\xff\xff\xfd\x00"
AMP, RAD_S, RAD = 2.69e-3, 0.229 * 2 * np.pi / 60, 2 * np.pi / 4096
NM_PER_A = 1.78


def crc16(data: bytes) -> int:
    """CRC-16 with polynomial x^16 + x^15 + x^2 + 1, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1
            crc &= 0xFFFF
    return crc


class Servo:
    """One servo's control table; what it needs of it."""

    def __init__(self) -> None:
        self.table = bytearray(252)
        self.table[11] = 3  # position control, as delivered
        struct.pack_into("<H", self.table, 38, 20000)  # far more current than any servo's
        struct.pack_into("<28H", self.table, 168, *range(224, 252))

    def set(self, address: int, data: bytes) -> int:
        """Write; the error number of the protocol."""
        if address == 11 and self.table[64]:
            return 7  # EEPROM is locked while torque is on
        if address == 64 and data[0] and self.table[70]:
            return 1  # only a reboot brings the torque back
        if address == 102 and self.table[98] == 255:
            return 4  # goals cannot be written until the watchdog is cleared
        self.table[address : address + len(data)] = data
        return 0

    def get(self, address: int, size: int) -> bytes:
        """Read; indirect data are those of the addresses that were set."""
        if not 224 <= address < 252:
            return bytes(self.table[address : address + size])
        pointers = struct.unpack_from("<28H", self.table, 168)
        return bytes(self.table[pointers[k]] for k in range(address - 224, address - 224 + size))

    def overload(self) -> None:
        """What a servo does that was overloaded: its torque is off, and stays off."""
        self.table[64], self.table[70] = 0, 0x20

    def miss_its_master(self) -> None:
        """What a servo does whose bus watchdog trips: it stops."""
        self.table[98] = 255
        struct.pack_into("<h", self.table, 102, 0)

    def reboot(self) -> None:
        """As after a moment without power."""
        mode = self.table[11]
        self.__init__()
        self.table[11] = mode

    @property
    def goal_nm(self) -> float:
        if not self.table[64] or self.table[11] != 0:
            return 0.0
        return struct.unpack_from("<h", self.table, 102)[0] * AMP * NM_PER_A

    def report(self, q: float, dq: float, torque: float) -> None:
        current = round(torque / NM_PER_A / AMP)
        struct.pack_into("<hii", self.table, 126, current, round(dq / RAD_S), 2048 + round(q / RAD))


class Bus:
    """The servos of a planar arm; every sync write is one period of its physics.

    Attributes:
        port: Name of the pseudo-terminal.
        mute: Servos do not answer.
        noise: Bytes sent before the next answer.
        n_bad: Packets with a wrong checksum.
    """

    def __init__(self, ids: tuple[int, ...] = (1, 2), dt_s: float = 0.005) -> None:
        self.plant = MujocoPlant(ARMS["planar2"], control_dt_s=dt_s, physics_dt_s=0.001)
        self.servos = {i: Servo() for i in ids}
        self.mute = False
        self.noise = b""
        self.n_bad = self.n_periods = 0
        self._master, self._slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._buffer = b""
        self._report()
        self._going_on = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if not self._going_on:
            return
        self._going_on = False
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _run(self) -> None:
        while self._going_on:
            if select.select([self._master], [], [], 0.02)[0]:
                self._buffer += os.read(self._master, 4096)
                while self._next_packet():
                    pass

    def _next_packet(self) -> bool:
        start = self._buffer.find(HEADER)
        if start < 0 or len(self._buffer) < start + 7:
            return False
        servo, length = struct.unpack_from("<BH", self._buffer, start + 4)
        end = start + 7 + length
        if len(self._buffer) < end:
            return False
        packet, self._buffer = self._buffer[start:end], self._buffer[end:]
        if crc16(packet[:-2]) != struct.unpack("<H", packet[-2:])[0]:
            self.n_bad += 1
            return True
        body = packet[8:-2].replace(b"\xff\xff\xfd\xfd", b"\xff\xff\xfd")
        self._obey(servo, packet[7], body)
        return True

    def _obey(self, servo: int, instruction: int, body: bytes) -> None:
        if instruction == SYNC_WRITE:
            self._sync_write(body)
        elif instruction == SYNC_READ:
            address, size = struct.unpack_from("<HH", body)
            for each in body[4:]:
                if each in self.servos:
                    self._answer(each, 0, self.servos[each].get(address, size))
        elif servo in self.servos and instruction == READ:
            self._answer(servo, 0, self.servos[servo].get(*struct.unpack("<HH", body)))
        elif servo in self.servos and instruction == WRITE:
            (address,) = struct.unpack_from("<H", body)
            self._answer(servo, self.servos[servo].set(address, body[2:]), b"")

    def _sync_write(self, body: bytes) -> None:
        address, size = struct.unpack_from("<HH", body)
        for at in range(4, len(body), size + 1):
            self.servos[body[at]].set(address, body[at + 1 : at + 1 + size])
        torque = np.array([servo.goal_nm for servo in self.servos.values()])
        self.plant.write(torque)
        self.n_periods += 1
        self._report()

    def _report(self) -> None:
        state = self.plant.read()
        for i, servo in enumerate(self.servos.values()):
            servo.report(state.q[i], state.dq[i], servo.goal_nm)

    def _answer(self, servo: int, error: int, data: bytes) -> None:
        if self.mute:
            return
        error |= 0x80 * bool(self.servos[servo].table[70])  # the alert
        body = (bytes((STATUS, error)) + data).replace(b"\xff\xff\xfd", b"\xff\xff\xfd\xfd")
        packet = HEADER + struct.pack("<BH", servo, len(body) + 2) + body
        os.write(self._master, self.noise + packet + struct.pack("<H", crc16(packet)))
        self.noise = b""


def be_patient(patch: pytest.MonkeyPatch) -> None:
    """Readers give up after 2 or 34 ms, in which a busy machine may not even run the servos' thread."""
    patch.setattr(sdk.port_handler, "LATENCY_TIMER", 150)
    patch.setattr(dynamixel_port, "_ANSWER_SHARE", 60.0)
