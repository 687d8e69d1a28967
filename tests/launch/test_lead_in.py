"""The way of an arm to the start of its path."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.controller.path import LEADING
from spikearm.controller.protocols import Target
from spikearm.errors import ConfigError
from spikearm.launch import lead_in
from spikearm.launch.compose import compose_control
from spikearm.launch.config import RunConfig
from spikearm.launch.lead_in import led_up
from spikearm.records import Pose

DIRECTION = np.array((1.0, 0.5, -0.5, 0.5, 0.5, -0.5, 0.5))


@pytest.fixture(params=[("iiwa14", "osc"), ("fr3", "pid")])
def control(request):
    arm, controller = request.param
    control = compose_control(
        RunConfig(arm=arm, controller=controller, distance_m=0.02, duration_s=4.0, trials=2)
    )
    yield control
    control.close()


def fastest(schedule) -> tuple[float, float]:
    """Largest speeds of the way to the start, of the end effector and of the joints' references."""
    way = schedule.targets[: schedule.n_leading + 1]
    dt_s = schedule.control_dt_s
    speeds_m_s = np.linalg.norm(np.diff([target.pose.position for target in way], axis=0), axis=1) / dt_s
    q = [target.q for target in way if target.q is not None]
    return speeds_m_s.max(), np.abs(np.diff(q, axis=0)).max() / dt_s if q else 0.0


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
    ("change", "stands"),
    [({}, True), ({"turned": 0.1}, False), ({"q": 0.1}, False), ({"moved": 2e-3}, False)],
)
def test_arm_stands_at_its_start_by_place_orientation_and_joints(change, stands):
    turned, half = change.get("turned", 0.0), 0.5
    pose = Pose(
        np.array((change.get("moved", 0.0), 0.0, 0.0)),
        np.array((np.cos(half * turned), 0.0, 0.0, np.sin(half * turned))),
    )
    start = Target(Pose(np.zeros(3), np.array((1.0, 0.0, 0.0, 0.0))), np.zeros(6), np.zeros(6), q=np.zeros(2))
    assert lead_in._stands_at(start, pose, np.array((0.0, change.get("q", 0.0)))) is stands
