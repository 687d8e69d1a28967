"""The rules of the robot's side, one by one, with neither sockets nor a clock."""

from __future__ import annotations

import numpy as np
import pytest
from rig import NOTHING, MassDynamics

from spikearm.errors import ConfigError
from spikearm.hardware.link.hold import Hold, HoldGains
from spikearm.hardware.link.limits import LimitRules, Limits
from spikearm.hardware.link.session import RobotSession, SessionRules, random_session
from spikearm.hardware.link.watchdog import WatchdogRules
from spikearm.hardware.link.wire import Cause, CommandFrame, Flag, Mode, Refused, Stop
from spikearm.records import JointState

ZERO = np.zeros(2)
RANGE = np.array(((-1.0, 1.0), (-1.0, 1.0)))


def reading(q=(0.0, 0.0), dq=(0.0, 0.0)) -> JointState:
    return JointState(np.array(q, dtype=float), np.array(dq, dtype=float), 0.0)


class Driver:
    """A session and the one who talks to it."""

    def __init__(self, sessions, *, rules=None, limits=None, weight=0.0, peer="me", real=False) -> None:
        self.peer = peer
        self.sequence = 0
        self.reading = reading()
        self.session = RobotSession(
            rules or SessionRules(),
            Limits(limits or LimitRules(), np.full(2, 100.0), RANGE, dt_s=1e-3),
            Hold(MassDynamics(weight=weight), HoldGains(), RANGE, dt_s=1e-3),
            self.reading,
            dt_s=1e-3,
            real=real,
            new_session=sessions,
        )

    def offer(self, torque=ZERO, flags=NOTHING, peer=None, **changes) -> Flag:
        self.sequence += 1
        fields = {
            "session": self.session.number,
            "sequence": self.sequence,
            "answers": self.session.tick_number,
            "client_ns": 0,
            "seed": -1,
            "flags": flags,
            "timeout_ticks": 0,
            "torque": np.asarray(torque, dtype=float),
        }
        return self.session.offer(CommandFrame(**{**fields, **changes}), peer or self.peer)

    def tick(self, torque=None, flags=NOTHING, **changes) -> np.ndarray:
        """One tick, with a command if there is a torque or a flag."""
        if torque is not None or flags:
            self.offer(ZERO if torque is None else torque, flags, **changes)
        return self.session.tick(self.reading)

    def refused(self, **options) -> Cause:
        with pytest.raises(Refused) as caught:
            self.offer(**options)
        return caught.value.cause

    def arm(self) -> Driver:
        self.tick(ZERO)
        for _ in range(20):
            if self.session.mode is Mode.COMMAND_ACTIVE:
                break
            self.tick(ZERO, Flag.ARM | Flag.HOLD)
        assert self.session.mode is Mode.COMMAND_ACTIVE
        return self


@pytest.fixture
def make(sessions):
    return lambda **options: Driver(sessions, **options)


@pytest.fixture
def active(make):
    return make().arm()


def test_states_follow_one_another(make):
    driver = make()
    session = driver.session
    assert session.mode is Mode.IDLE
    driver.tick(ZERO)
    assert session.mode is Mode.MONITOR
    driver.tick(ZERO, Flag.ARM)
    assert session.mode is Mode.COMMAND_WAIT
    for _ in range(8):
        driver.tick(ZERO, Flag.ARM)
        assert session.mode is Mode.COMMAND_WAIT
    driver.tick(ZERO, Flag.ARM)
    assert session.mode is Mode.COMMAND_ACTIVE


def test_torque_moves_the_arm_only_when_active(make):
    driver = make()
    for _ in range(5):
        np.testing.assert_array_equal(driver.tick((0.5, 0.5)), ZERO)
        assert driver.session.moved_by == 0
    driver.arm()
    np.testing.assert_array_equal(driver.tick((0.5, -0.5)), (0.5, -0.5))
    assert driver.session.moved_by == driver.sequence


def test_arm_that_waits_needs_commands_one_after_the_other(make):
    driver = make()
    driver.tick(ZERO)
    driver.tick(ZERO, Flag.ARM)
    for _ in range(5):
        for _ in range(8):
            driver.tick(ZERO, Flag.ARM)
        driver.tick()
        assert driver.session.mode is Mode.COMMAND_WAIT


@pytest.mark.parametrize("flags", [Flag.ARM, Flag.RECOVER, Flag.ARM | Flag.HOLD])
def test_first_torque_must_be_zero(make, flags):
    driver = make()
    driver.tick(ZERO)
    assert driver.refused(torque=(0.0, 1e-9), flags=flags) is Cause.FIRST_TORQUE
    driver.tick(ZERO, Flag.ARM)
    assert driver.refused(torque=(0.0, 1e-9)) is Cause.FIRST_TORQUE
    assert driver.session.mode is Mode.COMMAND_WAIT


def test_armed_robot_holds_until_it_is_commanded(make):
    driver = make(weight=7.0).arm()
    for _ in range(5):
        np.testing.assert_array_equal(driver.tick(ZERO, Flag.HOLD), (7.0, 7.0))


def test_first_command_changes_the_hold_by_no_more_than_it_may(make):
    driver = make(weight=7.0).arm()
    np.testing.assert_array_equal(driver.tick(ZERO), (6.0, 6.0))
    np.testing.assert_array_equal(driver.tick((50.0, 6.5)), (7.0, 6.5))


def test_missed_command_uses_the_last_torque_again(active):
    active.tick((0.5, 0.5))
    for _ in range(19):
        np.testing.assert_array_equal(active.tick(), (0.5, 0.5))
    assert active.session.mode is Mode.COMMAND_ACTIVE


def test_twenty_misses_stop_within_twenty_one_ticks(active):
    active.tick((0.5, 0.5))
    for _ in range(20):
        active.tick()
    assert active.session.mode is Mode.STOPPED
    assert active.session.stop == Stop.MISSED_IN_A_ROW
    assert active.session.stops[-1] == (active.session.tick_number, Stop.MISSED_IN_A_ROW)


def test_too_large_a_share_of_misses_stops(active):
    for _ in range(52):
        for _ in range(6):
            active.tick(ZERO)
        active.tick()
    assert active.session.stop == Stop.MISSED_TOO_OFTEN


def test_client_may_ask_for_a_stricter_watchdog(active):
    active.tick(ZERO, timeout_ticks=3)
    active.tick()
    active.tick()
    assert active.session.mode is Mode.COMMAND_ACTIVE
    active.tick()
    assert active.session.stop == Stop.MISSED_IN_A_ROW


def test_stop_is_latched_whatever_is_commanded(active):
    active.tick((0.9, 0.9), Flag.STOP)
    assert active.session.stop == Stop.CLIENT
    for flags in (Flag(0), Flag.ARM, Flag.HOLD, Flag.ARM, Flag.RESET):
        torque = active.tick(ZERO if flags else (0.9, 0.9), flags)
        assert active.session.mode is Mode.STOPPED
    np.testing.assert_allclose(torque, 0.0)


def test_stop_outlives_the_session(active):
    active.tick(ZERO, Flag.STOP)
    active.tick(ZERO, Flag.BYE)
    assert active.session.mode is Mode.STOPPED
    active.sequence = 0
    active.tick(ZERO)
    assert active.session.mode is Mode.STOPPED


def test_request_to_stop_is_not_lost_behind_a_later_command(active):
    active.offer(ZERO, Flag.STOP)
    active.offer((0.5, 0.5))
    active.tick()
    assert active.session.stop == Stop.CLIENT


def test_recovery_leads_back_to_monitoring(active):
    active.tick(ZERO, Flag.STOP)
    active.tick(ZERO, Flag.RECOVER)
    assert (active.session.mode, active.session.stop) == (Mode.MONITOR, Stop(0))
    active.arm()


def test_stop_that_was_not_seen_is_not_released_by_what_was_meant_for_an_earlier_one(active):
    active.tick(ZERO, Flag.STOP)
    seen = active.session.tick_number
    active.session.tick(active.reading, fault=Stop.SENSOR)
    assert active.refused(flags=Flag.RECOVER, answers=seen) is Cause.STALE
    active.session.stalled(1)  # between two ticks, before a state can say so
    active.session.protect(Stop.STALLED)
    assert active.refused(flags=Flag.RECOVER) is Cause.STALE
    active.tick()
    assert active.session.stop == Stop.CLIENT | Stop.SENSOR | Stop.STALLED
    active.tick(ZERO, Flag.RECOVER)
    assert (active.session.mode, active.session.stop) == (Mode.MONITOR, Stop(0))


@pytest.mark.parametrize("with_hold", [Flag(0), Flag.HOLD])
def test_real_arm_is_armed_and_recovered_by_those_only_who_say_that_it_may_move(make, with_hold):
    driver = make(real=True)
    driver.tick(ZERO)
    assert driver.refused(flags=Flag.ARM | with_hold) is Cause.UNACKNOWLEDGED
    driver.tick(ZERO, Flag.ARM | with_hold | Flag.ACKNOWLEDGED)
    assert driver.session.mode is Mode.COMMAND_WAIT
    driver.tick(ZERO, Flag.STOP)
    for _ in range(20):
        driver.tick()
        assert driver.refused(flags=Flag.RECOVER | with_hold) is Cause.UNACKNOWLEDGED
    assert driver.session.stop == Stop.CLIENT
    driver.tick(ZERO, Flag.RECOVER | with_hold | Flag.ACKNOWLEDGED)
    assert driver.session.mode is Mode.MONITOR


@pytest.mark.parametrize(
    "flags",
    [Flag.ARM | Flag.RECOVER, Flag.RECOVER | Flag.RESET, Flag.ARM | Flag.HELLO, Flag.RECOVER | 1 << 12],
)
def test_who_asks_for_motion_and_something_else_gets_neither(make, flags):
    driver = make()
    driver.tick(ZERO)
    driver.session.protect(Stop.CLIENT)
    driver.tick()
    assert driver.refused(flags=flags) is Cause.FLAGS
    assert driver.session.mode is Mode.STOPPED


@pytest.mark.parametrize("start", [Flag.ARM, Flag.RECOVER, Flag.RESET])
@pytest.mark.parametrize("end", [Flag.STOP, Flag.BYE])
def test_who_wants_to_end_wants_nothing_else(make, start, end):
    driver = make()
    driver.tick(ZERO)
    assert driver.offer(flags=end | start | Flag.HOLD) == end | Flag.HOLD
    assert driver.session.mode is not Mode.COMMAND_WAIT
    stopped = make().arm()
    stopped.tick(ZERO, Flag.STOP)
    stopped.tick(ZERO, end | start)
    assert stopped.session.stop == Stop.CLIENT


@pytest.mark.parametrize("where", [{"dq": (0.2, 0.0)}, {"q": (1.01, 0.0)}])
def test_arm_that_moves_or_is_outside_its_limits_is_not_recovered(active, where):
    active.tick(ZERO, Flag.STOP)
    active.reading = reading(**where)
    active.tick(ZERO, Flag.RECOVER)
    assert active.session.mode is Mode.STOPPED
    active.reading = reading()
    active.tick()  # what was asked for earlier is not done later
    assert active.session.mode is Mode.STOPPED


@pytest.mark.parametrize(
    ("where", "why"),
    [({"q": (0.0, -1.01)}, Stop.JOINT_LIMIT), ({"dq": (3.1, 0.0)}, Stop.SPEED_LIMIT)],
)
def test_hard_limit_stops(active, where, why):
    active.reading = reading(**where)
    active.tick((0.5, 0.5))
    assert active.session.stop == why


@pytest.mark.parametrize(
    ("where", "why"),
    [({"q": (0.0, -1.01)}, Stop.JOINT_LIMIT), ({"dq": (3.1, 0.0)}, Stop.SPEED_LIMIT)],
)
def test_hard_limit_stops_an_arm_that_nobody_commands(make, where, why):
    driver = make()
    driver.reading = reading(**where)
    driver.tick()
    assert (driver.session.mode, driver.session.stop) == (Mode.STOPPED, why)


def test_hold_that_drives_the_arm_away_ends_without_torque(make):
    """A robot whose torque has the wrong sign: what should brake it makes it faster."""
    driver = make()
    q, dq = np.zeros(2), np.array((0.5, 0.0))
    for _ in range(1500):
        driver.reading = reading(q, dq)
        dq = dq - driver.tick() * 1e-3
    assert driver.session.stop == Stop.SPEED_LIMIT | Stop.TORQUE_OFF
    np.testing.assert_array_equal(driver.session.applied, ZERO)
    assert np.abs(dq).max() < 10.0


def test_hold_that_brakes_is_not_let_go_however_long_it_takes(make):
    """15 rad/s^2, as a hold brakes, from twice the speed limit: longer than a runaway hold is given."""
    driver = make()
    for dq in np.arange(7.0, 0.0, -0.015):
        driver.reading = reading(dq=(dq, 0.0))
        driver.tick()
        assert driver.session.stop == Stop.SPEED_LIMIT


def test_hold_that_keeps_the_arm_fast_ends_without_torque(make):
    driver = make()
    for _ in range(203):
        driver.reading = reading(dq=(4.0, 0.0))
        driver.tick()
    assert driver.session.stop == Stop.SPEED_LIMIT | Stop.TORQUE_OFF


def test_hold_without_torque_is_tried_again_after_a_recovery_only(active):
    active.reading = reading(dq=(9.0, 0.0))
    for _ in range(300):
        active.tick()
    active.reading = reading()
    active.tick()
    assert active.session.stop & Stop.TORQUE_OFF
    active.tick(ZERO, Flag.RECOVER)
    assert (active.session.mode, active.session.stop) == (Mode.MONITOR, Stop(0))


def test_soft_margin_pushes_back(active):
    active.reading = reading(q=(0.9, 0.0))
    torques = np.array([active.tick((0.5, 0.5)) for _ in range(60)])
    assert torques[-1][0] == pytest.approx(0.5 - 50.0)
    assert torques[-1][1] == 0.5


@pytest.mark.parametrize("times", [1.0, 4.0, 1e6])
def test_client_cannot_outweigh_the_push_of_a_margin(make, times):
    """A unit mass, pushed towards its stop by the whole allowed torque and more, from 0.3 rad before it."""
    driver = make(limits=LimitRules(torque_share=0.05, torque_rate_nm_s=1000.0)).arm()
    q, dq, furthest = 0.7, 0.0, 0.0
    for _ in range(3000):
        driver.reading = reading((q, 0.0), (dq, 0.0))
        dq += driver.tick((5.0 * times, 0.0))[0] * 1e-3
        q += dq * 1e-3
        furthest = max(furthest, q)
    assert furthest < 1.0
    assert driver.session.stop == Stop(0)


def test_fault_of_the_robot_stops(active):
    active.session.tick(active.reading, fault=Stop.SENSOR)
    assert active.session.stop == Stop.SENSOR


def test_torque_never_leaves_its_limits_through_any_change_of_mode(make):
    rng = np.random.default_rng(5)
    driver = make(weight=30.0, limits=LimitRules(torque_share=0.4)).arm()
    before = driver.session.applied
    for _ in range(4000):
        driver.reading = reading(q=rng.uniform(-1.2, 1.2, 2), dq=rng.uniform(-4, 4, 2))
        flags = Flag(int(rng.choice([0, 0, 0, 2, 4, 8, 16])))
        torque = ZERO if flags & (Flag.ARM | Flag.RECOVER) else rng.normal(size=2) * 300
        if rng.random() < 0.8 and not (driver.session.mode is Mode.COMMAND_WAIT and torque.any()):
            after = driver.tick(torque, flags)
        else:
            after = driver.tick()
        assert (np.abs(after) <= 40.0).all()
        assert (np.abs(after - before) <= 1.0 + 1e-9).all()
        before = after


def test_hold_that_needs_more_than_its_limit_gets_no_more(make):
    driver = make(weight=80.0, limits=LimitRules(torque_share=0.2))
    assert (driver.session.applied == 20.0).all()
    for _ in range(5):
        np.testing.assert_array_equal(driver.tick(), (20.0, 20.0))


def test_recovery_makes_no_step_of_torque(make):
    driver = make(weight=30.0).arm()
    before = driver.session.applied
    steps = []
    for tick in range(300):
        flags = {100: Flag.STOP, 150: Flag.RECOVER}.get(tick, Flag(0))
        if driver.session.mode is Mode.MONITOR or driver.session.mode is Mode.COMMAND_WAIT:
            flags |= Flag.ARM
        after = driver.tick(ZERO if flags else (-60.0, 60.0), flags)
        steps.append(np.abs(after - before).max())
        before = after
    assert driver.session.mode is Mode.COMMAND_ACTIVE
    assert max(steps) <= 1.0 + 1e-12


def test_command_of_another_session_is_refused(active):
    assert active.refused(session=active.session.number + 1) is Cause.SESSION
    assert active.refused(session=0) is Cause.SESSION


def test_command_of_somebody_else_is_refused(active):
    assert active.refused(peer="you") is Cause.PEER


def test_command_that_is_not_newer_is_refused(active):
    active.tick(ZERO)
    for sequence in (0, 1, active.sequence):
        assert active.refused(sequence=sequence) is Cause.SEQUENCE


def test_command_that_answers_an_old_or_a_future_state_is_refused(active):
    now = active.session.tick_number
    assert active.refused(answers=now - 6) is Cause.STALE
    assert active.refused(answers=now + 1) is Cause.STALE
    active.offer(answers=now - 5)


@pytest.mark.parametrize("flag", [Flag.STOP, Flag.BYE])
def test_request_to_end_is_obeyed_whatever_else_is_wrong_with_it(make, flag):
    driver = make()
    driver.tick(ZERO)
    driver.tick(ZERO, Flag.ARM)
    driver.offer((3.0, np.inf), flag, answers=driver.session.tick_number - 2)
    assert driver.session.mode is (Mode.STOPPED if flag is Flag.STOP else Mode.IDLE)
    active = make().arm()
    for _ in range(7):
        active.tick()
    active.offer(ZERO, flag, answers=0)
    assert active.session.mode is (Mode.STOPPED if flag is Flag.STOP else Mode.IDLE)
    np.testing.assert_allclose(active.tick(), ZERO)


def test_refused_command_changes_nothing(active):
    active.tick((0.5, 0.5))
    assert active.refused(session=1, flags=Flag.STOP, torque=(9.0, 9.0)) is Cause.SESSION
    assert active.refused(peer="you", flags=Flag.STOP) is Cause.PEER
    np.testing.assert_array_equal(active.tick(), (0.5, 0.5))
    assert active.session.watchdog.in_a_row == 1
    assert active.session.mode is Mode.COMMAND_ACTIVE


def test_end_of_a_session_lets_the_next_client_in_under_a_new_number(active):
    before = active.session.number
    active.tick(ZERO, Flag.BYE)
    assert (active.session.mode, active.session.peer) == (Mode.IDLE, None)
    assert active.session.number != before
    assert active.refused(session=before) is Cause.SESSION
    active.sequence = 0
    active.tick(ZERO, peer="you")
    assert active.session.peer == "you"


def test_silent_client_is_forgotten(make):
    driver = make(rules=SessionRules(silence_s=0.05))
    driver.tick(ZERO)
    before = driver.session.number
    for _ in range(50):
        driver.tick()
    assert (driver.session.mode, driver.session.peer) == (Mode.IDLE, None)
    assert driver.session.number != before


def test_silence_of_an_armed_client_ends_stopped(make):
    driver = make(rules=SessionRules(silence_s=0.05)).arm()
    for _ in range(60):
        driver.tick()
    assert (driver.session.mode, driver.session.peer) == (Mode.STOPPED, None)
    assert driver.session.stop == Stop.MISSED_IN_A_ROW


def test_robot_that_slept_while_nobody_was_there_blames_nobody_for_it(make):
    driver = make()
    driver.session.stalled(500)
    assert driver.session.tick_number == 500
    driver.arm()
    assert driver.session.watchdog.success_rate == 1.0


def test_robot_that_slept_while_it_waits_waits_anew(make):
    driver = make()
    driver.tick(ZERO)
    for _ in range(9):
        driver.tick(ZERO, Flag.ARM)
    driver.session.stalled(50)
    driver.tick(ZERO, Flag.ARM)
    assert (driver.session.mode, driver.session.stop) == (Mode.COMMAND_WAIT, Stop(0))


def test_list_of_stops_stays_bounded(active):
    for _ in range(300):
        active.tick(ZERO, Flag.STOP)
        active.tick(ZERO, Flag.RECOVER)
        active.arm()
    assert len(active.session.stops) == 100


def test_session_numbers_are_random_and_never_zero():
    numbers = {random_session() for _ in range(1000)}
    assert len(numbers) == 1000
    assert 0 not in numbers
    assert max(numbers) < 2**64


def test_watchdog_of_the_rules_is_used(make):
    rules = SessionRules(watchdog=WatchdogRules(max_missed_s=0.002))
    driver = make(rules=rules).arm()
    driver.tick(ZERO)
    driver.tick()
    driver.tick()
    assert driver.session.stop == Stop.MISSED_IN_A_ROW


@pytest.mark.parametrize("real", [False, True])
def test_robot_that_is_ending_is_not_armed(make, real):
    driver = make(real=real)
    driver.tick(ZERO)
    driver.session.wind_up()
    assert driver.refused(flags=Flag.ARM | Flag.HOLD | Flag.ACKNOWLEDGED) is Cause.ENDING
    driver.tick(ZERO)
    assert (driver.session.mode, driver.session.stop) == (Mode.MONITOR, Stop(0))


def test_robot_that_is_ending_is_not_recovered(active):
    active.session.protect(Stop.MISSED_IN_A_ROW)
    active.tick(ZERO)
    active.session.wind_up()
    assert active.refused(flags=Flag.RECOVER | Flag.HOLD) is Cause.ENDING
    active.tick(ZERO)
    assert (active.session.mode, active.session.stop) == (Mode.STOPPED, Stop.MISSED_IN_A_ROW)


def test_recovery_that_came_just_before_the_end_is_not_obeyed(active):
    active.session.protect(Stop.MISSED_IN_A_ROW)
    active.tick(ZERO)
    active.offer(flags=Flag.RECOVER | Flag.HOLD)
    active.session.wind_up()
    active.tick()
    assert active.session.mode is Mode.STOPPED


def test_robot_that_is_ending_stops_who_waits_to_command_it(make):
    driver = make()
    driver.tick(ZERO)
    driver.offer(flags=Flag.ARM | Flag.HOLD)
    driver.session.wind_up()
    assert driver.session.stop == Stop.ENDED
    assert driver.offer(flags=Flag.BYE | Flag.HOLD) == Flag.BYE | Flag.HOLD


@pytest.mark.parametrize("more", [Stop(0), Stop.PLANT | Stop.TORQUE_OFF])
def test_robot_that_is_served_again_has_only_its_end_behind_it(active, more):
    """Whoever was in session is not any more; what else has stopped the arm still wants somebody to look."""
    number = active.session.number
    active.session.wind_up()
    assert active.session.stop == Stop.ENDED
    if more:
        active.session.protect(more)
    active.session.start_over()
    assert active.session.stop == more
    assert active.session.mode is (Mode.STOPPED if more else Mode.IDLE)
    assert active.refused(session=number) is Cause.SESSION
    active.tick(ZERO)
    if not more:
        active.offer(flags=Flag.ARM | Flag.HOLD)
        assert active.session.mode is Mode.COMMAND_WAIT


def test_session_of_a_robot_that_goes_on_is_not_ended_by_starting_over(active):
    number = active.session.number
    active.session.start_over()
    assert (active.session.number, active.session.mode) == (number, Mode.COMMAND_ACTIVE)


@pytest.mark.parametrize("key", ["stale_s", "ready_s", "silence_s", "runaway_s", "blind_s"])
def test_rules_out_of_range_are_refused(key):
    with pytest.raises(ConfigError, match=f"{key} must be a positive number of seconds, not 0"):
        SessionRules(**{key: 0})
