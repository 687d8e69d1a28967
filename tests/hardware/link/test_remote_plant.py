from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from rig import Masses

from spikearm.controller.network import TickNetwork
from spikearm.controller.protocols import LawOutput, Target
from spikearm.controller.torque import TorqueController
from spikearm.errors import (
    ClosedError,
    ConfigError,
    LinkError,
    NotFiniteError,
    ProtectiveStopError,
    RobotEndedError,
)
from spikearm.hardware.backend import StepResult
from spikearm.hardware.cost import TableCost
from spikearm.hardware.link.conversation import ClientRules
from spikearm.hardware.link.limits import LimitRules
from spikearm.hardware.link.link_clock import LinkClock
from spikearm.hardware.link.stops import describe
from spikearm.hardware.link.wire import Cause, Flag, Mode, Stop, Trait
from spikearm.records import OpCounts, Pose

QUICK = ClientRules(connect_s=0.2)


def stop(robot, plant) -> None:
    """The robot stops by itself, and the client knows."""
    robot.session.protect(Stop.CLIENT)
    with suppress(ProtectiveStopError):
        plant.write(np.zeros(2))
    if not plant.lock_step:
        plant.next_state()


def drive(plant, n_ticks: int, torque=(0.0, 0.0)) -> np.ndarray:
    """Ticks in real time; what each write said was applied, shape (n_ticks, 2)."""
    clock, applied = LinkClock(plant, arm=False), []
    for _ in range(n_ticks):
        clock.wait()
        plant.read()
        applied.append(plant.write(np.asarray(torque, dtype=float)))
    return np.array(applied)


def test_client_monitors_until_it_arms(rig):
    robot = rig()
    plant = robot.connect()
    assert plant.mode is Mode.MONITOR
    drive(plant, 30, (0.5, 0.5))
    assert plant.mode is Mode.MONITOR
    np.testing.assert_array_equal(robot.plant.applied, 0.0)
    LinkClock(plant).start()
    assert plant.mode is Mode.COMMAND_ACTIVE


def test_torque_of_an_answer_is_applied_in_the_next_period(rig):
    robot = rig()
    plant = robot.armed()
    drive(plant, 1, (0.7, -0.7))
    plant.next_state()
    np.testing.assert_array_equal(robot.plant.applied[-1], (0.7, -0.7))


def test_every_period_has_its_command(rig):
    robot = rig()
    plant = robot.connect()
    clock = LinkClock(plant)
    clock.start()
    for _ in range(500):
        clock.wait()
        plant.write(np.zeros(2))
    document = plant.statistics.document()
    assert document["success_rate"] == 1.0
    assert (document["states_skipped"], document["robot_missed_commands"]) == (0, 0)


def test_write_returns_the_torque_itself_while_the_robot_does_as_told(rig):
    plant = rig().armed()
    applied = drive(plant, 20, (0.123456789, -0.3))
    np.testing.assert_array_equal(applied[1:], np.tile((0.123456789, -0.3), (19, 1)))


def test_write_shows_what_the_limits_cut_off(rig):
    plant = rig(limits=LimitRules(torque_share=0.5)).armed()
    applied = drive(plant, 70, (80.0, 0.0))
    assert (applied[:, 0] <= 50.0).all()
    assert applied[-1][0] == 50.0
    np.testing.assert_array_equal(applied[1:, 1], 0.0)


def test_write_shows_that_a_command_was_missed(rig):
    """The old torque is applied, not the new one: a learner that compares the two stands still."""
    robot = rig()
    plant = robot.armed()
    drive(plant, 5, (0.5, 0.5))
    plant.next_state()
    plant._robot.sequence += 1  # a command that gets lost
    plant.next_state()
    np.testing.assert_array_equal(plant.write(np.array((0.9, 0.9))), (0.5, 0.5))
    np.testing.assert_array_equal(drive(plant, 3, (0.9, 0.9))[1:], 0.9)


class GrowingLaw:
    """Wants 0.1 N m more in every tick."""

    def __init__(self) -> None:
        self.n = 0

    def reset(self) -> None:
        self.n = 0

    def compute(self, state, target) -> LawOutput:
        self.n += 1
        return LawOutput(np.full(2, 0.1 * self.n), np.zeros(2))

    def notify_saturated(self, saturated: bool) -> None:
        pass


class Learner:
    """Adds nothing, and remembers the errors that it was to learn from."""

    dt_s = 1e-3

    def __init__(self) -> None:
        self.errors = []

    def step(self, inputs) -> StepResult:
        self.errors.append(inputs["error"].copy())
        return StepResult({"torque": np.zeros(2)}, OpCounts())


def test_learning_stands_still_after_a_missed_command_and_comes_back(rig):
    plant, law, learner = rig().armed(), GrowingLaw(), Learner()
    network = TickNetwork(learner, TableCost("none", {}, latency=()), control_dt_s=1e-3)
    controller = TorqueController(law, np.full(2, 100.0), adaptation=network)
    target = Target(Pose(np.zeros(3), np.array((1.0, 0.0, 0.0, 0.0))), np.zeros(6), np.zeros(6))
    for tick in range(10):
        plant.next_state()
        if tick == 5:
            plant._robot.sequence += 1  # a command that gets lost
            plant.next_state()
        command = controller.update(plant.read(), target)
        controller.notify_applied(command.torque, plant.write(command.torque))
    still = [tick for tick, error in enumerate(learner.errors) if not error.any()]
    assert still == [1, 6]  # also after the first command: until then the arm was held


def test_silent_client_finds_the_robot_stopped(rig):
    robot = rig()
    plant = robot.armed()
    drive(plant, 10, (0.5, 0.5))
    robot.periods(21)
    plant.next_state()
    with pytest.raises(ProtectiveStopError, match=r"too many commands missed in a row.*--recover"):
        plant.write(np.zeros(2))
    assert robot.session.stops[-1][1] == Stop.MISSED_IN_A_ROW


def test_stopped_robot_is_not_armed_but_recovered_first(rig):
    robot = rig()
    plant = robot.armed()
    stop(robot, plant)
    plant.next_state()
    with pytest.raises(ProtectiveStopError, match=r"the client told it to"):
        plant.arm()
    plant.recover()
    assert plant.mode is Mode.MONITOR
    plant.arm()
    assert plant.mode is Mode.COMMAND_ACTIVE


@pytest.mark.parametrize("lock_step", [False, True])
def test_stopped_robot_can_be_looked_at_until_it_ends(rig, lock_step):
    robot = rig(lock_step=lock_step)
    plant = robot.connect()
    stop(robot, plant)
    for _ in range(3):
        LinkClock(plant, arm=False).wait()
        plant.write(np.ones(2))
    assert plant.mode is Mode.STOPPED
    assert plant.stop_reason == Stop.CLIENT
    np.testing.assert_array_equal(robot.plant.applied, 0.0)
    robot.session.protect(Stop.ENDED)
    with suppress(RobotEndedError):  # in lock step, the answer says so
        plant.write(np.zeros(2))
    LinkClock(plant, arm=False).wait()
    with pytest.raises(RobotEndedError):
        plant.write(np.zeros(2))


def test_moving_arm_is_recovered_once_its_hold_has_brought_it_to_rest(rig):
    robot = rig()
    plant = robot.armed()
    robot.plant.dq = np.array((2.0, -2.0))
    stop(robot, plant)
    plant.recover()
    assert np.abs(robot.plant.dq).max() < 0.1


def test_arm_that_does_not_come_to_rest_is_not_recovered(rig):
    robot = rig()
    plant = robot.armed(rules=QUICK)
    stop(robot, plant)
    plant.next_state()
    robot.plant.write = lambda torque: torque
    robot.plant.dq = np.array((2.0, 0.0))
    plant.next_state()
    with pytest.raises(LinkError, match=r"did not recover: it still moves"):
        plant.recover()


@pytest.mark.parametrize("lock_step", [False, True])
def test_recovery_makes_no_step_of_torque(rig, lock_step):
    robot = rig(plant=Masses(weight=3.0), lock_step=lock_step)
    plant = robot.armed()
    drive(plant, 40, (3.0, 3.0))
    stop(robot, plant)
    plant.recover()
    plant.arm()
    drive(plant, 40, (-20.0, 20.0))
    assert np.abs(np.diff(robot.plant.applied, axis=0)).max() <= 1.0 + 1e-12


def test_torque_that_is_not_what_the_joints_measure_is_reported(rig):
    class Weak(Masses):
        """Its joints get a little less than they are given."""

        @property
        def torque_measured(self):
            return 0.9 * self.applied[-1] if self.applied else np.zeros(self.n_joints)

    for masses, gap_nm in ((Masses(), 0.0), (Weak(), 0.2)):
        robot = rig(plant=masses)
        plant = robot.armed()
        drive(plant, 10, (2.0, -0.1))
        assert plant.statistics.document()["torque_gap_nm_max"] == pytest.approx(gap_nm)


def test_real_robot_is_armed_only_if_somebody_says_so(rig):
    robot = rig(traits=Trait.REAL)
    plant = robot.connect()
    with pytest.raises(ConfigError, match=r"this robot is real.*--acknowledge-real-arm"):
        plant.arm()
    assert robot.session.mode is Mode.MONITOR
    plant.close()
    robot.armed(rules=ClientRules(acknowledged=True))


@pytest.mark.parametrize("lock_step", [False, True])
def test_nothing_is_armed_or_recovered_once_somebody_asked_to_stop(rig, lock_step):
    robot, asked = rig(lock_step=lock_step), []
    plant = robot.connect(interrupted=lambda: bool(asked))
    robot.session.protect(Stop.MISSED_IN_A_ROW)
    plant.next_state() if not lock_step else plant.write(np.zeros(2))
    asked.append("Ctrl-C")
    with pytest.raises(LinkError, match="interrupted before"):
        plant.recover()
    assert robot.session.stop == Stop.MISSED_IN_A_ROW
    asked.clear()
    plant.recover()
    asked.append("Ctrl-C")
    with pytest.raises(LinkError, match="interrupted before"):
        plant.arm()
    assert robot.session.mode is Mode.MONITOR
    with pytest.raises(LinkError, match="interrupted before"):
        robot.connect(interrupted=lambda: True)


def test_real_robot_is_recovered_only_if_somebody_says_so(rig):
    robot = rig(traits=Trait.REAL)
    robot.session.protect(Stop.JOINT_LIMIT | Stop.TORQUE_OFF)
    plant = robot.connect()
    with pytest.raises(ConfigError, match=r"this robot is real.*--acknowledge-real-arm"):
        plant.recover()
    robot.periods(10)
    assert robot.session.stop == Stop.JOINT_LIMIT | Stop.TORQUE_OFF
    plant.close()
    acknowledged = robot.connect(rules=ClientRules(acknowledged=True))
    acknowledged.recover()
    assert acknowledged.mode is Mode.MONITOR


def test_real_robot_cannot_be_reset(rig):
    with pytest.raises(LinkError, match=r"cannot be reset"):
        rig(traits=Trait.REAL).connect().reset()


@pytest.mark.parametrize("lock_step", [False, True])
def test_reset_reaches_the_arm_with_its_seed(rig, lock_step):
    robot = rig(lock_step=lock_step)
    plant = robot.armed()
    drive(plant, 20, (0.9, 0.9))
    plant.reset(seed=2**40)
    assert robot.plant.seed == 2**40
    assert plant.mode is Mode.COMMAND_ACTIVE
    plant.reset()
    assert robot.plant.seed is None


def test_first_command_whose_answer_is_lost_does_not_lock_the_client_out(rig):
    robot = rig()
    send, lost = robot.server._channel.send, []

    def lossy(packet, peer=None):
        if robot.codec.unpack_state(packet).last_command and len(lost) < 200:
            lost.append(packet)
            return True
        return send(packet, peer)

    robot.server._channel.send = lossy
    assert robot.connect().mode is Mode.MONITOR
    assert len(lost) == 200


def test_second_client_is_turned_away(rig):
    robot = rig()
    robot.connect()
    with pytest.raises(LinkError, match=r"another client is in session"):
        robot.connect(rules=QUICK)


def test_client_with_another_key_gets_no_answer(rig):
    robot = rig()
    with pytest.raises(LinkError, match=r"nobody answers within 0.2 s.*same key, and has it 2 joints"):
        robot.connect(key=bytes(32), rules=QUICK)
    assert robot.server.refused[Cause.TAG] > 0


def test_frozen_robot_is_noticed(rig):
    robot = rig()
    plant = robot.armed()
    robot.frozen = True
    said = (
        r"no state from the robot for 0\.5 s: it has ended, or was killed, frozen or unplugged\..*--recover; "
        r"one that has ended has let it go, and is served again"
    )
    with pytest.raises(LinkError, match=said):
        plant.next_state()


def test_robot_that_is_ending_is_not_asked_to_recover(rig):
    robot = rig()
    plant = robot.armed()
    robot.session.wind_up()
    with pytest.raises(
        RobotEndedError, match=r"told to end\. .* nothing is left to recover\. Serve it again"
    ):
        drive(plant, 3)
    before = plant._robot.sequence
    with pytest.raises(RobotEndedError, match="nothing is left to recover"):
        plant.recover()
    assert plant._robot.sequence == before


def test_robot_that_has_forgotten_its_client_is_noticed(rig):
    robot = rig()
    plant = robot.armed()
    robot.session.end_session()
    with pytest.raises(LinkError, match=r"no state from the robot"):
        drive(plant, 2)


@pytest.mark.parametrize("which", ["old", "turned", "foreign"])
def test_states_that_are_none_are_refused(rig, which):
    robot = rig()
    plant = robot.armed()
    old = []
    queue = robot.outwards["client 0"]
    plant.next_state()
    robot.period()
    old.append(queue[-1])
    plant.next_state()
    robot.period()
    plant.next_state()
    packet = old[0]
    if which == "turned":
        packet = packet[:50] + bytes([packet[50] ^ 4]) + packet[51:]
    if which == "foreign":
        state = robot.codec.unpack_state(packet)
        packet = robot.codec.pack_state(type(state)(**{**_fields(state), "session": 5, "sequence": 10**9}))
    before = plant.read()
    queue.append(packet)
    plant._robot.receive()
    np.testing.assert_array_equal(plant.read().q, before.q)
    cause = {"old": Cause.SEQUENCE, "turned": Cause.TAG, "foreign": Cause.SESSION}[which]
    assert plant.statistics.refused == {cause: 1}


def _fields(state) -> dict:
    return {name: getattr(state, name) for name in type(state).__slots__}


def test_of_several_states_the_newest_counts_and_the_others_are_counted(rig):
    robot = rig()
    plant = robot.armed()
    drive(plant, 3)
    robot.periods(4)
    plant.next_state()
    assert plant.read().t_s == robot.plant.t_s
    robot.outwards["client 0"].clear()
    robot.periods(3)
    robot.outwards["client 0"].popleft()
    plant.next_state()
    assert plant.statistics.n_skipped == 1


def test_torque_that_is_not_finite_is_not_sent(rig):
    robot = rig()
    plant = robot.armed()
    before = len(robot.recorded)
    for bad in (np.nan, np.inf):
        with pytest.raises(NotFiniteError, match=r"the torque must be finite"):
            plant.write(np.array((0.0, bad)))
    with pytest.raises(ConfigError, match=r"torque has shape \(3,\), not \(2,\)"):
        plant.write(np.zeros(3))
    assert len(robot.recorded) == before


def test_closing_gives_the_arm_back_to_its_hold(rig):
    robot = rig()
    plant = robot.armed()
    drive(plant, 50, (0.9, 0.9))
    plant.close()
    plant.close()
    assert (robot.session.mode, robot.session.peer) == (Mode.IDLE, None)
    robot.periods(2000)
    np.testing.assert_allclose(robot.plant.dq, 0.0, atol=1e-3)
    with pytest.raises(ClosedError, match=r"closed; make a new one"):
        plant.read()


def test_goodbye_that_is_lost_is_said_again(rig):
    robot = rig()
    plant = robot.armed()
    send, lost = plant._robot._channel.send, [2]

    def lossy(packet, peer=None):
        lost[0] -= 1
        return lost[0] >= 0 or send(packet, peer)

    plant._robot._channel.send = lossy
    plant.close()
    # The second try comes 20 ms later, when the robot has stopped by itself; it must reach it all the same.
    assert robot.session.peer is None
    assert robot.session.stop == Stop.MISSED_IN_A_ROW


def test_commands_missed_before_the_arm_was_active_are_no_failure(rig):
    robot = rig()
    plant = robot.connect()
    plant._robot.send(Flag.HOLD | Flag.ARM, np.zeros(2))
    robot.periods(50)
    plant.arm()
    for _ in range(5):
        plant.write(np.zeros(2))
        plant.next_state()
    document = plant.statistics.document()
    assert document["success_rate"] == 1.0
    assert document["robot_missed_commands"] == 0


def test_successor_of_a_client_that_died_waits_until_the_robot_lets_it_in(rig):
    robot = rig()
    robot.armed()
    successor = robot.connect()
    assert robot.session.peer == "client 1"
    assert successor.stop_reason == Stop.MISSED_IN_A_ROW


def test_lock_step_asks_again_for_a_lost_answer(rig):
    robot = rig(lock_step=True)
    plant = robot.armed()
    plant.write(np.array((0.5, 0.0)))
    sent = plant._robot._channel.send
    dropped = []

    def lossy(packet, peer=None):
        if not dropped:
            dropped.append(packet)
            return True
        return sent(packet, peer)

    plant._robot._channel.send = lossy
    np.testing.assert_array_equal(plant.write(np.array((0.7, 0.0))), (0.7, 0.0))
    assert robot.plant.t_s == pytest.approx(2e-3)


def test_client_says_when_the_robot_shall_stop(rig):
    robot = rig()
    plant = robot.armed(rules=ClientRules(timeout_s=0.003))
    plant.write(np.zeros(2))
    robot.periods(3)
    assert robot.session.stop == Stop(0)
    robot.period()
    assert robot.session.stop == Stop.MISSED_IN_A_ROW


@pytest.mark.parametrize("skew_ns", [0, 3_600 * 10**9, -(10**15)])
def test_clocks_of_the_two_ends_are_never_compared(rig, skew_ns):
    """A client that lives an hour later, or on a machine that was started long after, moves it alike."""
    robot = rig()
    robot.client_skew_ns = skew_ns
    plant = robot.armed()
    for k in range(50):
        plant.next_state()
        plant.write(np.array((0.01 * k, -0.02 * k)))
    robot.period()
    torques = np.array(robot.plant.applied[-49:])
    np.testing.assert_allclose(torques, np.outer(np.arange(1, 50), (0.01, -0.02)))
    assert plant.statistics.document()["round_trip_s"]["max"] < 2e-3
    assert plant.stop_reason == Stop(0)


def test_every_reason_has_its_words():
    for reason in Stop:
        assert describe(reason) != "no reason given"
    assert describe(Stop.SENSOR | Stop.CLIENT) == "the client told it to, a sensor gave no number, or leapt"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"connect_s": 0.0}, "connect_s must be a positive number"),
        ({"connect_s": float("inf")}, "connect_s must be a positive number of seconds, not inf"),
        ({"state_s": float("inf")}, "state_s must be a positive number of seconds, not inf"),
        ({"timeout_s": float("inf")}, "timeout_s must be 0 or a positive number, not inf"),
        ({"state_s": float("nan")}, "state_s must be a positive number"),
        ({"timeout_s": -0.1}, "timeout_s must be 0 or a positive number"),
    ],
)
def test_rules_out_of_range_are_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        ClientRules(**change)
