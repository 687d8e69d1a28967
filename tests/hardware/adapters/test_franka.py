"""A Franka arm through a stand-in of its vendor's module, alone and served."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("adapters", "link"))

import franka_library
from franka_library import Arm, stand_in
from rig import PERIOD_NS, Rig

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ClosedError, ConfigError, DriveError, NotFiniteError
from spikearm.hardware.adapters.franka import FrankaPlant
from spikearm.hardware.adapters.franka_config import FrankaConfig
from spikearm.hardware.link.conversation import ClientRules
from spikearm.hardware.link.wire import Flag, Mode, Stop, Trait

CONFIG = FrankaConfig(franka_host="arm.local")
HOME = np.array(ARMS["fr3"].home)


@pytest.fixture
def arm():
    return Arm()


@pytest.fixture
def plant(arm):
    plant = FrankaPlant(CONFIG, stand_in(arm))
    yield plant
    plant.close()


def control(plant, torque: np.ndarray, n_cycles: int) -> np.ndarray:
    """The same torque, cycle after cycle; the last one applied."""
    for _ in range(n_cycles):
        applied = plant.write(torque)
        plant.read()
    return applied


def test_arm_is_left_to_itself_until_the_first_torque(arm, plant):
    for _ in range(50):
        plant.read()
    assert arm.control is None
    assert arm.n_cycles == 51
    plant.write(np.zeros(7))
    assert arm.control is not None


def test_first_torque_is_zero_and_the_others_follow_within_the_rate(arm, plant):
    applied = plant.write(arm.gravity(HOME) + 30.0)
    np.testing.assert_array_equal(arm.desires[0], np.zeros(7))
    np.testing.assert_allclose(applied, arm.gravity(HOME))
    for n in range(1, 8):
        plant.read()
        applied = plant.write(arm.gravity(arm.q) + 30.0)
        np.testing.assert_allclose(arm.desires[-1], np.full(7, 0.999 * n))
        np.testing.assert_allclose(applied, arm.gravity(arm.q) + 0.999 * n)
    assert arm.reflex == ""


def test_gravity_alone_moves_nothing(arm, plant):
    for _ in range(300):
        plant.write(arm.gravity(plant.read().q))
    np.testing.assert_allclose(arm.q, HOME, atol=1e-9)
    np.testing.assert_allclose(np.array(arm.desires), 0.0, atol=1e-12)


def test_state_and_measured_torque_are_those_of_the_arm(arm, plant):
    control(plant, arm.gravity(HOME) + np.array((0.0, 3.0, 0.0, -2.0, 0.0, 1.0, 0.0)), 40)
    state = plant.read()
    np.testing.assert_array_equal(state.q, arm.q)
    np.testing.assert_array_equal(state.dq, arm.dq)
    assert np.abs(state.dq).max() > 0.01
    assert state.t_s == pytest.approx(0.041)
    np.testing.assert_allclose(plant.torque_measured, arm.gravity(arm.q) + arm.desired)
    assert plant.reset().t_s == 0.0
    assert plant.read().t_s == pytest.approx(0.001)


def test_command_lost_on_the_way_does_not_make_the_next_one_too_large(arm, plant):
    control(plant, arm.gravity(HOME) + 20.0, 5)
    arm.lost = 3
    control(plant, arm.gravity(HOME) + 20.0, 6)
    assert arm.reflex == ""
    steps = np.abs(np.diff(arm.desires, axis=0))
    assert steps.max() <= 1.0


def test_reflex_is_said_until_it_is_recovered(arm, plant):
    control(plant, arm.gravity(HOME), 5)
    arm.stop("cartesian_reflex")
    with pytest.raises(DriveError, match=r"takes no torque: .*cartesian_reflex.*recover it \(--recover\)"):
        plant.read()
    with pytest.raises(DriveError, match="cartesian_reflex"):
        plant.write(np.zeros(7))
    np.testing.assert_array_equal(plant.read().q, arm.q)  # looked at all the same
    plant.recover()
    n = len(arm.desires)
    control(plant, arm.gravity(HOME) + 10.0, 3)
    np.testing.assert_array_equal(arm.desires[n], np.zeros(7))
    assert arm.reflex == ""


def test_stop_that_a_person_pressed_is_not_recovered(arm, plant):
    arm.pressed = True
    with pytest.raises(DriveError, match="command not possible"):
        plant.write(np.zeros(7))
    with pytest.raises(DriveError, match="user stopped"):
        plant.recover()
    arm.pressed = False
    plant.recover()
    plant.write(np.zeros(7))


def test_missing_commands_end_in_the_arms_own_reflex(arm, plant):
    plant.write(np.zeros(7))
    for _ in range(21):
        plant.read()
    with pytest.raises(DriveError, match="communication_constraints_violation"):
        plant.read()


def test_unplugged_arm_is_said(arm, plant):
    arm.unplugged = True
    with pytest.raises(DriveError, match="Timeout"):
        plant.read()


def test_closing_gives_the_arm_back_without_a_jump(arm, plant):
    control(plant, arm.gravity(HOME) + 5.0, 10)
    plant.close()
    plant.close()
    assert (arm.control, arm.reflex) == (None, "")
    with pytest.raises(ClosedError, match="closed; make a new one"):
        plant.read()


def test_arm_that_is_let_go_is_its_own_again_until_the_next_torque(arm, plant):
    plant.let_go()  # nothing was begun
    control(plant, arm.gravity(HOME) + 5.0, 10)
    plant.let_go()
    plant.let_go()
    assert (arm.control, arm.reflex) == (None, "")
    n = len(arm.desires)
    np.testing.assert_array_equal(plant.read().q, arm.q)
    control(plant, arm.gravity(arm.q) + 5.0, 3)
    np.testing.assert_array_equal(arm.desires[n], np.zeros(7))
    assert arm.reflex == ""


def test_arm_that_takes_no_last_torque_is_stopped(arm, plant, monkeypatch):
    control(plant, arm.gravity(HOME), 10)

    def refused(self, command):
        raise franka_library.ControlException("libfranka: motion aborted")

    monkeypatch.setattr(franka_library.ActiveControl, "writeOnce", refused)
    plant.let_go()
    assert arm.control is None


def test_control_that_does_not_end_is_said_by_closing(arm, plant, monkeypatch):
    control(plant, arm.gravity(HOME), 10)

    def refused(*arguments):
        raise franka_library.NetworkException("libfranka: Timeout")

    monkeypatch.setattr(franka_library.ActiveControl, "writeOnce", refused)
    monkeypatch.setattr(franka_library.Robot, "stop", refused)
    with pytest.raises(DriveError, match=r"did not end its torque control: libfranka: Timeout.*user stop"):
        plant.close()
    plant.close()


def test_bad_torque_is_not_sent(arm, plant):
    with pytest.raises(NotFiniteError, match="Nothing was sent"):
        plant.write(np.full(7, np.nan))
    with pytest.raises(ConfigError, match="torque has shape"):
        plant.write(np.zeros(6))
    assert arm.control is None


def test_arm_that_is_not_there_is_named(arm):
    with pytest.raises(DriveError, match=r"no Franka arm at 192\.0\.2\.1: .*refused.*FCI"):
        FrankaPlant(FrankaConfig(franka_host="192.0.2.1"), stand_in(arm))


def test_collision_behaviour_is_that_of_the_settings(arm):
    FrankaPlant(FrankaConfig("arm.local", franka_collision_nm=11.0, franka_collision_n=7.0), stand_in(arm))
    assert arm.collision_behavior == ([11.0] * 7, [11.0] * 7, [7.0] * 6, [7.0] * 6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"franka_host": ""}, "franka_host is empty"),
        ({"franka_realtime": "maybe"}, "must be 'enforce' or 'ignore'"),
        ({"franka_collision_nm": 0.0}, "franka_collision_nm must be a positive number"),
        ({"franka_collision_n": np.inf}, "franka_collision_n must be a positive number"),
    ],
)
def test_settings_out_of_range_are_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        FrankaConfig(**change)


# -- served ------------------------------------------------------------------------------------------


@pytest.fixture
def served(arm):
    """The arm behind the wire, on its own clock: 3 % slower than the server would take it to be."""
    dynamics = MujocoDynamics(ARMS["fr3"])
    rig = Rig(
        FrankaPlant(CONFIG, stand_in(arm)),
        dynamics,
        torque_limits=dynamics.torque_limits,
        q_range=dynamics.joint_ranges,
        traits=Trait.REAL,
    )

    def wait():
        rig.now_ns += round(1.03 * PERIOD_NS)

    arm.wait = wait
    yield rig
    rig.close()
    rig.plant.close()


ACKNOWLEDGED = ClientRules(acknowledged=True)


def test_server_follows_the_arms_clock(arm, served):
    before, cycles, ticks = served.now_ns, arm.n_cycles, served.session.tick_number
    served.periods(500)
    assert arm.n_cycles - cycles == served.session.tick_number - ticks == 500
    assert served.now_ns - before == pytest.approx(1.03 * 500 * PERIOD_NS, rel=0.01)
    assert served.server.n_overruns == 0
    np.testing.assert_allclose(arm.q, HOME, atol=1e-6)


def test_client_moves_the_arm_within_its_rules(arm, served):
    dynamics = MujocoDynamics(ARMS["fr3"])
    plant = served.armed(rules=ACKNOWLEDGED)
    start = plant.read().q
    for k in range(800):
        plant.next_state()
        state = plant.read()
        wanted = start + 0.1 * min(1.0, k / 500) * np.array((1.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0))
        dynamics.update(state.q, state.dq)
        torque = dynamics.mass_matrix() @ (200.0 * (wanted - state.q) - 28.0 * state.dq) + dynamics.bias()
        plant.write(torque)
    assert plant.stop_reason == Stop(0)
    assert plant.success_rate == 1.0
    np.testing.assert_allclose(arm.q - start, 0.1 * np.array((1, 0, 0, 1, 0, -1, 0)), atol=3e-3)
    assert arm.reflex == ""


def test_reflex_stops_the_session_and_is_recovered_by_the_client(arm, served):
    plant = served.armed(rules=ACKNOWLEDGED)
    for _ in range(50):
        plant.next_state()
        plant.write(arm.gravity(arm.q))
    arm.stop("cartesian_reflex")
    ticks = served.session.tick_number
    for _ in range(100):
        served.period()
    # It is looked at further, at the pace of its own clock, and nothing is tried without being asked.
    assert served.session.tick_number == ticks + 100
    assert (served.session.mode, served.session.stop & Stop.PLANT) == (Mode.STOPPED, Stop.PLANT)
    assert "cartesian_reflex" in served.server.fault
    assert arm.n_recoveries == 0
    plant.next_state()
    plant.recover()
    assert arm.n_recoveries == 1
    assert plant.mode is Mode.MONITOR
    plant.arm()
    served.periods(30)
    plant.next_state()
    assert plant.mode is Mode.COMMAND_ACTIVE or plant.stop_reason & Stop.MISSED_IN_A_ROW
    assert arm.reflex == ""


def test_arm_whose_hold_runs_away_is_given_back_to_its_own_controller(arm, served):
    """A desired torque of 0 would drop it slowly, undamped: the arm goes on carrying itself alone."""
    served.periods(100)
    for _ in range(2000):
        arm.load_nm[6] = 12.0 if arm.dq[6] < 4.0 else 0.0  # somebody pushes, below the arm's own reflex
        served.period()
        if served.session.stop & Stop.TORQUE_OFF:
            break
    assert served.session.stop & Stop.TORQUE_OFF
    arm.load_nm[:] = 0.0
    served.period()
    assert arm.control is None
    q, n_desired = arm.q.copy(), len(arm.desires)
    served.periods(500)
    np.testing.assert_array_equal(arm.q, q)
    assert len(arm.desires) == n_desired
    plant = served.connect(rules=ACKNOWLEDGED)
    plant.recover()
    served.periods(300)
    assert (served.session.stop, arm.reflex) == (Stop(0), "")
    assert arm.control is not None
    np.testing.assert_allclose(arm.q, q, atol=1e-3)


def test_unplugged_arm_does_not_make_the_server_spin(arm, served):
    served.periods(3)
    arm.unplugged = True
    before = served.now_ns
    served.periods(50)
    assert served.now_ns - before >= 50 * PERIOD_NS
    assert served.session.stop & Stop.PLANT


def test_recovery_that_nobody_asked_for_is_not_tried(arm, served):
    served.connect(rules=ACKNOWLEDGED)
    arm.stop("cartesian_reflex")
    served.periods(5)
    served.inwards.append((served.codec.pack_command(served.command(np.zeros(7), Flag.RECOVER)), "stranger"))
    served.periods(5)
    assert arm.n_recoveries == 0


# -- the real module ---------------------------------------------------------------------------------


def test_stand_in_has_the_interface_of_the_module():
    """Every name that the adapter uses, its arguments, and what it may be caught as."""
    real = pytest.importorskip("pylibfranka")
    for name in ("FrankaException", "ControlException", "CommandException", "NetworkException"):
        for base in (RuntimeError, Exception):
            fake = getattr(franka_library, name)
            assert issubclass(getattr(real, name), base) == issubclass(fake, base)
    for fake, true in (
        (franka_library.Robot, real.Robot),
        (franka_library.ActiveControl, real.ActiveControlBase),
        (franka_library.Model, real.Model),
    ):
        for name, _ in inspect.getmembers(fake, inspect.isfunction):
            assert name.startswith("__") or hasattr(true, name), name
    for name in ("q", "dq", "tau_J", "tau_J_d", "time"):
        assert hasattr(real.RobotState, name)
    assert hasattr(real.Duration, "to_sec")
    torques = real.Torques([1.0] * 7)
    assert (list(torques.tau_J), torques.motion_finished) == ([1.0] * 7, False)
    assert {member.name for member in franka_library.RealtimeConfig} == set(real.RealtimeConfig.__members__)


def test_real_module_says_that_no_arm_is_there():
    real = pytest.importorskip("pylibfranka")
    with pytest.raises(DriveError, match=r"no Franka arm at 127\.0\.0\.1: .*[Cc]onnection"):
        FrankaPlant(FrankaConfig("127.0.0.1", franka_realtime="ignore"), real)
