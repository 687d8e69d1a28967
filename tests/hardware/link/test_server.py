"""The robot's end against everything that may come out of a wire."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from rig import KEY, PERIOD_NS, MassDynamics, Masses

from spikearm.errors import NoReadingError
from spikearm.hardware.link.conversation import ClientRules
from spikearm.hardware.link.elapsed import elapsed_ns
from spikearm.hardware.link.key import TAG_BYTES, tag_of
from spikearm.hardware.link.limits import LimitRules
from spikearm.hardware.link.wire import (
    ENDING,
    NO_FLAG,
    STARTING,
    Cause,
    Codec,
    Flag,
    Mode,
    Refused,
    Stop,
    Trait,
)

STRANGER = "stranger"


def offered(rig, packet: bytes, peer: object = STRANGER) -> None:
    """One packet, and the period in which it comes."""
    rig.inwards.append((packet, peer))
    rig.period()


def test_hello_is_answered_and_changes_nothing(rig):
    robot = rig()
    number = robot.session.number
    offered(robot, robot.codec.pack_command(robot.command(session=0, flags=Flag.HELLO, client_ns=77)))
    state = robot.codec.unpack_state(robot.outwards[STRANGER].popleft())
    assert (state.session, state.echo_ns, state.mode) == (number, 77, Mode.IDLE)
    assert robot.session.peer is None
    assert robot.server.n_accepted == 0


def test_hello_while_another_is_in_session_learns_no_number(rig):
    robot = rig()
    robot.connect()
    offered(robot, robot.codec.pack_command(robot.command(session=0, flags=Flag.HELLO)))
    assert robot.codec.unpack_state(robot.outwards[STRANGER].popleft()).session == 0


def test_flood_of_hellos_is_answered_sparingly(rig):
    robot = rig()
    packet = robot.codec.pack_command(robot.command(session=0, flags=Flag.HELLO))
    for _ in range(500):
        robot.inwards.append((packet, STRANGER))
    robot.period()
    assert len(robot.outwards[STRANGER]) == 4


def test_flood_costs_no_tick(rig):
    robot = rig()
    robot.armed()
    for _ in range(50):
        for _ in range(900):
            robot.inwards.append((b"noise", STRANGER))
        before_ns = robot.now_ns
        robot.period()
        assert robot.now_ns - before_ns < 1.1 * PERIOD_NS
        robot.inwards.clear()
    assert robot.session.stop == Stop.MISSED_IN_A_ROW  # nobody else has said anything


def test_replayed_recording_is_not_accepted(rig):
    """All that a whole run said, said again: in its own session, in the next one, by anybody."""
    robot = rig()
    plant = robot.armed()
    for _ in range(100):
        plant.next_state()
        plant.write(np.array((0.3, -0.2)))
    robot.period()
    recording = list(robot.recorded)
    assert len(recording) > 100
    for peer in ("client 0", STRANGER):
        before = robot.server.n_accepted
        for packet in recording:
            offered(robot, packet, peer)
        assert robot.server.n_accepted == before
    plant.close()
    robot.periods(1100)
    newer = robot.connect()
    newer.recover()
    newer.arm()
    accepted, refused = robot.server.n_accepted, robot.server.refused.total()
    for packet in recording:
        for peer in ("client 0", "client 1", STRANGER):
            robot.inwards.append((packet, peer))
        newer.next_state()
        newer.write(np.zeros(2))
    robot.period()
    assert robot.server.n_accepted == accepted + len(recording)  # the new client's own
    hellos = 3 * sum(robot.codec.unpack_command(packet).session == 0 for packet in recording)
    assert robot.server.refused.total() == refused + 3 * len(recording) - hellos
    assert newer.stop_reason == Stop(0)


def turned(packet: bytes, rng: np.random.Generator, n_bits: int) -> bytes:
    """The same with some bits turned."""
    spoilt = bytearray(packet)
    for bit in rng.integers(8 * len(packet), size=n_bits):
        spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def tagged(robot, rng: np.random.Generator, peer: object) -> bytes:
    """With the right tag, which without a key anybody on the machine can make, and not to be accepted.

    Half of it any bytes, half of them behind a genuine beginning; or a command that is right or wrong in each
    of its fields, with some bits turned.
    """
    while True:
        fine = robot.command()
        command = robot.command(
            ((5.0, 5.0), (0.0, 0.0), (np.nan, 5.0))[rng.integers(3)],
            (NO_FLAG, Flag.HOLD, Flag.ARM, STARTING, Flag.RESET, Flag.HELLO)[rng.integers(6)],
            session=fine.session ^ int(rng.integers(4) == 0),
            sequence=fine.sequence - int(rng.integers(4) == 0),
            answers=fine.answers + int(rng.choice((0, 0, 1, 100))),
        )
        body = robot.codec.pack_command(command)[:-TAG_BYTES]
        kept = int(rng.choice((0, 8, 16, 24, len(body), len(body), len(body), len(body))))
        body = turned(body[:kept], rng, int(rng.integers(4)) if kept else 0) + rng.bytes(len(body) - kept)
        packet = body + tag_of(body, robot.codec._key)
        if not would_be_taken(robot, packet, peer):
            return packet


def would_be_taken(robot, packet: bytes, peer: object) -> bool:
    """Whether it is one that its client may send, or a hello."""
    try:
        command = robot.codec.unpack_command(packet)
    except Refused:
        return False
    if command.session == 0 and command.flags == Flag.HELLO:
        return True
    session, starts = robot.session, command.flags & STARTING
    if (command.session, peer) != (session.number, session.peer) or command.sequence <= session.last_sequence:
        return False
    recent = 0 <= session.tick_number - command.answers <= 5
    wrong = starts == STARTING or (starts and command.torque.any())
    return bool(command.flags & ENDING) or (recent and not wrong)


BEHIND_THE_TAG = {
    Cause.HEADER,
    Cause.JOINTS,
    Cause.SESSION,
    Cause.PEER,
    Cause.SEQUENCE,
    Cause.STALE,
    Cause.NOT_FINITE,
    Cause.FIRST_TORQUE,
    Cause.FLAGS,
}


def fuzz(robot, n_packets: int, seed: int = 0) -> None:
    """Random bytes, cut, stretched and turned versions of genuine packets, from several senders.

    A fifth of them has the right tag, and half of those comes from the session's own client.
    """
    rng = np.random.default_rng(seed)
    genuine = robot.codec.pack_command(robot.command((5.0, 5.0)))
    take = robot.server._take
    for i in range(n_packets):
        kind, peer = i % 5, f"sender {i % 7}"
        if kind == 0:
            packet = rng.bytes(int(rng.integers(0, 300)))
        elif kind == 1:
            packet = rng.bytes(len(genuine))
        elif kind == 4:
            peer = peer if i % 2 else robot.session.peer
            packet = tagged(robot, rng, peer)
        else:
            packet = genuine
            while packet == genuine:
                packet = turned(genuine, rng, int(rng.integers(1, 9)))
            if kind == 3:
                packet = packet[: int(rng.integers(len(packet)))]
        take(packet, peer, may_answer=True)


def check_fuzz(robot, n_packets: int) -> None:
    robot.armed()
    accepted, applied = robot.server.n_accepted, robot.session.applied.copy()
    refused = robot.server.refused.total()
    fuzz(robot, n_packets - n_packets // 10, seed=1)
    tracemalloc.start()  # it makes everything several times slower
    fuzz(robot, n_packets // 10)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert robot.server.n_accepted == accepted
    assert robot.server.refused.total() == refused + n_packets
    assert set(robot.server.refused) >= {Cause.SIZE, Cause.TAG, *BEHIND_THE_TAG}
    assert grown < 20_000
    np.testing.assert_array_equal(robot.session.applied, applied)
    assert robot.session.mode is Mode.COMMAND_ACTIVE


def test_fuzzed_packets_are_not_accepted_and_keep_no_memory(rig):
    check_fuzz(rig(), 10_000)


@pytest.mark.slow
@pytest.mark.parametrize("key", [b"", bytes(range(32))], ids=["plain", "keyed"])
def test_million_fuzzed_packets_are_not_accepted_and_keep_no_memory(rig, key):
    check_fuzz(rig(key=key), 1_000_000)


def test_command_without_a_number_is_counted_and_not_passed_on(rig):
    robot = rig()
    robot.armed()
    offered(robot, robot.codec.pack_command(robot.command((np.nan, 0.0))), "client 0")
    assert robot.server.refused[Cause.NOT_FINITE] == 1
    assert np.isfinite(robot.plant.applied).all()


def spoilt(packet: bytes) -> bytes:
    return packet[:-1] + bytes((packet[-1] ^ 1,))


def of_version(version: int, packet: bytes) -> bytes:
    body = packet[:4] + bytes((version,)) + packet[5:-TAG_BYTES]
    return body + tag_of(body, KEY)


REFUSED = {
    Cause.SIZE: {"damage": lambda packet: packet[:-1]},
    Cause.TAG: {"damage": spoilt},
    Cause.HEADER: {"damage": lambda packet: of_version(9, packet)},
    Cause.JOINTS: {"codec": Codec(3, KEY), "torque": np.zeros(3)},
    Cause.SESSION: {"session": 7},
    Cause.PEER: {"peer": STRANGER},
    Cause.SEQUENCE: {"sequence": 1},
    Cause.STALE: {"answers": 1},
    Cause.NOT_FINITE: {"torque": np.array((0.0, np.inf))},
    Cause.FIRST_TORQUE: {"flags": Flag.ARM},
    Cause.FLAGS: {"flags": Flag.ARM | Flag.RECOVER, "torque": np.zeros(2)},
    Cause.UNACKNOWLEDGED: {"flags": Flag.RECOVER, "torque": np.zeros(2)},
}
"""What is wrong with an else genuine command, by the cause that it is refused for."""


def test_every_cause_of_refusal_has_its_test():
    """Another arm is a state's, and refused by a client; a robot that ends is test_session's."""
    assert {*REFUSED, Cause.ARM, Cause.ENDING} == set(Cause)


@pytest.mark.parametrize("cause", REFUSED, ids=str)
def test_each_cause_of_refusal_is_counted_and_moves_nothing(rig, cause):
    robot = rig(traits=Trait.REAL)
    plant = robot.armed(rules=ClientRules(acknowledged=True))
    for _ in range(5):
        plant.next_state()
        plant.write(np.array((0.2, 0.2)))
    robot.period()
    wrong = {"torque": np.array((0.9, 0.9)), **REFUSED[cause]}
    codec, damage = wrong.pop("codec", robot.codec), wrong.pop("damage", bytes)
    peer = wrong.pop("peer", "client 0")
    packet = damage(codec.pack_command(robot.command(**wrong)))
    accepted, before = robot.server.n_accepted, robot.server.refused[cause]
    offered(robot, packet, peer)
    assert robot.server.n_accepted == accepted
    assert robot.server.refused[cause] == before + 1
    np.testing.assert_array_equal(robot.plant.applied[-1], (0.2, 0.2))
    assert robot.session.mode is Mode.COMMAND_ACTIVE


def test_request_to_stop_is_obeyed_though_its_torque_is_no_number(rig):
    robot = rig()
    robot.armed()
    offered(robot, robot.codec.pack_command(robot.command((np.nan, 0.0), Flag.STOP)), "client 0")
    assert (robot.session.mode, robot.session.stop) == (Mode.STOPPED, Stop.CLIENT)


@pytest.mark.parametrize(
    ("trouble", "why"), [("broken", Stop.SENSOR), ("error", Stop.PLANT)], ids=["sensor", "plant"]
)
def test_failing_arm_stops_the_arm_and_not_the_server(rig, trouble, why):
    robot = rig()
    plant = robot.armed()
    setattr(robot.plant, trouble, True if trouble == "broken" else RuntimeError("drive is hot"))
    for _ in range(3):
        plant.next_state()
    assert plant.mode is Mode.STOPPED
    assert plant.stop_reason == why
    assert np.isfinite(plant.read().q).all()
    assert ("drive is hot" if trouble == "error" else "nan") in robot.server.fault


@pytest.mark.parametrize("n_readings", [1, 3000], ids=["for a moment", "for good"])
@pytest.mark.parametrize("mode", ["commanded", "held"])
def test_encoder_that_leaps_stops_the_arm_and_does_not_move_it(rig, mode, n_readings):
    """Within its range and at rest, half a radian further: a client would drive it all the way back."""
    robot = rig(q_range=np.tile((-3.0, 3.0), (2, 1)))
    client = robot.armed() if mode == "commanded" else None
    read, n_read = robot.plant.read, []

    def leaping():
        n_read.append(1)
        state = read()
        return (
            replace(state, q=state.q + np.array((0.5, 0.0)))
            if 100 < len(n_read) <= 100 + n_readings
            else state
        )

    robot.plant.read = leaping
    for _ in range(1000):
        if client is None or client.mode is Mode.STOPPED:
            robot.period()
            continue
        client.next_state()
        if client.mode is not Mode.STOPPED:
            state = client.read()
            client.write(-400.0 * state.q - 40.0 * state.dq)
    assert robot.session.stop & Stop.SENSOR
    assert "the joints leapt from" in robot.server.fault
    assert np.abs(robot.plant.q).max() < 0.01


@pytest.mark.parametrize(("n_skipped", "leaps"), [(0, True), (30, False)])
def test_arm_with_a_clock_of_its_own_may_be_elsewhere_after_cycles_it_skipped(rig, n_skipped, leaps):
    plant = Masses()
    plant.paces = True
    robot = rig(plant=plant)
    robot.periods(10)
    plant.t_s += n_skipped * plant.dt_s
    plant.q = plant.q + 0.1
    robot.period()
    assert bool(robot.session.stop & Stop.SENSOR) is leaps


def test_no_clock_of_an_arm_talks_a_leap_away(rig):
    """A frame whose time is far ahead would allow any way; and so would the next, by the cycles counted."""
    plant = Masses()
    plant.paces = True
    robot = rig(plant=plant)
    robot.periods(10)
    plant.t_s += 1e4
    plant.q = plant.q + 0.3
    robot.period()
    assert robot.session.stop & Stop.SENSOR
    robot.session.stop = Stop(0)
    plant.q = plant.q + 0.3
    robot.period()
    assert robot.session.stop & Stop.SENSOR


@pytest.mark.parametrize("ahead_s", [1e4, 1e300])
def test_no_clock_of_an_arm_counts_for_hours(rig, ahead_s):
    """A state carries 64 bits of ticks: the arm stops, the server does not."""
    robot = rig(plant=Paced())
    client = robot.armed()
    robot.plant.t_s += ahead_s
    before = robot.session.tick_number
    client.next_state()
    assert robot.session.tick_number - before <= 34
    assert robot.session.stop & Stop.STALLED
    assert robot.server.n_overruns == 1
    robot.plant.t_s -= ahead_s
    client.next_state()
    assert robot.session.tick_number - before <= 35


@pytest.mark.parametrize("measures", [False, True])
def test_real_arm_that_never_had_torque_is_reported_as_its_joints_are(rig, measures):
    """It is written nothing while it cannot be read; its first torque begins where its drives are."""
    plant = Masses()
    if measures:
        plant.torque_measured = np.array((7.0, -7.0))
    robot = rig(plant=plant, traits=Trait.REAL)
    plant.broken = True
    robot.session.protect(Stop.SENSOR | Stop.TORQUE_OFF)
    robot.periods(50)
    assert plant.applied == []
    np.testing.assert_array_equal(robot.session.applied, (7.0, -7.0) if measures else (0.0, 0.0))


def test_arm_may_be_elsewhere_after_a_time_without_a_reading(rig):
    """A reading that was lost is no leap: what an arm can have moved meanwhile is allowed."""
    robot = rig()
    robot.armed()
    robot.plant.dq = np.array((2.5, 0.0))
    read = robot.plant.read
    robot.plant.read = lambda: (_ for _ in ()).throw(RuntimeError("no answer"))
    robot.periods(8)
    robot.plant.read = read
    robot.periods(3)
    assert robot.session.stop == Stop.PLANT


@pytest.mark.parametrize("blind", ["nan", "error"])
def test_blind_robot_lets_go_instead_of_driving_its_arm_away(rig, blind):
    robot = rig()
    robot.armed()
    robot.plant.dq = np.array((2.0, -2.0))
    read = robot.plant.read
    robot.period()

    def unreadable():
        if blind == "error":
            raise RuntimeError("no answer")
        return replace(read(), q=np.full(2, np.nan))

    robot.plant.read = unreadable
    robot.periods(3000)
    assert robot.session.stop & Stop.TORQUE_OFF
    np.testing.assert_array_equal(robot.plant.applied[-1], 0.0)
    assert np.abs(robot.plant.dq).max() < 2.1


class LettingGo(Masses):
    """Has brakes of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.n_let_go = 0
        self.refuses = False

    def let_go(self):
        self.n_let_go += 1
        if self.refuses:
            raise RuntimeError("brakes do not close")
        self.dq[:] = 0.0


def without_torque(rig):
    """A robot whose arm has let go; its sensors are well again."""
    robot = rig(plant=LettingGo())
    robot.periods(20)
    robot.plant.broken = True
    robot.periods(20)
    robot.plant.broken = False
    return robot


def test_arm_that_can_let_go_does_so_instead_of_getting_torque_zero(rig):
    robot = without_torque(rig)
    assert robot.session.stop & Stop.TORQUE_OFF
    n_written = len(robot.plant.applied)
    robot.periods(100)
    assert robot.plant.n_let_go == 1
    assert len(robot.plant.applied) == n_written
    np.testing.assert_array_equal(robot.session.applied, 0.0)
    client = robot.connect()
    client.recover()
    robot.periods(10)
    assert robot.session.stop == Stop(0)
    assert len(robot.plant.applied) > n_written
    robot.plant.broken = True
    robot.periods(20)
    assert robot.plant.n_let_go == 2


def test_arm_that_does_not_let_go_is_told_again_and_not_recovered(rig):
    robot = rig(plant=LettingGo())
    robot.plant.refuses = True
    robot.plant.broken = True
    robot.periods(20)
    robot.plant.broken = False
    n_before = robot.plant.n_let_go
    robot.periods(10)
    assert robot.plant.n_let_go == n_before + 10
    assert robot.session.stop & Stop.PLANT
    assert "brakes do not close" in robot.server.fault
    robot.plant.refuses = False
    robot.periods(10)
    assert robot.plant.n_let_go == n_before + 11


def test_blind_moment_is_bridged_by_gravity_alone(rig):
    robot = rig(plant=Masses(weight=4.0), dynamics=MassDynamics(weight=4.0))
    robot.periods(100)
    robot.plant.broken = True
    robot.periods(8)
    np.testing.assert_allclose(robot.plant.applied[-5:], 4.0)
    robot.plant.broken = False
    robot.periods(100)
    assert robot.session.stop == Stop.SENSOR
    np.testing.assert_allclose(robot.plant.q, 0.0, atol=1e-3)


class Wrong(Masses):
    """Says of itself what is not a number."""

    wrong = ""

    @property
    def torque_measured(self):
        return np.full(self.n_joints, np.nan if self.wrong == "measured" else 0.0)

    def read(self):
        state = super().read()
        return replace(state, t_s=np.nan) if self.wrong == "time" else state

    def write(self, torque):
        applied = super().write(torque)
        return np.full_like(applied, np.inf) if self.wrong == "applied" else applied


@pytest.mark.parametrize(
    ("wrong", "why"), [("measured", Stop.SENSOR), ("time", Stop.SENSOR), ("applied", Stop.PLANT)]
)
def test_nothing_but_numbers_is_ever_sent(rig, wrong, why):
    robot = rig(plant=Wrong())
    plant = robot.armed()
    robot.plant.wrong = wrong
    for _ in range(3):
        plant.next_state()
    assert plant.stop_reason == why
    assert plant.statistics.refused == {}
    assert np.isfinite(robot.plant.applied).all()


class Tripped(Masses):
    """Takes torque again once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.n_recovered = 0

    def recover(self):
        self.n_recovered += 1
        self.error = None


def test_drive_is_recovered_once_its_client_has_seen_that_it_stopped(rig):
    robot = rig(plant=Tripped())
    robot.connect()
    robot.plant.error = RuntimeError("overload")
    robot.period()  # the state that it is answered to says nothing of it
    for expected in (0, 1):
        offered(robot, robot.codec.pack_command(robot.command(flags=Flag.RECOVER)), "client 0")
        assert robot.plant.n_recovered == expected
    assert robot.session.stop == Stop.PLANT


def test_suspended_machine_counts_as_time(monkeypatch):
    """CLOCK_MONOTONIC stands still while a laptop sleeps: its arm would go on as if nothing had been."""
    slept_ns = 3_600 * 10**9
    clocks = {time.CLOCK_MONOTONIC: 5, time.CLOCK_BOOTTIME: 5 + slept_ns}
    monkeypatch.setattr(time, "clock_gettime_ns", clocks.__getitem__)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5)
    assert elapsed_ns() == 5 + slept_ns


class Limp(Masses):
    """Measures its torque, and takes none any more."""

    @property
    def torque_measured(self):
        return np.full(self.n_joints, 0.25) if self.error is not None else np.zeros(self.n_joints)


def test_arm_that_takes_no_torque_is_not_said_to_apply_any(rig):
    robot = rig(plant=Limp(weight=0.0))
    plant = robot.armed()
    for _ in range(5):
        plant.next_state()
        plant.write(np.array((3.0, -3.0)))
    robot.plant.error = RuntimeError("torque is off")
    for _ in range(3):
        state = plant.next_state()
    assert plant.stop_reason == Stop.PLANT
    np.testing.assert_array_equal(state.applied, 0.25)
    robot.plant.error = None
    robot.period()
    assert np.abs(robot.plant.applied[-1] - 0.25).max() <= 1.0 + 1e-12  # and goes on from there


@pytest.mark.parametrize("lock_step", [False, True])
def test_state_is_sent_before_anything_that_only_the_next_tick_needs(rig, monkeypatch, lock_step):
    """Its client has what is left of the period."""
    robot = rig(lock_step=lock_step)
    plant = robot.armed()
    done = []
    for part, action in ((robot.server.largest, "take"), (robot.session, "report")):
        monkeypatch.setattr(part, action, lambda applied, action=action: done.append(action))
    send = robot.codec.pack_state
    monkeypatch.setattr(robot.codec, "pack_state", lambda frame: done.append("state") or send(frame))
    plant.write(np.ones(2))
    if not lock_step:
        plant.next_state()
    assert done[:3] == ["state", "take", "report"]


def test_largest_torque_and_its_largest_change_are_remembered(rig):
    robot = rig(limits=LimitRules(torque_share=0.05))
    plant = robot.armed()
    for torque in (9.0, 9.0, 9.0, 9.0, 9.0, 9.0, -9.0):
        plant.next_state()
        plant.write(np.array((torque, 0.5)))
    robot.periods(2)
    applied = np.array(robot.plant.applied)
    np.testing.assert_array_equal(robot.server.largest.torque, np.abs(applied).max(axis=0))
    np.testing.assert_array_equal(robot.server.largest.step, np.abs(np.diff(applied, axis=0)).max(axis=0))
    assert robot.server.largest.torque[0] == 5.0
    assert robot.server.largest.step[0] == 1.0


def test_arm_that_says_it_applied_more_does_not_move_the_limit(rig):
    robot = rig(limits=LimitRules(torque_share=0.1))
    plant = robot.armed()
    write = robot.plant.write
    robot.plant.write = lambda torque: write(torque) + 60.0
    for _ in range(5):
        plant.next_state()
        plant.write(np.array((9.5, 9.5)))
    assert np.abs(robot.plant.applied).max() <= 10.0


def stall(robot, n_periods: int) -> None:
    """A robot whose program gets no processor for some periods, while commands come in."""
    n_ticks = []

    def wanted():
        n_ticks.append(1)
        robot.now_ns += (n_periods if len(n_ticks) == 2 else 0) * PERIOD_NS
        robot.inwards.append((robot.codec.pack_command(robot.command((0.1, 0.1))), "client 0"))
        return len(n_ticks) < 4

    robot.server.run(wanted)


def test_robot_that_stood_still_for_too_long_stops_its_arm(rig):
    robot = rig()
    robot.armed()
    stall(robot, 19)
    assert robot.session.mode is Mode.COMMAND_ACTIVE
    stall(robot, 25)
    assert robot.session.mode is Mode.STOPPED
    assert robot.session.stop & (Stop.STALLED | Stop.MISSED_IN_A_ROW) == Stop.STALLED | Stop.MISSED_IN_A_ROW


def test_short_stall_is_counted_in_ticks_and_in_misses(rig):
    robot = rig()
    robot.armed()
    ticks, missed = robot.session.tick_number, robot.session.watchdog.n_missed
    stall(robot, 12)
    assert robot.session.tick_number - ticks == 11 + 3  # the twelfth is late by less than a period
    assert robot.session.watchdog.n_missed - missed == 12  # and has only a stale answer
    assert robot.session.watchdog.success_rate < 0.9
    for _ in range(4):
        stall(robot, 12)
    assert robot.session.stop & Stop.MISSED_TOO_OFTEN


def test_answer_to_what_was_before_a_stall_is_stale_after_it(rig):
    robot = rig()
    plant = robot.armed()
    plant.next_state()
    refused = robot.server.refused[Cause.STALE]
    before = robot.command((0.1, 0.1))
    robot.inwards.append((robot.codec.pack_command(before), "client 0"))
    n_asked = []

    def wanted():
        robot.now_ns += (0 if n_asked else 15) * PERIOD_NS
        n_asked.append(1)
        return len(n_asked) < 3

    robot.server.run(wanted)
    assert robot.server.refused[Cause.STALE] == refused + 1


class Paced(Masses):
    """Has a clock of its own, whose cycles take longer than this machine's."""

    paces = True


def test_arm_with_a_clock_of_its_own_says_which_cycles_were_missed(rig):
    robot = rig(plant=Paced())
    robot.now_ns += 500 * PERIOD_NS
    robot.periods(3)
    assert (robot.session.tick_number, robot.server.n_overruns) == (3, 0)
    plant = robot.armed()
    ticks = robot.session.tick_number
    for _ in range(5):
        robot.now_ns += 4 * PERIOD_NS
        plant.next_state()
        plant.write(np.zeros(2))
    assert (robot.session.tick_number - ticks, robot.server.n_overruns) == (5, 0)
    robot.plant.t_s += 12 * robot.plant.dt_s
    robot.period()
    assert (robot.session.tick_number - ticks, robot.server.n_overruns) == (5 + 13, 1)
    robot.plant.t_s += 25 * robot.plant.dt_s
    robot.period()
    assert robot.session.stop & Stop.STALLED


@pytest.mark.parametrize("back_s", [0.0, 1.0, 1e300])
def test_arm_whose_clock_stands_still_is_not_hurried(rig, back_s):
    """Its readings come at once, and each is a tick: torque would change as fast as they are read."""
    robot = rig(plant=Paced(weight=40.0), dynamics=MassDynamics(weight=40.0), traits=Trait.REAL)
    robot.session.begin(robot.server.reading, np.zeros(2))
    read = robot.plant.read
    robot.plant.read = lambda: replace(read(), t_s=-back_s)
    began_ns = robot.now_ns
    robot.periods(20)
    assert robot.now_ns - began_ns >= 20 * PERIOD_NS
    changed_nm = np.ptp(np.array(robot.plant.applied), axis=0).max()
    assert changed_nm <= 1e-6 * (robot.now_ns - began_ns) + 1e-9  # 1000 N m/s


def test_goodbye_that_waited_for_a_robot_that_stood_still_does_not_hide_it(rig):
    robot = rig()
    plant = robot.armed()
    done = []

    def wanted():
        if not done:
            robot.now_ns += 500 * PERIOD_NS
            goodbye = robot.command(flags=Flag.HOLD | Flag.BYE, sequence=robot.session.last_sequence + 1)
            robot.inwards.append((robot.codec.pack_command(goodbye), "client 0"))
        done.append(1)
        return len(done) < 3

    robot.server.run(wanted)
    assert robot.session.mode is Mode.STOPPED
    assert robot.session.stop & Stop.STALLED
    plant.close()


def test_stall_moves_the_grid_instead_of_firing_a_burst(rig):
    robot = rig()
    robot.armed()
    ticks = []
    robot.plant.write = lambda torque, write=robot.plant.write: (ticks.append(robot.now_ns), write(torque))[1]
    stalled = [False]

    def wanted():
        if len(ticks) == 10 and not stalled[0]:
            stalled[0] = True
            robot.now_ns += 50 * PERIOD_NS
        return len(ticks) < 20

    robot.server.run(wanted)
    gaps = np.diff(ticks) / PERIOD_NS
    assert robot.server.n_overruns == 1
    assert np.delete(gaps, 9).max() < 1.1
    assert gaps[10:].min() > 0.9


def test_lost_answer_is_given_again_and_the_command_not_obeyed_again(rig):
    robot = rig(lock_step=True)
    plant = robot.armed()
    plant.write(np.array((0.5, 0.5)))
    last, moved = robot.recorded[-1], len(robot.plant.applied)
    for _ in range(3):
        robot.inwards.append((last, "client 0"))
    robot.period()
    assert len(robot.plant.applied) == moved
    assert len(robot.outwards["client 0"]) == 3


def test_arm_in_lock_step_moves_with_commands_only(rig):
    robot = rig(lock_step=True)
    plant = robot.armed()
    robot.periods(100)
    assert robot.plant.t_s == 0.0
    plant.write(np.zeros(2))
    assert robot.plant.t_s == pytest.approx(1e-3)


def test_arm_that_nobody_commands_is_held(rig):
    robot = rig(plant=Masses(weight=4.0))
    robot.periods(3000)
    np.testing.assert_allclose(robot.plant.q, 0.0, atol=2e-3)


class TrippedAndOff(Tripped):
    """Fails to be read until it is recovered; has a switch."""

    def let_go(self):
        pass

    def read(self):
        if self.error is not None:
            raise self.error
        return super().read()


def test_drive_that_failed_is_recovered_also_after_it_was_let_go(rig):
    """By then, nothing fails any more: nothing is written, and it can be read again."""
    robot = rig(plant=TrippedAndOff())
    client = robot.connect()
    robot.plant.error = RuntimeError("overload")
    robot.periods(20)
    assert robot.session.stop == Stop.PLANT | Stop.TORQUE_OFF
    robot.plant.error = None
    robot.periods(20)
    client.next_state()
    client.recover()
    assert robot.plant.n_recovered == 1
    robot.periods(20)
    assert robot.session.stop == Stop(0)
    robot.session.protect(Stop.CLIENT)
    client.next_state()
    client.recover()
    assert robot.plant.n_recovered == 1  # that was no failure of its


def test_drive_that_is_not_recovered_is_asked_again(rig):
    robot = rig(plant=TrippedAndOff())
    client = robot.connect()
    robot.plant.error = RuntimeError("overload")
    robot.periods(20)
    robot.plant.error, recover = None, robot.plant.recover
    robot.plant.recover = lambda: 1 / 0
    client.next_state()
    robot.inwards.append((robot.codec.pack_command(robot.command(flags=Flag.RECOVER)), "client 0"))
    robot.periods(2)
    assert robot.session.stop & Stop.PLANT
    assert "ZeroDivisionError" in robot.server.fault
    robot.plant.recover = recover
    client.next_state()
    client.recover()
    assert robot.plant.n_recovered == 1


class Missing(Masses):
    """A reading of which is lost now and then."""

    lost = False

    def read(self):
        if self.lost:
            raise NoReadingError("lost on the line")
        return super().read()


def test_reading_that_was_lost_is_bridged_and_stops_nothing(rig):
    robot = rig(plant=Missing(weight=4.0), dynamics=MassDynamics(weight=4.0))
    plant = robot.armed()
    for k in range(40):
        plant.next_state()
        plant.write(np.full(2, 4.5))
        robot.plant.lost = k == 20
    assert robot.session.mode is Mode.COMMAND_ACTIVE
    applied = np.array(robot.plant.applied)[:, 0]
    assert (applied == 4.0).any()
    assert not robot.server.blind


def test_time_without_a_reading_is_counted_by_this_machines_clock(rig):
    """Looks that take long are few: ten of them are no ten periods."""
    robot = rig(plant=Missing())
    robot.periods(10)
    robot.plant.lost = True
    read = robot.plant.read

    def slow():
        robot.now_ns += 6 * PERIOD_NS
        return read()

    robot.plant.read = slow
    began_ns = robot.now_ns
    while not robot.session.stop & Stop.TORQUE_OFF:
        robot.server.tick()  # as an arm does whose own clock says nothing of it
    assert robot.now_ns - began_ns <= 18 * PERIOD_NS


def test_arm_that_is_not_seen_is_not_recovered(rig):
    robot = rig(plant=Missing())
    client = robot.connect()
    robot.session.protect(Stop.CLIENT)
    client.next_state()
    robot.plant.lost = True
    robot.periods(1)
    robot.inwards.append((robot.codec.pack_command(robot.command(flags=Flag.RECOVER)), "client 0"))
    robot.periods(1)
    assert robot.session.stop == Stop.CLIENT


def test_ticks_without_a_reading_are_not_counted_again_when_it_comes(rig):
    robot = rig(plant=type("PacedMissing", (Missing,), {"paces": True})())
    robot.periods(5)
    ticks = robot.session.tick_number
    robot.plant.lost = True
    robot.periods(3)
    robot.plant.lost = False
    robot.periods(1)
    assert (robot.session.tick_number - ticks, robot.server.n_overruns) == (4, 0)
