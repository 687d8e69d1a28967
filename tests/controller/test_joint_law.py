import numpy as np
import pytest
from fake_plant import UPRIGHT, ArmPlant, TwoLinkArm, still

from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.joint import JointPID
from spikearm.controller.protocols import Target
from spikearm.errors import ConfigError
from spikearm.records import JointState, Pose

GOAL = np.array((0.4, 0.8))
POSE = Pose(np.zeros(3), UPRIGHT)


def simulate(law, plant, target, n_ticks, *, limits=(np.inf, np.inf), disturbance=(0.0, 0.0)):
    """The arm under a law whose torque is clipped; returns the joint angles of all ticks."""
    angles = []
    for _ in range(n_ticks):
        output = law.compute(plant.state, target)
        wanted = output.task + output.support
        torque = np.clip(wanted, -np.asarray(limits), limits)
        law.notify_saturated(bool((torque != wanted).any()))
        plant.step(torque + disturbance)
        angles.append(plant.q)
    return np.array(angles)


def test_pd_drives_the_arm_to_the_target():
    law = JointPID(TwoLinkArm(), Gains(kp=100.0), dt_s=1e-3)
    angles = simulate(law, ArmPlant(np.zeros(2)), still(POSE, GOAL), 2000)
    np.testing.assert_allclose(angles[-1], GOAL, atol=1e-6)
    assert (angles < GOAL + 5e-3).all()  # critically damped


def test_every_joint_closes_its_loop_with_the_same_dynamics():
    law = JointPID(TwoLinkArm(), Gains(kp=100.0), dt_s=1e-4)
    q = simulate(law, ArmPlant(np.zeros(2), dt_s=1e-4), still(POSE, GOAL), 3000)
    t = np.arange(1, 3001)[:, None] * 1e-4
    critically_damped = GOAL * (1 - (1 + 10 * t) * np.exp(-10 * t))
    np.testing.assert_allclose(q, critically_damped, atol=2e-3)


def test_perfect_tracking_needs_no_task_torque():
    arm = TwoLinkArm()
    law = JointPID(arm, Gains(), dt_s=1e-3)
    q, dq, ddq = np.array((0.3, 0.7)), np.array((0.5, -1.0)), np.array((2.0, 3.0))
    output = law.compute(JointState(q, dq, 0.0), Target(POSE, np.zeros(6), np.zeros(6), q, dq, ddq))
    np.testing.assert_allclose(output.task, 0.0, atol=1e-14)
    arm.update(q, dq)
    np.testing.assert_allclose(output.support, arm.mass_matrix() @ ddq + arm.bias())


def test_integral_removes_the_error_of_a_constant_disturbance():
    final = {}
    for ki in (0.0, 400.0):
        law = JointPID(TwoLinkArm(), Gains(kp=100.0, ki=ki), dt_s=1e-3)
        plant = ArmPlant(GOAL)
        final[ki] = np.abs(
            simulate(law, plant, still(POSE, GOAL), 4000, disturbance=(-5.0, -2.0))[-1] - GOAL
        ).max()
    assert final[0.0] > 5e-3
    assert final[400.0] < 1e-4


class WindingPID(JointPID):
    """The same law, deaf to saturation."""

    def notify_saturated(self, saturated: bool) -> None:
        pass


def test_anti_windup_shortens_the_overshoot():
    overshoot = {}
    for kind in (JointPID, WindingPID):
        law = kind(TwoLinkArm(), Gains(kp=100.0, ki=400.0), dt_s=1e-3)
        # Just enough torque to hold the arm up: it takes long, and a careless integral grows all the while.
        angles = simulate(law, ArmPlant(np.zeros(2)), still(POSE, GOAL), 4000, limits=(36.0, 7.5))
        overshoot[kind] = (angles - GOAL).max()
    assert overshoot[WindingPID] > 0.1
    assert overshoot[JointPID] < 0.5 * overshoot[WindingPID]


def test_integral_does_not_grow_while_saturated():
    law = JointPID(TwoLinkArm(), Gains(kp=0.0, kd=0.0, ki=10.0), dt_s=1e-3)
    state = JointState(np.zeros(2), np.zeros(2), 0.0)
    first = law.compute(state, still(POSE, GOAL)).task
    law.notify_saturated(True)
    np.testing.assert_array_equal(law.compute(state, still(POSE, GOAL)).task, first)
    law.notify_saturated(False)
    assert (law.compute(state, still(POSE, GOAL)).task > first).all()


def test_integral_may_unwind_while_saturated():
    law = JointPID(TwoLinkArm(), Gains(kp=0.0, kd=0.0, ki=10.0), dt_s=1e-3)
    state = JointState(np.zeros(2), np.zeros(2), 0.0)
    for _ in range(10):
        wound = law.compute(state, still(POSE, GOAL)).task
    law.notify_saturated(True)
    assert (law.compute(state, still(POSE, -GOAL)).task < wound).all()


def test_integral_is_bounded():
    arm = TwoLinkArm()
    law = JointPID(arm, Gains(kp=0.0, kd=0.0, ki=1e6), dt_s=1e-3, integral_limit=2.0)
    state = JointState(np.zeros(2), np.zeros(2), 0.0)
    for _ in range(5):
        task = law.compute(state, still(POSE, GOAL)).task
    np.testing.assert_allclose(np.linalg.solve(arm.mass_matrix(), task), (2.0, 2.0))


def test_reset_forgets_the_integral():
    law = JointPID(TwoLinkArm(), Gains(kp=0.0, kd=0.0, ki=10.0), dt_s=1e-3)
    state = JointState(np.zeros(2), np.zeros(2), 0.0)
    first = law.compute(state, still(POSE, GOAL)).task
    law.compute(state, still(POSE, GOAL))
    law.notify_saturated(True)
    law.reset()
    np.testing.assert_array_equal(law.compute(state, still(POSE, GOAL)).task, first)


def test_target_without_joint_reference_is_refused():
    law = JointPID(TwoLinkArm(), Gains(), dt_s=1e-3)
    with pytest.raises(
        ConfigError, match=r"needs q, dq and ddq in its target; plan them with .*joint_reference"
    ):
        law.compute(JointState(np.zeros(2), np.zeros(2), 0.0), still(POSE))


@pytest.mark.parametrize("gains", [{"kp": -1.0}, {"kd": np.nan}, {"ki": np.inf}])
def test_impossible_gains_are_refused(gains):
    with pytest.raises(ConfigError, match=r"gain k[pdi] must be a number of at least 0, not"):
        Gains(**gains)


def test_default_damping_is_critical():
    assert Gains(kp=100.0).damping == pytest.approx(20.0)
    assert Gains(kp=100.0, kd=3.0).damping == 3.0
