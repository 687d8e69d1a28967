"""Servos through ROBOTIS' own SDK, on a pseudo-terminal."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest

sdk = pytest.importorskip("dynamixel_sdk")
serial = pytest.importorskip("serial")
sys.path.extend((str(Path(__file__).parent), str(Path(__file__).parents[1] / "link")))

from dynamixel_bus import (  # noqa: E402 - needs the path above
    AMP,
    HEADER,
    NM_PER_A,
    RAD,
    STATUS,
    WRITE,
    Bus,
    be_patient,
    crc16,
)
from rig import Rig  # noqa: E402

from spikearm.envs.arms import ARMS  # noqa: E402
from spikearm.envs.dynamics import MujocoDynamics  # noqa: E402
from spikearm.errors import ClosedError, ConfigError, DriveError, NoReadingError, NotFiniteError  # noqa: E402
from spikearm.hardware.adapters.dynamixel import DynamixelPlant  # noqa: E402
from spikearm.hardware.adapters.dynamixel_config import DynamixelConfig  # noqa: E402
from spikearm.hardware.link.wire import Stop, Trait  # noqa: E402

STEP_NM = AMP * NM_PER_A


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    be_patient(monkeypatch)


@pytest.fixture
def bus():
    bus = Bus()
    yield bus
    bus.close()


@pytest.fixture
def make(bus):
    """Makes plants on the bus."""
    plants = []

    def plant(**changes):
        config = DynamixelConfig(servo_port=bus.port, servo_limit_a=30.0, servo_baudrate=1_000_000)
        plants.append(DynamixelPlant(type(config)(**{**vars(config), **changes}), dt_s=0.005))
        return plants[-1]

    yield plant
    bus.mute = False
    for each in plants:
        each.close()


def test_checksum_is_that_of_the_protocol():
    """The example of the e-Manual: ping to servo 1."""
    assert crc16(bytes.fromhex("fffffd0001030001")) == 0x4E19


def test_angles_and_speeds_are_those_of_the_arm(bus, make):
    plant = make()
    for _ in range(20):
        plant.write(np.array((-3.0, 2.0)))
    state, true = plant.read(), bus.plant.read()
    np.testing.assert_allclose(state.q, true.q, atol=0.51 * RAD)
    np.testing.assert_allclose(state.dq, true.dq, atol=0.013)
    assert state.t_s > 0.0


def test_torque_arrives_to_the_nearest_step_of_current(bus, make):
    plant = make()
    wanted = np.array((3.3333, -1.1111))
    np.testing.assert_array_equal(plant.write(wanted), wanted)
    plant.write(wanted)
    plant.read()
    goals = np.array([servo.goal_nm for servo in bus.servos.values()])
    np.testing.assert_allclose(goals, wanted, atol=0.51 * STEP_NM)
    np.testing.assert_allclose(plant.torque_measured, goals, atol=1e-9)


def test_current_limit_cuts_and_says_so(make):
    plant = make(servo_limit_a=0.5)
    np.testing.assert_allclose(plant.write(np.array((10.0, -0.1))), (0.5 * NM_PER_A, -0.1))


def test_reversed_servo_turns_the_other_way(bus, make):
    plant = make(servo_reversed=(2,))
    q = plant.read().q
    np.testing.assert_allclose(q, bus.plant.read().q * (1, -1), atol=0.51 * RAD)
    plant.write(np.array((1.0, 1.0)))
    plant.read()
    assert bus.servos[2].table[102:104] == (-round(1.0 / NM_PER_A / AMP)).to_bytes(2, "little", signed=True)


def test_servos_are_without_torque_until_the_first_command(bus, make):
    plant = make()
    assert [servo.table[64] for servo in bus.servos.values()] == [0, 0]
    assert [servo.table[11] for servo in bus.servos.values()] == [0, 0]
    assert [servo.table[98] for servo in bus.servos.values()] == [5, 5]
    plant.write(np.zeros(2))
    plant.read()
    assert [servo.table[64] for servo in bus.servos.values()] == [1, 1]


def test_arm_is_enabled_as_a_whole_or_not_at_all(bus, make):
    plant = make()
    second, obey = bus.servos[2], bus.servos[2].set
    second.set = lambda address, data: 7 if (address, data) == (64, b"\x01") else obey(address, data)
    for _ in range(2):
        with pytest.raises(DriveError, match=r"servo 2 on .* did not take 1 at address 64"):
            plant.write(np.zeros(2))
        assert bus.servos[1].table[64] == 0
    del second.set
    plant.write(np.zeros(2))
    assert [servo.table[64] for servo in bus.servos.values()] == [1, 1]


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        ("overload", r"servo 2 has switched its torque off: overload"),
        ("reboot", r"servo 2 has switched its torque off"),
        ("miss_its_master", r"servo 2 has stopped: nothing was heard on its bus"),
    ],
)
def test_servo_that_stops_by_itself_takes_the_whole_arm_along(bus, make, happens, said):
    plant = make()
    plant.write(np.ones(2))
    plant.read()
    getattr(bus.servos[2], happens)()
    lost = happens == "reboot"  # its settings: what it says is not its place
    with pytest.raises(DriveError, match="lost its settings") if lost else nullcontext():
        np.testing.assert_allclose(plant.read().q, bus.plant.read().q, atol=0.51 * RAD)
    for _ in range(3):
        with pytest.raises(DriveError, match=said + r".*recover it"):
            plant.write(np.ones(2))
    assert [servo.table[64] for servo in bus.servos.values()] == [0, 0]
    if not lost:
        plant.read()
        np.testing.assert_array_equal(plant.torque_measured, 0.0)


@pytest.mark.parametrize("happens", ["reboot", "miss_its_master"])
def test_arm_whose_servo_stopped_is_recovered(bus, make, happens):
    plant = make()
    plant.write(np.ones(2))
    getattr(bus.servos[2], happens)()
    with pytest.raises(DriveError, match="lost its settings") if happens == "reboot" else nullcontext():
        plant.read()
    plant.recover()
    assert [servo.table[64] for servo in bus.servos.values()] == [0, 0]  # until the next torque
    np.testing.assert_array_equal(plant.write(np.ones(2)), np.ones(2))
    np.testing.assert_allclose(plant.read().q, bus.plant.read().q, atol=0.51 * RAD)
    assert [servo.table[64] for servo in bus.servos.values()] == [1, 1]
    assert [servo.table[98] for servo in bus.servos.values()] == [5, 5]


# -- torque off, whatever happens to it ---------------------------------------------------------------


def lose_the_torque_off(bus, n: int):
    """The next packets get lost that would switch servo 2 off; how many are still to."""
    left, obey = [n], bus._obey

    def lossy(servo, instruction, body):
        if (servo, instruction, bytes(body)) == (2, WRITE, b"\x40\x00\x00") and left[0]:
            left[0] -= 1
        else:
            obey(servo, instruction, body)

    bus._obey = lossy
    return left


def torques_on(bus) -> list[int]:
    return [servo.table[64] for servo in bus.servos.values()]


def pushing(make):
    """An arm both servos of which give torque."""
    plant = make()
    plant.write(np.array((0.5, 1.0)))
    plant.read()
    return plant


def test_torque_off_that_gets_lost_is_sent_again(bus, make):
    plant = pushing(make)
    lose_the_torque_off(bus, 1)
    bus.servos[1].overload()
    plant.read()
    assert torques_on(bus) == [0, 0]
    with pytest.raises(DriveError, match="All servos are without torque"):
        plant.write(np.zeros(2))


def test_torque_off_is_repeated_with_every_reading(bus, make):
    plant = pushing(make)
    lose_the_torque_off(bus, 5)
    bus.servos[1].overload()
    plant.read()
    assert torques_on(bus) == [0, 1]
    assert bus.servos[2].goal_nm == 0.0  # it is told to give none as well
    with pytest.raises(
        DriveError, match=r"servo 1 .* overload.* But servo 2 on .* could not be switched off"
    ):
        plant.write(np.zeros(2))
    for _ in range(3):
        plant.read()
    assert torques_on(bus) == [0, 0]
    with pytest.raises(DriveError, match="All servos are without torque"):
        plant.write(np.zeros(2))


def test_servo_that_cannot_be_switched_off_is_left_to_its_own_watchdog(bus, make):
    """It hears nothing more, neither readings nor writes, until somebody recovers it."""
    plant = pushing(make)
    left = lose_the_torque_off(bus, 1000)
    bus.servos[1].overload()
    for _ in range(5):
        plant.read()
    with pytest.raises(DriveError, match=r"servo 2 .* could not be switched off.* after 0\.1 s"):
        plant.read()
    said, bus._obey = [], lambda *packet: said.append(packet)
    for _ in range(3):
        for action in (plant.read, lambda: plant.write(np.zeros(2))):
            with pytest.raises(DriveError, match=r"servo 2 .* could not be switched off"):
                action()
    assert said == []
    left[0] = 0
    del bus._obey
    bus.servos[1].reboot()
    bus.servos[2].miss_its_master()
    plant.recover()
    plant.write(np.ones(2))
    assert torques_on(bus) == [1, 1]


def test_servos_that_are_let_go_are_off_until_the_next_torque(bus, make):
    plant = pushing(make)
    plant.let_go()
    assert torques_on(bus) == [0, 0]
    plant.read()
    plant.write(np.ones(2))
    plant.read()
    assert torques_on(bus) == [1, 1]


def test_servo_that_does_not_let_go_is_said_and_told_again(bus, make):
    plant = pushing(make)
    lose_the_torque_off(bus, 5)
    with pytest.raises(DriveError, match=r"servo 2 .* could not be switched off"):
        plant.let_go()
    for _ in range(3):
        plant.read()
    assert torques_on(bus) == [0, 0]
    plant.let_go()


def test_servo_whose_torque_comes_back_is_switched_off_again(bus, make):
    plant = pushing(make)
    bus.servos[1].overload()
    plant.read()
    bus.servos[2].table[64] = 1
    plant.read()
    plant.read()
    assert torques_on(bus) == [0, 0]


@pytest.mark.parametrize("n_lost", [1, 1000])
def test_closing_insists_and_says_what_is_left(bus, make, n_lost):
    plant = pushing(make)
    lose_the_torque_off(bus, n_lost)
    unsaid = pytest.raises(DriveError, match=r"servo 2 .* could not be switched off")
    with nullcontext() if n_lost == 1 else unsaid:
        plant.close()
    assert torques_on(bus) == [0, int(n_lost > 1)]
    assert bus.servos[2].goal_nm == 0.0
    plant.close()


@pytest.mark.parametrize("error", [serial.SerialException("it was unplugged"), KeyboardInterrupt()])
def test_packet_that_was_broken_off_does_not_block_the_next(bus, make, monkeypatch, error):
    """The SDK leaves its port marked as busy."""
    plant = pushing(make)

    def broken(length):
        raise error

    interrupted = isinstance(error, KeyboardInterrupt)
    for action in (plant.read, plant.recover):
        with monkeypatch.context() as patch:
            patch.setattr(plant._port, "readPort", broken)
            with pytest.raises(KeyboardInterrupt if interrupted else DriveError) as caught:
                action()
        assert interrupted or "has failed: it was unplugged" in str(caught.value)
        with suppress(NoReadingError):  # the answer to what was broken off may come now
            plant.read()
        np.testing.assert_allclose(plant.read().q, bus.plant.read().q, atol=0.51 * RAD)
    plant.recover()
    plant.write(np.ones(2))
    assert torques_on(bus) == [1, 1]
    monkeypatch.setattr(plant._port, "readPort", broken)
    with pytest.raises((KeyboardInterrupt, DriveError)):
        plant.read()
    monkeypatch.undo()
    plant.close()
    assert torques_on(bus) == [0, 0]


def test_answer_to_an_earlier_packet_is_no_reading(bus, make):
    """It comes late after a packet that was broken off, and has no data."""
    plant = pushing(make)
    bus.noise = late_status(1)
    with pytest.raises(NoReadingError, match="another packet's"):
        plant.read()
    plant.read()
    bus.noise = late_status(1)
    plant.close()
    assert torques_on(bus) == [0, 0]


def late_status(servo: int) -> bytes:
    packet = HEADER + bytes((servo, 4, 0, STATUS, 0))
    return packet + crc16(packet).to_bytes(2, "little")


def test_write_that_breaks_off_is_a_fault_of_the_drive(bus, make, monkeypatch):
    plant = pushing(make)

    def broken(packet):
        raise OSError("input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(plant._port, "writePort", broken)
        with pytest.raises(DriveError, match="has failed: input/output error"):
            plant.write(np.ones(2))
    np.testing.assert_array_equal(plant.write(np.ones(2)), np.ones(2))


def test_line_that_fails_for_one_servo_does_not_spare_the_others(bus, make, monkeypatch):
    plant = pushing(make)
    send = plant._port.writePort

    def broken(packet):
        if packet[4] == 1:
            raise OSError("input/output error")
        return send(packet)

    monkeypatch.setattr(plant._port, "writePort", broken)
    with pytest.raises(DriveError, match=r"servo 1 on .* could not be switched off"):
        plant.close()
    assert torques_on(bus) == [1, 0]
    assert bus.servos[1].goal_nm == 0.0


def test_servo_with_an_error_is_not_recovered_but_named(bus, make):
    plant = make()
    plant.write(np.ones(2))
    bus.servos[1].overload()
    plant.read()
    with pytest.raises(DriveError, match=r"servo 1 has switched its torque off: overload.*reboot it"):
        plant.recover()
    assert [servo.table[64] for servo in bus.servos.values()] == [0, 0]
    with pytest.raises(DriveError, match="overload"):
        make()


def test_servo_that_allows_less_current_is_refused(bus, make):
    bus.servos[2].table[38:40] = (100).to_bytes(2, "little")
    with pytest.raises(ConfigError, match=r"servo 2 allows 0\.269 A .*servo_limit_a = 30"):
        make()


def test_closing_takes_the_torque_off(bus, make):
    plant = make()
    plant.write(np.zeros(2))
    plant.close()
    plant.close()
    assert [servo.table[64] for servo in bus.servos.values()] == [0, 0]
    with pytest.raises(ClosedError, match="closed; make a new one"):
        plant.read()


def test_arm_is_held_through_the_bus(bus, make):
    """Gravity compensation and damping by the controller's own model: the arm stays."""
    plant, dynamics = make(), MujocoDynamics(ARMS["planar2"])
    start = plant.read().q
    for _ in range(200):
        state = plant.read()
        dynamics.update(state.q, state.dq)
        wanted = 100.0 * (start - state.q) - 20.0 * state.dq
        plant.write(dynamics.mass_matrix() @ wanted + dynamics.bias())
    plant.read()  # answered after the last write, which is not
    assert np.abs(bus.plant.read().q - start).max() < 0.02
    assert bus.n_periods == 200
    assert bus.n_bad == 0


def test_noise_on_the_line_is_survived(bus, make):
    plant = make()
    bus.noise = b"\x00\xff\xffnoise"
    np.testing.assert_allclose(plant.read().q, bus.plant.read().q, atol=0.51 * RAD)


def test_lost_reading_is_said_and_two_in_a_row_are_a_fault(bus, make):
    """An old reading in its place would be taken for where the arm is."""
    plant = make()
    for _ in range(2):
        bus.mute = True
        with pytest.raises(NoReadingError, match="the servos did not answer: "):
            plant.read()
        with pytest.raises(DriveError, match="did not answer 2 times in a row") as caught:
            plant.read()
        assert not isinstance(caught.value, NoReadingError)
        bus.mute = False
        plant.read()


def test_servo_that_is_not_there_is_named(make):
    with pytest.raises(DriveError, match=r"servo 9 on .* did not take 0 at address 64"):
        make(servo_ids=(1, 9))


def test_port_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DriveError, match=r"serial port .*none cannot be opened.*dialout"):
        DynamixelPlant(DynamixelConfig(servo_port=str(tmp_path / "none")), dt_s=0.005)


def test_bad_torque_is_not_sent(bus, make):
    plant = make()
    with pytest.raises(NotFiniteError, match="Nothing was sent"):
        plant.write(np.array((np.nan, 0.0)))
    with pytest.raises(ConfigError, match="torque has shape"):
        plant.write(np.zeros(3))
    assert bus.n_periods == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"servo_ids": ()}, "servo_ids are different numbers"),
        ({"servo_ids": (1, 1)}, "servo_ids are different numbers"),
        ({"servo_ids": (253,)}, "servo_ids are different numbers from 0 to 252"),
        ({"servo_reversed": (3,)}, "names servos that are not in"),
        ({"servo_nm_per_a": 0.0}, "servo_nm_per_a must be a positive number"),
        ({"servo_watchdog_s": 9.0}, "from 0.02 to 2.54"),
    ],
)
def test_settings_out_of_range_are_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        DynamixelConfig(**change)


def test_dead_line_ends_in_torque_off_within_its_time(bus, make, monkeypatch):
    """On a clock that the test moves: also while an answer is waited for that does not come."""
    monkeypatch.undo()  # as patient as with real servos
    rigs = []

    def milliseconds(port):
        """Stands still while the servos answer: their thread may take its time."""
        if not bus.mute:
            return 0.0
        rigs[0].now_ns += 100_000
        return 1e-6 * rigs[0].now_ns

    monkeypatch.setattr(sdk.PortHandler, "getCurrentTime", milliseconds)
    plant = make()
    dynamics = MujocoDynamics(ARMS["planar2"])
    rig = Rig(plant, dynamics, traits=Trait.REAL, q_range=dynamics.joint_ranges)
    rigs.append(rig)
    server = rig.server
    server._period_ns = 5_000_000
    due_ns, stops, written = rig.now_ns, {}, []
    write, protect = plant.write, rig.session.protect

    def protected(why):
        for each in Stop:
            if why & each:
                stops.setdefault(each, rig.now_ns)
        protect(why)

    def noted(torque):
        written.append((rig.now_ns, torque))
        return write(torque)

    monkeypatch.setattr(rig.session, "protect", protected)
    monkeypatch.setattr(plant, "write", noted)
    for k in range(40):
        if k == 20:
            assert rig.session.stop == Stop(0)
            bus.mute, lost_ns = True, server._read_ns
        due_ns = server.collect_until(due_ns + 5_000_000)
        server.tick()
    # 10 ms are two periods without a reading: at the third, it is known and acted upon.
    assert stops.keys() == {Stop.PLANT, Stop.TORQUE_OFF}
    assert {round(1e-6 * (each - lost_ns)) for each in stops.values()} == {15}
    assert round(1e-6 * (written[-1][0] - lost_ns)) == 10
    q = server.reading.q
    dynamics.update(q, np.zeros(2))
    np.testing.assert_allclose(written[-1][1], dynamics.bias(), atol=1e-6)
    until_s = time.monotonic() + 10.0
    while torques_on(bus) != [0, 0] and time.monotonic() < until_s:
        time.sleep(0.01)  # the servos' thread is on a clock of its own
    assert torques_on(bus) == [0, 0]  # they hear, and do not answer
    rig.close()
