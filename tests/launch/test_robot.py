"""What a robot is not served as, whatever plant is given."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import signal
import threading
import time
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import ConfigError, DriveError, LinkError
from spikearm.hardware.link.limits import LimitRules
from spikearm.hardware.link.session import SessionRules
from spikearm.hardware.link.stops import what_next
from spikearm.hardware.link.watchdog import WatchdogRules
from spikearm.hardware.link.wire import Cause, CommandFrame, Flag, Mode, Refused, Stop, Trait
from spikearm.launch import robot_serve
from spikearm.launch.config import RunConfig
from spikearm.launch.hardware_run import LinkConfig, connect, execute_on_robot
from spikearm.launch.robot import make_robot, robot_around
from spikearm.launch.robot_config import RobotConfig
from spikearm.launch.robot_drives import make_arm


def once():
    """Wanted for one tick."""
    left = iter((True,))
    return lambda: next(left, False)


class MisHomed:
    """An arm one encoder of which counts too much, as after a power cycle or a wrong homing."""

    def __init__(self, plant, joint, by_rad):
        self.plant, self.closed = plant, False
        self.offset = np.zeros(len(plant.read().q))
        self.offset[joint] = by_rad

    dt_s = 1e-3

    def reset(self, *, seed=None):
        return self.read()

    def read(self):
        reading = self.plant.read()
        return dataclasses.replace(reading, q=reading.q + self.offset)

    def write(self, torque):
        return self.plant.write(torque)

    def close(self):
        self.closed = True


def settings(folder, **changes) -> RobotConfig:
    base = RobotConfig(
        listen=f"unix:{folder}/arm.sock", acknowledge_real_arm=True, perturbation=Perturbation()
    )
    return dataclasses.replace(base, **changes)


@pytest.mark.parametrize("traits", [Trait.REAL, Trait.RESETTABLE])
@pytest.mark.parametrize(("name", "joint", "by_rad"), [("iiwa14", 0, 3.3), ("fr3", 6, 2.0 * np.pi)])
def test_arm_that_reads_outside_its_range_is_not_served(short_path, name, joint, by_rad, traits):
    config = settings(short_path, arm=name)
    arm = load_arm(name)
    plant = MisHomed(make_arm(config, arm), joint, by_rad)
    said = f"joint {joint} reads .* rad, outside its range of .*rad. Check homing"
    with pytest.raises(ConfigError, match=said), robot_around(plant, arm, config, traits):
        pass
    assert plant.closed


@pytest.mark.parametrize("traits", [Trait.REAL, Trait.RESETTABLE])
def test_real_arm_that_moves_is_not_taken_over(short_path, traits):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 0.0)
    read = plant.read
    plant.read = lambda: dataclasses.replace(read(), dq=np.array((0.0, -0.3)))
    if traits is Trait.RESETTABLE:
        with robot_around(plant, arm, config, traits) as robot:
            assert robot.session.mode is Mode.IDLE
        return
    with pytest.raises(ConfigError, match=r"real and moves, by up to 0\.30 rad/s.*at rest \(below 0\.1"):
        robot_around(plant, arm, config, traits)
    assert plant.closed


@pytest.mark.parametrize("commanded", [False, True])
def test_arm_comes_to_rest_before_its_robot_ends(short_path, commanded):
    with make_robot(settings(short_path)) as robot:
        robot.plant._data.qvel[:] = 0.4
        robot.server.reading = robot.plant.read()
        if commanded:
            robot.session.mode = Mode.COMMAND_ACTIVE
        robot.serve(once(), on_stop=id)
        assert np.abs(robot.plant.read().dq).max() <= 0.05
        assert robot.session.tick_number >= 5
        assert robot.session.stop == (Stop.ENDED if commanded else Stop(0))


def test_arm_that_does_not_come_to_rest_is_not_waited_for(short_path):
    with make_robot(settings(short_path, arm="planar2")) as robot:
        look = robot.server._look

        def restless():
            look()
            robot.server.reading = dataclasses.replace(robot.server.reading, dq=np.full(2, 0.5))

        robot.server._look = restless
        robot.serve(once(), on_stop=id)
        assert robot.session.tick_number >= 1000


class Watched(MisHomed):
    """An arm that remembers what was written."""

    def __init__(self, plant):
        super().__init__(plant, 0, 0.0)
        self.written = []

    def write(self, torque):
        self.written.append(np.array(torque))
        return super().write(torque)


class LettingGo(Watched):
    """One with a controller of its own."""

    def let_go(self):
        pass


@pytest.mark.parametrize("traits", [Trait.REAL, Trait.RESETTABLE])
@pytest.mark.parametrize("extra_rad_s", [0.0, 0.024])
def test_arm_that_is_to_end_before_its_first_tick_gets_no_torque(short_path, traits, extra_rad_s):
    config = settings(short_path)
    arm = load_arm(config.arm)
    plant = Watched(make_arm(config, arm))
    read = plant.read
    plant.read = lambda: dataclasses.replace(read(), dq=np.full(7, extra_rad_s))
    with robot_around(plant, arm, config, traits) as robot:
        robot.serve(lambda: False, on_stop=id)
        assert robot.session.tick_number == 0
    assert plant.written == []
    assert plant.closed


def test_arm_that_was_let_go_is_not_switched_on_to_end(short_path):
    config = settings(short_path)
    arm = load_arm(config.arm)
    plant = LettingGo(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        robot.session.protect(Stop.TORQUE_OFF)
        robot.serve(once(), on_stop=id)
        assert robot.session.stop == Stop.TORQUE_OFF
    assert plant.written == []


def test_flickering_bit_of_a_velocity_is_not_braked(short_path):
    """One unit of a Dynamixel's velocity is 0.024 rad/s."""
    with make_robot(settings(short_path, arm="planar2")) as robot:
        look, n_looks = robot.server._look, [0]

        def flickering():
            look()
            n_looks[0] += 1
            robot.server.reading = dataclasses.replace(robot.server.reading, dq=np.full(2, 0.024))

        robot.server._look = flickering
        robot.serve(once(), on_stop=id)
        assert n_looks[0] == 1 + 5


@pytest.mark.parametrize(
    ("stop", "flag", "mode"),
    [(Stop(0), Flag.ARM, Mode.MONITOR), (Stop.MISSED_IN_A_ROW, Flag.RECOVER, Mode.STOPPED)],
)
def test_robot_that_ends_is_neither_armed_nor_recovered(short_path, stop, flag, mode):
    with make_robot(settings(short_path)) as robot:
        session, look = robot.session, robot.server._look
        ready = iter((True,) * 3)
        causes = []

        def offer(flags):
            sequence, tick = session.last_sequence + 1, session.tick_number
            session.offer(CommandFrame(session.number, sequence, tick, 0, -1, flags, 0, np.zeros(7)), "me")

        def restless():
            """Moves, so that it is braked for the whole second; and somebody wants to command it."""
            look()
            robot.server.reading = dataclasses.replace(robot.server.reading, dq=np.full(7, 0.08))
            offer(Flag.HOLD)
            if session.ending:
                with pytest.raises(Refused) as caught:
                    offer(flag | Flag.HOLD)
                causes.append(caught.value.cause)
            elif stop:
                session.protect(stop)

        robot.server._look = restless
        robot.server._send = id
        robot.serve(lambda: next(ready, False), on_stop=id)
        assert len(causes) >= 900
        assert set(causes) == {Cause.ENDING}
        assert (session.mode, session.stop) == (mode, stop)


@pytest.mark.parametrize("traits", [Trait.REAL, Trait.RESETTABLE])
@pytest.mark.parametrize("key", ["q", "dq"])
@pytest.mark.parametrize("n_good", [0, 1, 2])
def test_arm_whose_first_reading_is_not_finite_is_not_served(short_path, traits, key, n_good):
    """Wherever it comes from: no reading that was not looked at is held by, or sent."""
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 0.0)
    read, n = plant.read, [0]

    def spoilt():
        n[0] += 1
        wrong = {key: np.array((0.0, np.nan))} if n[0] > n_good else {}
        return dataclasses.replace(read(), **wrong)

    plant.read = spoilt
    if not n_good:
        with pytest.raises(ConfigError, match=r"first reading is q = .*nan.* has to be finite.*robot look"):
            robot_around(plant, arm, config, traits)
        assert plant.closed
        return
    with robot_around(plant, arm, config, traits) as robot:
        frame = robot.server._frame(session=0, echo_ns=0, arrived_ns=0)
        assert np.isfinite((frame.q, frame.dq, frame.measured, frame.applied)).all()
        for _ in range(3):
            robot.server.tick()
        assert robot.session.stop & Stop.SENSOR


def test_arm_whose_joints_measure_no_number_is_not_served(short_path):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 0.0)
    plant.torque_measured = np.array((0.0, np.nan))
    with pytest.raises(ConfigError, match=r"first reading is .*torque \[ 0\. nan\] N m"):
        robot_around(plant, arm, config, Trait.REAL)


@pytest.mark.parametrize("drive", [np.array((40.0, 30.0)), np.array((1e6, 30.0))])
def test_smaller_of_drive_and_share_bounds_the_torque(short_path, drive):
    config = settings(short_path, arm="planar2", limits=LimitRules(torque_share=0.9))
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 0.0)
    plant.torque_limits = drive
    smaller = np.minimum(drive, 0.9 * MujocoDynamics(arm).torque_limits)
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        limits = robot.session._limits
        np.testing.assert_allclose(limits.clip(np.full(2, 1e9)), smaller)
        np.testing.assert_allclose(limits.clamp(np.full(2, -1e9), np.full(2, -1e9)), -smaller)


@pytest.mark.parametrize("limits", [np.ones(3), np.array((1.0, np.nan)), np.array((1.0, 0.0))])
def test_drive_limits_that_are_none_are_refused(short_path, limits):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 0.0)
    plant.torque_limits = limits
    with pytest.raises(ConfigError, match=r"torque_limits are .*, not 2 positive torques.*mend the plant"):
        robot_around(plant, arm, config, Trait.REAL)
    assert plant.closed


def test_arm_is_closed_before_anything_slower_ends(spikearm, short_path, monkeypatch):
    """A Franka arm bears 20 ms without a torque; a collection of garbage may take longer."""
    happened = []

    @contextmanager
    def uncollected():
        yield
        happened.append("collections")

    def made(config):
        robot = make_robot(config)
        close = robot.plant.close
        robot.plant.close = lambda: (happened.append("closed"), close())
        os.kill(os.getpid(), signal.SIGINT)
        return robot

    monkeypatch.setattr(robot_serve, "no_collections", uncollected)
    monkeypatch.setattr(robot_serve, "make_robot", made)
    monkeypatch.setattr(robot_serve, "prioritised", lambda priority: nullcontext([]))
    ended = spikearm("robot", "serve", "--arm", "planar2", "--listen", f"unix:{short_path}/a.sock", "--json")
    assert ended.code == 0
    assert ended.document["ticks"] == 0
    assert happened[:2] == ["closed", "collections"]


def test_arm_that_could_not_be_let_go_is_not_said_to_be(spikearm, short_path, monkeypatch):
    """With a robot that does not end its torque: an exit code of its own, and no word of rest."""

    def made(config):
        robot = make_robot(config)
        calls = []

        def close():
            calls.append(1)
            if len(calls) == 1:
                raise DriveError("servo 2 could not be switched off, and may give torque. Cut its power.")

        robot.plant.close = close
        os.kill(os.getpid(), signal.SIGINT)
        return robot

    monkeypatch.setattr(robot_serve, "make_robot", made)
    monkeypatch.setattr(robot_serve, "prioritised", lambda priority: nullcontext([]))
    ended = spikearm("robot", "serve", "--arm", "planar2", "--listen", f"unix:{short_path}/a.sock", "--json")
    assert ended.code == 1
    assert "DriveError: servo 2 could not be switched off" in ended.complaint
    assert "the arm was NOT let go, and may be under torque: look at it." in ended.complaint
    assert "at rest" not in ended.complaint
    assert ended.document["not_closed"].startswith("servo 2")


def test_arm_that_is_refused_and_not_let_go_is_told_with_both_reasons(short_path):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 99.0)

    def close():
        raise DriveError("servo 2 could not be switched off")

    plant.close = close
    with pytest.raises(ConfigError, match="outside its range") as caught:
        robot_around(plant, arm, config, Trait.REAL)
    assert caught.value.__notes__ == ["And servo 2 could not be switched off"]


def test_wire_is_closed_though_its_arm_is_not(short_path):
    robot = make_robot(settings(short_path, arm="planar2"))
    robot.plant.close = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError), robot:
        pass
    with make_robot(settings(short_path, arm="planar2")) as again:  # at the same address
        assert again.session.mode is Mode.IDLE


def test_load_of_a_real_arm_is_not_told_to_it(spikearm):
    ended = spikearm("robot", "serve", "--drive", "franka", "--arm", "fr3", "--payload-kg", "0.5")
    assert ended.code != 0
    assert "--payload-kg is for simulated arms, and this one is real (--drive franka)" in ended.complaint


@pytest.mark.parametrize("key", ["connect_s", "state_s", "timeout_s"])
def test_endless_patience_is_refused_before_the_robot_is_spoken_to(key):
    with pytest.raises(ConfigError, match=f"{key} must be .*, not inf"):
        LinkConfig(**{key: float("inf")})


@pytest.mark.parametrize(("lock_step", "trait"), [(True, Trait(0)), (False, Trait.LOCK_STEP)])
def test_real_arm_is_not_served_in_lock_step(short_path, lock_step, trait):
    config = settings(short_path, arm="planar2", lock_step=lock_step)
    arm = load_arm("planar2")
    with pytest.raises(ConfigError, match="a real arm does not wait for its commands"):
        robot_around(make_arm(config, arm), arm, config, Trait.REAL | trait)


@pytest.mark.parametrize(("true", "believed"), [("fr3", "iiwa14"), ("iiwa14", "gen3"), ("gen3", "fr3")])
def test_client_of_another_arm_does_not_join(served, short_path, true, believed):
    config = settings(short_path, arm=true)
    arm = load_arm(true)
    with served(robot_around(make_arm(config, arm), arm, config, Trait.RESETTABLE)):
        with pytest.raises(LinkError, match=f"serves {true}, and this run is for {believed}.*--arm {true}"):
            connect(LinkConfig(robot=config.listen), load_arm(believed))
        with connect(LinkConfig(robot=config.listen), arm) as plant:
            assert plant.mode is Mode.MONITOR


@pytest.mark.parametrize("monitor", [False, True])
def test_real_arm_far_from_its_start_is_looked_at_but_not_moved(served, short_path, monitor):
    run = RunConfig(controller="osc", trials=1, duration_s=0.05, distance_m=0.02, out=short_path / "runs")
    config = settings(short_path)
    arm = load_arm(config.arm)
    plant = make_arm(config, arm)
    plant._q0 = plant._q0 + 0.12
    start = plant.reset().q
    link = LinkConfig(robot=config.listen, acknowledge_real_arm=True, monitor=monitor)
    with served(robot_around(plant, arm, config, Trait.REAL)):
        if monitor:
            summary, _ = execute_on_robot(run, link)
            assert summary["link"]["monitor_only"] is True
        else:
            with pytest.raises(ConfigError, match=r"real and stands .*--lead-in"):
                execute_on_robot(run, link)
            assert list((short_path / "runs").iterdir()) == []
        # Its drives were off: it sinks by that much until its own hold has its torque, which lifts it again.
        deadline_s = time.monotonic() + 30.0
        while plant.read().t_s < 0.5 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        np.testing.assert_allclose(plant.read().q, start, atol=0.06)


def test_looking_only_and_recovering_exclude_each_other():
    with pytest.raises(ConfigError, match="--monitor only looks, --recover gives an arm its torque back"):
        LinkConfig(monitor=True, recover=True)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            SessionRules(watchdog=WatchdogRules(max_missed_s=1000.0)),
            "max_missed_s is at most 0.2 s, not 1000",
        ),
        (SessionRules(stale_s=0.3), "stale_s is at most 0.2 s"),
        (SessionRules(blind_s=5.0), "blind_s is at most 0.2 s"),
        (SessionRules(runaway_s=5.0), "runaway_s is at most 0.5 s"),
        (SessionRules(silence_s=60.0), "silence_s is at most 10 s"),
        (SessionRules(watchdog=WatchdogRules(max_share=1.0)), "max_share is at most 0.5, not 1: "),
        (SessionRules(watchdog=WatchdogRules(window_s=60.0)), "window_s is at most 2 s, not 60 s"),
        (SessionRules(watchdog=WatchdogRules(window_s=0.001)), "window_s is at least 0.1 s, not 0.001 s"),
    ],
)
def test_watchdog_of_a_real_arm_cannot_be_set_away(short_path, rules, said):
    config = settings(short_path, arm="planar2", session=rules)
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 0.0)
    with pytest.raises(ConfigError, match=re.escape(said)):
        robot_around(plant, arm, config, Trait.REAL)
    assert plant.closed
    with robot_around(make_arm(config, arm), arm, config, Trait.RESETTABLE) as simulated:
        assert simulated.session.mode is Mode.IDLE


def test_real_arm_is_held_from_where_it_stands_when_it_is_served(short_path, caplog):
    """It has sunk since it was opened, by more than it could in a tick."""
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        plant.offset[0] = 0.2
        sunk = robot.server.reading.q + plant.offset
        robot.serve(once(), on_stop=id)
        np.testing.assert_allclose(robot.server.reading.q, sunk, atol=0.05)  # until its torque is there
        assert robot.session.stop == Stop(0)
        assert robot.server.fault == ""
        assert "the arm moved by up to 0.2" in caplog.text
        assert "(joint 0) since it was opened; it is held from where it stands now" in caplog.text
        np.testing.assert_allclose(robot.session._hold._q0, sunk, atol=0.05)
    assert np.abs(np.diff([np.zeros(2), *plant.written], axis=0)).max() <= 1.0 + 1e-9


def test_arm_that_does_not_read_when_it_is_served_stops_at_once(short_path):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        plant.read = lambda: 1 / 0
        stops = []
        left = iter(20 * (True,))
        robot.serve(lambda: next(left, False), on_stop=stops.append)
        assert stops[0] & Stop.PLANT
        assert robot.session.tick_number >= 20
        assert robot.session.stop & Stop.TORQUE_OFF
    assert plant.written == []


def test_real_arm_whose_numbers_are_none_when_it_is_served_is_not(short_path):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        plant.offset[1] = np.nan
        with pytest.raises(ConfigError, match=r"first reading is q = .*nan.* has to be finite"):
            robot.serve(once(), on_stop=id)
    assert plant.written == []


@pytest.mark.parametrize(
    ("q", "dq", "said"),
    [
        (0.8, 0.0, r"since it was opened, joint 1 went from .* more than 0\.5 rad.*encoder.*serve it again"),
        (0.0, 0.8, r"real and moves, by up to 0\.80 rad/s"),
        (9.0, 0.0, r"joint 1 reads .* outside its range"),
    ],
)
def test_real_arm_that_is_not_as_it_was_opened_is_not_served(short_path, q, dq, said):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        read, joint = plant.read, np.array((0.0, 1.0))
        plant.read = lambda: dataclasses.replace(read(), q=read().q + q * joint, dq=dq * joint)
        with pytest.raises(ConfigError, match=said):
            robot.serve(once(), on_stop=id)
    assert plant.written == []


def test_real_arm_that_sank_where_it_cannot_be_carried_is_not_served(short_path):
    """Nearer to where it is stretched out, the arm's own weight takes more than its share."""
    config = settings(short_path, arm="planar2", limits=LimitRules(torque_share=0.21))
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        plant.offset[0] = 0.3
        with pytest.raises(ConfigError, match="more than it is allowed: it would fall"):
            robot.serve(once(), on_stop=id)
    assert plant.written == []


def test_arm_served_again_goes_on_from_the_torque_it_has(short_path):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        left = iter(100 * (True,))
        robot.serve(lambda: next(left, False), on_stop=id)
        robot.serve(once(), on_stop=id)
    assert np.abs(plant.written).max() > 2.0
    assert np.abs(np.diff([np.zeros(2), *plant.written], axis=0)).max() <= 1.0 + 1e-9


@pytest.mark.parametrize("lock_step", [False, True])
def test_robot_that_ends_says_that_a_run_was_cut_off(short_path, lock_step):
    with make_robot(settings(short_path, lock_step=lock_step)) as robot:
        stops = []
        robot.session.mode = Mode.COMMAND_ACTIVE
        robot.serve(lambda: False, on_stop=stops.append)
        assert stops == [Stop.ENDED]


def test_robot_tells_that_it_was_recovered(short_path):
    with make_robot(settings(short_path, arm="planar2", lock_step=True)) as robot:
        robot.session.protect(Stop.CLIENT)
        told, left = [], iter(10 * (True,))

        def wanted():
            if told:
                robot.session.stop, robot.session.mode = Stop(0), Mode.MONITOR
            return next(left, False)

        robot.serve(wanted, on_stop=lambda why: told.append(robot_serve._explained(why, robot)))
    assert "the client told it to" in told[0]
    assert told[1:] == ["recovered: the arm may be commanded again."]


def test_robot_that_is_served_again_was_not_recovered(short_path):
    with make_robot(settings(short_path, arm="planar2", lock_step=True)) as robot:
        told = []
        robot.session.mode = Mode.COMMAND_ACTIVE
        robot.serve(lambda: False, on_stop=told.append)
        left = iter(5 * (True,))
        robot.serve(lambda: next(left, False), on_stop=told.append)
    assert told == [Stop.ENDED]


def test_robot_in_lock_step_that_ends_tells_its_client(served, short_path):
    run = RunConfig(controller="osc", trials=1, duration_s=5.0, distance_m=0.02, out=short_path / "runs")
    config = settings(short_path, lock_step=True)
    wanted = threading.Event()
    robot = make_robot(config)
    thread = threading.Thread(target=lambda: robot.serve(lambda: not wanted.is_set(), on_stop=id))

    def on_tick(record):
        if record.state.t_s > 0.05:
            wanted.set()

    with robot:
        thread.start()
        summary, _ = execute_on_robot(run, LinkConfig(robot=config.listen), on_tick=on_tick)
        thread.join()
    assert (
        "the robot's own program was told to end. It brakes its arm, lets it go and ends"
        in (summary["link"]["ended"])
    )
    assert "--recover" not in summary["link"]["ended"]


@pytest.mark.parametrize(
    ("why", "listen", "said", "unsaid"),
    [
        (Stop.ENDED, "local:robot", "told to end while a client commanded: that run is cut off", "--recover"),
        (
            Stop.MISSED_IN_A_ROW,
            "udp://0.0.0.0:7",
            "`spikearm hardware run --robot udp://THIS-HOST:7",
            "//0",
        ),
        (
            Stop.MISSED_IN_A_ROW,
            "udp://10.0.0.7:7",
            "--robot udp://10.0.0.7:7 --arm iiwa14 --recover`",
            "THIS",
        ),
    ],
)
def test_stop_is_explained_by_what_can_be_done(short_path, why, listen, said, unsaid):
    with make_robot(settings(short_path, arm="planar2")) as robot:
        elsewhere = dataclasses.replace(robot, config=RobotConfig(listen=listen))
        text = robot_serve._explained(why, elsewhere)
    assert said in text
    assert unsaid not in text


def seen(plant, what: str):
    """A plant says that it is at rest, that it moves, or nothing at all."""
    read = plant.read

    def spoilt():
        if what == "blind":
            raise RuntimeError("no answer on the bus")
        return dataclasses.replace(read(), dq=np.full(2, 0.3 if what == "moving" else 0.0))

    plant.read = spoilt


@pytest.mark.parametrize(
    ("what", "torque_off", "lets_go", "said"),
    [
        ("still", False, False, "; the arm was let go at rest."),
        ("moving", False, False, "; the arm was let go while it moved, by up to 0.30 rad/s."),
        ("blind", False, False, "; the arm was let go and nobody knows whether it is at rest: it could not"),
        ("still", True, False, "; the arm was let go at rest."),
        ("still", True, True, "; the arm was let go before and is at rest."),
        ("moving", True, True, "; the arm was let go before and moves, by up to 0.30 rad/s."),
        ("blind", True, True, "; the arm was let go before and nobody knows whether it is at rest"),
    ],
)
def test_last_words_say_of_the_arm_what_is_known(short_path, what, torque_off, lets_go, said):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = (LettingGo if lets_go else Watched)(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        left = iter(range(30, 0, -1))

        def wanted():
            n_left = next(left, 0)
            if n_left == 20:
                seen(plant, what)
                if torque_off:
                    robot.session.protect(Stop.TORQUE_OFF)
            return n_left > 0

        robot.serve(wanted, on_stop=id)
        document = robot.document()
        words = robot_serve._last_words(robot, document, not_closed="")
    assert words.startswith(f"served {robot.session.tick_number} ticks, 0 commands")
    assert said in words
    assert (document["speed_rad_s"] is None) is (what == "blind")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"q": np.array((99.0, 0.0))}, "outside its range"),
        ({"q": np.array((-0.6, 0.0))}, "since it was opened, joint 1 went from"),
        ({}, ""),
    ],
)
def test_arm_that_could_not_be_read_at_first_is_asked_when_it_is_recovered(short_path, change, said):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    read = plant.read
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        session, server = robot.session, robot.server
        server._send = id
        n_ticks = itertools.count()

        def wanted():
            n = next(n_ticks)
            if n == 3:
                plant.read = lambda: dataclasses.replace(read(), **change)
            if n in (10, 20):
                flags = (Flag.RECOVER if n == 20 else Flag(0)) | Flag.HOLD | Flag.ACKNOWLEDGED
                answers, sequence = session.tick_number, session.last_sequence + 1
                recovery = CommandFrame(session.number, sequence, answers, 0, -1, flags, 0, np.zeros(2))
                server._take(server._codec.pack_command(recovery), "me", may_answer=False)
            return n < 30

        plant.read = lambda: 1 / 0
        robot.serve(wanted, on_stop=id)
        assert said in server.fault
        assert bool(session.stop & Stop.TORQUE_OFF) is bool(said)
        assert bool(plant.written) is not bool(said)


def test_last_words_of_an_arm_that_could_never_be_read_do_not_say_that_it_rests(short_path):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        seen(plant, "blind")
        stops = []
        robot.serve(once(), on_stop=lambda why: stops.append(robot_serve._explained(why, robot)))
        words = robot_serve._last_words(robot, robot.document(), not_closed="")
    assert "(RuntimeError: no answer on the bus). Look at the arm; then `spikearm hardware run" in stops[0]
    assert "nobody knows whether it is at rest: it could not be read. Look at it." in words
    assert plant.written == []


@pytest.mark.parametrize(
    ("lock_step", "said"),
    [
        (False, "served 0 ticks, 0 commands; the arm was given no torque and is at rest."),
        (True, "served 0 ticks, 0 commands."),
    ],
)
def test_last_words_of_an_arm_without_torque_say_so(short_path, lock_step, said):
    with make_robot(settings(short_path, arm="planar2", lock_step=lock_step)) as robot:
        robot.serve(lambda: False, on_stop=id)
        assert robot_serve._last_words(robot, robot.document(), not_closed="").endswith(said)


def test_stop_of_an_arm_that_is_braked_is_told_too(short_path):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = Watched(make_arm(config, arm))
    with robot_around(plant, arm, config, Trait.REAL) as robot:
        told = []
        left = iter(10 * (True,))

        def wanted():
            more = next(left, False)
            if not more:
                robot.session.mode = Mode.COMMAND_ACTIVE
                seen(plant, "blind")
            return more

        robot.serve(wanted, on_stop=lambda why: told.append((why, robot_serve._explained(why, robot))))
        assert robot.session.stop & Stop.TORQUE_OFF  # held by what was known, until that was too old
    assert [why for why, _ in told] == [
        Stop.ENDED,
        Stop.ENDED | Stop.PLANT,
        Stop.ENDED | Stop.PLANT | Stop.TORQUE_OFF,
    ]
    assert told[0][1].startswith("told to end while a client commanded")
    assert told[1][1] == (
        "stopped while it was told to end: its drive or simulation failed (RuntimeError: no answer on the "
        "bus). Look at the arm before it is served again."
    )
    assert "whose torque is off (RuntimeError" in told[2][1]


@pytest.mark.parametrize("traits", [Trait.REAL, Trait.RESETTABLE])
@pytest.mark.parametrize("commanded", [False, True])
def test_robot_that_is_served_again_can_be_commanded_again(served, short_path, traits, commanded):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    robot = robot_around(make_arm(config, arm), arm, config, traits)
    left = iter(10 * (True,))

    def wanted():
        more = next(left, False)
        if commanded and not more:  # by calls: on a busy machine the number of a tick leaps
            robot.session.mode = Mode.COMMAND_ACTIVE
        return more

    robot.serve(wanted, on_stop=id)
    number = robot.session.number
    assert robot.session.ending
    assert robot.session.stop == (Stop.ENDED if commanded else Stop(0))
    with served(robot), connect(LinkConfig(robot=config.listen, acknowledge_real_arm=True), arm) as plant:
        assert plant.mode is Mode.MONITOR
        plant.arm()
        assert robot.session.stop == Stop(0)
    assert robot.session.number != number


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        (Stop.ENDED, "nothing is left to recover. Serve it again (`spikearm robot serve`), then start anew."),
        (Stop.TORQUE_OFF | Stop.SPEED_LIMIT, "Look at the arm, find the cause, then recover it (--recover)."),
        (Stop.CLIENT, "It holds its arm and takes no torque; find the cause, then recover it (--recover)."),
        (
            Stop.MISSED_IN_A_ROW | Stop.STALLED,
            (
                "`spikearm doctor --link` says whether this machine keeps time. Then recover it (--recover). "
                "On a machine that cannot keep it, a simulated robot may be served with --max-share and "
                "--max-missed-s."
            ),
        ),
        (Stop.MISSED_TOO_OFTEN | Stop.SENSOR, "find the cause, then recover it (--recover)."),
    ],
)
def test_what_is_next_after_a_stop_is_true_of_it(stop, said):
    assert what_next(stop).endswith(said)
