"""The way of an arm to the start of its path."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack, closing

import numpy as np
import pytest

from spikearm.controller.ik import InverseKinematics
from spikearm.controller.orientation import multiply
from spikearm.controller.path import LEADING, Reach, Schedule, sample
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ConfigError
from spikearm.launch import lead_in
from spikearm.launch.compose import Control, compose_control
from spikearm.launch.config import RunConfig
from spikearm.launch.lead_in import led_up
from spikearm.records import Pose

DIRECTION = np.array((1.0, 0.5, -0.5, 0.5, 0.5, -0.5, 0.5))


@pytest.fixture
def composed():
    """Makes the parts of a short run."""
    with ExitStack() as made:

        def compose(arm: str, controller: str, **more) -> Control:
            run = RunConfig(
                arm=arm,
                controller=controller,
                **({"distance_m": 0.02, "duration_s": 4.0, "trials": 2} | more),
            )
            control = compose_control(run)
            made.callback(control.close)
            return control

        yield compose


@pytest.fixture(params=[("iiwa14", "osc"), ("fr3", "pid")])
def control(request, composed):
    return composed(*request.param)


def fastest(schedule) -> tuple[float, float]:
    """Largest speeds of the way to the start, of the end effector and of what the joints are drawn to."""
    way = schedule.targets[: schedule.n_leading]
    dt_s = schedule.control_dt_s
    speeds_m_s = np.linalg.norm(np.diff([target.pose.position for target in way], axis=0), axis=1) / dt_s
    q = [target.posture if target.q is None else target.q for target in way]
    return speeds_m_s.max(), np.abs(np.diff(q, axis=0)).max() / dt_s


def swung(control: Control, off_rad: float) -> np.ndarray:
    """Joint angles with the elbow swung until a joint is so far from home, the end effector not moved."""
    dynamics, home = control.dynamics, np.asarray(control.arm.home)
    pose, q, onwards = lead_in.pose_at(control, home), home, None
    while np.abs(q - home).max() < off_rad:
        dynamics.update(q, np.zeros_like(q))
        free = np.linalg.svd(dynamics.jacobian())[2][-1]
        onwards = free if onwards is None else free * np.sign(free @ onwards)
        q = InverseKinematics(dynamics, posture=q + 0.02 * onwards).solve(pose, q)
    return q


def measured(control: Control, schedule: Schedule, q: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Largest speeds of a simulated arm on the way, of end effector and joints; and its joints in the end."""
    speeds, positions = [], []
    with closing(MujocoPlant(control.arm, q0=q)) as plant:
        for target in schedule.targets[: schedule.n_leading]:
            state = plant.read()
            speeds.append(np.abs(state.dq).max())
            positions.append(plant.ee_position())
            plant.write(control.controller.update(state, target).torque)
        end = plant.read().q
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    return steps.max() / schedule.control_dt_s, max(speeds), end


@pytest.mark.parametrize("off_rad", [0.05, 0.3, 0.5])
def test_real_arm_is_led_slowly_from_however_far_and_it_is_said(control, off_rad, caplog):
    q = control.arm.home + off_rad * DIRECTION
    schedule = led_up(control, control.schedule, q, real=True, may_be_long=True)
    speed_m_s, speed_rad_s = fastest(schedule)
    assert speed_m_s < 0.0501
    assert speed_rad_s < 0.2001
    assert "from the start of its path; it is led there first, in " in caplog.text


def test_long_way_of_a_real_arm_is_refused_unless_asked_for(control):
    q = control.arm.home + 0.3 * DIRECTION
    with pytest.raises(ConfigError, match=r"real and stands .* m and up to .* rad from .*--lead-in"):
        led_up(control, control.schedule, q, real=True, may_be_long=False)


def test_real_arm_that_is_very_far_away_is_not_led_at_all(control):
    q = control.arm.home + 2.5 * DIRECTION
    with pytest.raises(ConfigError, match=r"too far to be led there in 20 s\. Move it nearer by hand"):
        led_up(control, control.schedule, q, real=True, may_be_long=True)


def test_simulated_arm_is_led_there_in_a_second_and_it_is_said(control, caplog):
    q = control.arm.home + 0.3 * DIRECTION
    schedule = led_up(control, control.schedule, q, real=False, may_be_long=True)
    assert schedule.n_leading * schedule.control_dt_s == pytest.approx(1.0)
    assert (
        "from the start of its path; it is led there first, in 1.0 s that belong to no reach." in caplog.text
    )
    assert schedule.reach_index[: schedule.n_leading] == (LEADING,) * schedule.n_leading


def test_arm_at_its_start_is_not_led_anywhere(control, caplog):
    q = np.asarray(control.arm.home)
    assert led_up(control, control.schedule, q, real=True, may_be_long=False) is control.schedule
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("moved_m", "turned_rad", "off_rad", "stands"),
    [(0, 0, 0, True), (0, 0.1, 0, False), (0, 0, 0.1, False), (2e-3, 0, 0, False), (5e-4, 5e-3, 5e-3, True)],
)
def test_arm_stands_at_its_start_by_place_orientation_and_joints(
    control, moved_m, turned_rad, off_rad, stands
):
    home = np.asarray(control.arm.home)
    pose = lead_in.pose_at(control, home)
    turn = np.array((np.cos(0.5 * turned_rad), 0.0, 0.0, np.sin(0.5 * turned_rad)))
    start = Pose(pose.position + np.array((moved_m, 0.0, 0.0)), multiply(turn, pose.quaternion))
    still = sample(Reach(start, start, 0.1), 1e-3)
    given = control.schedule.targets[0].q
    if given is not None:  # by its path or, if that leaves joints free, by what the law draws them to
        there = dataclasses.replace(still[0], q=home + off_rad, dq=0 * home, ddq=0 * home)
        still = dataclasses.replace(still, targets=(there, *still.targets[1:]))
    else:
        arm = dataclasses.replace(control.arm, home=tuple(home + off_rad))
        control = dataclasses.replace(control, arm=arm)
    assert (led_up(control, still, home, real=False, may_be_long=True) is still) is stands


LONG = pytest.mark.slow


@pytest.mark.parametrize(
    ("controller", "off_rad"),
    [
        *(("osc", 0.5), ("pid", 0.5), ("adaptive", 1.1)),
        *(pytest.param(name, off, marks=LONG) for name in ("osc", "pid", "adaptive") for off in (0.8, 1.4)),
    ],
)
def test_arm_whose_elbow_is_elsewhere_is_led_as_slowly_as_promised(composed, controller, off_rad):
    control = composed("iiwa14", controller)
    q = swung(control, off_rad)
    with pytest.raises(ConfigError, match=r"stands 0\.000 m and up to .* rad .* with --lead-in"):
        led_up(control, control.schedule, q, real=True, may_be_long=False)
    schedule = led_up(control, control.schedule, q, real=True, may_be_long=True)
    speed_m_s, speed_rad_s, end = measured(control, schedule, q)
    assert speed_m_s < 0.051
    assert speed_rad_s < 0.201
    np.testing.assert_allclose(end, control.arm.home, atol=0.03)


@pytest.mark.parametrize(
    "controller", ["osc", *(pytest.param(name, marks=LONG) for name in ("adaptive", "pid"))]
)
@pytest.mark.parametrize("off_rad", [0.3, pytest.param(0.5, marks=LONG), pytest.param(0.8, marks=LONG)])
def test_arm_that_stands_elsewhere_is_led_as_slowly_as_promised(composed, controller, off_rad):
    control = composed("iiwa14", controller)
    q = control.arm.home + off_rad * DIRECTION
    schedule = led_up(control, control.schedule, q, real=True, may_be_long=True)
    speed_m_s, speed_rad_s, end = measured(control, schedule, q)
    assert speed_m_s < 0.051
    assert speed_rad_s < 0.201
    np.testing.assert_allclose(end, control.arm.home, atol=0.03)


def test_arm_that_reaches_its_start_with_its_elbow_bent_to_the_other_side_is_not_led(composed):
    control = composed("planar2", "osc")
    start, axes = control.schedule[0].pose, control.arm.task_axes
    shoulder, elbow = control.arm.home
    bent = np.array((shoulder + elbow, -elbow))
    q = InverseKinematics(control.dynamics, posture=bent, task_axes=axes).solve(start, bent)
    assert np.abs(q - control.arm.home).max() > 0.5
    with pytest.raises(ConfigError, match=r"stands 0\.000 m and up to .* rad .*too far to be led there"):
        led_up(control, control.schedule, q, real=True, may_be_long=True)


def test_controller_that_draws_joints_to_its_own_posture_does_not_lead_a_real_arm_far(composed):
    control = composed("iiwa14", "spiking-osc")
    q = np.asarray(control.arm.home) + 0.15
    with pytest.raises(ConfigError, match=r"the spiking controller cannot lead it slowly.*--controller osc"):
        led_up(control, control.schedule, q, real=True, may_be_long=True)


@pytest.mark.parametrize("off_rad", [1.4, 2.5])
def test_arm_that_is_only_looked_at_may_stand_however_far(control, off_rad, caplog):
    q = control.arm.home + off_rad * DIRECTION
    schedule = led_up(control, control.schedule, q, real=True, may_be_long=False, monitored=True)
    assert schedule.n_leading == 20_000
    assert "rad from the start of its path, too far to be led there in 20 s." in caplog.text
