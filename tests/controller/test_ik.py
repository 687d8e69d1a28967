import numpy as np
import pytest
from fake_plant import TwoLinkArm

from spikearm.controller.ik import InverseKinematics, joint_reference
from spikearm.controller.orientation import rotation_error
from spikearm.controller.path import Reach, out_and_back, sample
from spikearm.controller.protocols import ArmDynamics
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError, UnreachableError
from spikearm.records import Pose

XY = (True, True, False, False, False, False)
HOME = np.array(ARMS["iiwa14"].home)


@pytest.fixture(scope="module")
def iiwa():
    return MujocoDynamics(ARMS["iiwa14"])


def pose_at(dynamics: ArmDynamics, q) -> Pose:
    dynamics.update(q, np.zeros_like(q))
    pose = dynamics.pose()
    return Pose(pose.position.copy(), pose.quaternion.copy())


@pytest.fixture
def reference(iiwa):
    start = pose_at(iiwa, HOME)
    path = out_and_back(start, np.array((0.3, 1.0, -0.5)), 0.2, n_reaches=4, duration_s=0.4)
    return joint_reference(sample(path, 1e-3), iiwa, HOME)


def test_solve_finds_joint_angles_of_random_poses(iiwa, rng):
    for _ in range(20):
        pose = pose_at(iiwa, HOME + rng.uniform(-0.6, 0.6, 7))
        q = InverseKinematics(iiwa, posture=HOME).solve(pose, HOME)
        reached = pose_at(iiwa, q)
        np.testing.assert_allclose(reached.position, pose.position, atol=1e-6)
        np.testing.assert_allclose(rotation_error(reached.quaternion, pose.quaternion), 0.0, atol=1e-6)


def test_solve_stays_as_near_to_the_posture_as_the_pose_allows(iiwa, rng):
    pose = pose_at(iiwa, HOME + rng.uniform(-0.3, 0.3, 7))
    q = InverseKinematics(iiwa, posture=HOME).solve(pose, HOME)
    iiwa.update(q, np.zeros(7))
    # At the nearest point, what is left of the way to the posture lies in the rows of the Jacobian.
    free = np.linalg.svd(iiwa.jacobian())[2][6:]
    np.testing.assert_allclose(free @ (HOME - q), 0.0, atol=1e-6)


def test_solve_agrees_with_the_two_link_arms_closed_form():
    arm = TwoLinkArm()
    goal = Pose(np.array((0.7, 0.9, 0.0)), np.array((1.0, 0.0, 0.0, 0.0)))
    q = InverseKinematics(arm, posture=np.array((0.3, 1.0)), task_axes=XY).solve(goal, np.array((0.3, 1.0)))
    elbow = np.arccos((0.7**2 + 0.9**2 - arm.l1**2 - arm.l2**2) / (2 * arm.l1 * arm.l2))
    shoulder = np.arctan2(0.9, 0.7) - np.arctan2(arm.l2 * np.sin(elbow), arm.l1 + arm.l2 * np.cos(elbow))
    np.testing.assert_allclose(q, (shoulder, elbow), atol=1e-9)


def test_reference_follows_the_pose(iiwa, reference):
    for target in list(reference)[::20]:
        pose = pose_at(iiwa, target.q)
        np.testing.assert_allclose(pose.position, target.pose.position, atol=1e-6)
        np.testing.assert_allclose(rotation_error(pose.quaternion, target.pose.quaternion), 0.0, atol=1e-6)


def test_reference_velocity_and_acceleration_are_those_of_the_pose(iiwa, reference):
    for target in list(reference)[5:-5:20]:
        iiwa.update(target.q, target.dq)
        np.testing.assert_allclose(iiwa.jacobian() @ target.dq, target.velocity, atol=1e-5)
        acceleration = iiwa.jacobian() @ target.ddq + iiwa.jacobian_dot_dq()
        np.testing.assert_allclose(acceleration, target.acceleration, atol=2e-3)


def test_reference_derivatives_match_finite_differences(reference):
    q, dq, ddq = (np.array([getattr(t, name) for t in reference]) for name in ("q", "dq", "ddq"))
    np.testing.assert_allclose(np.gradient(q, 1e-3, axis=0)[2:-2], dq[2:-2], atol=2e-4)
    # The jerk jumps where a reach turns round: there the difference quotient itself is off by a tick of it.
    np.testing.assert_allclose(np.gradient(dq, 1e-3, axis=0)[2:-2], ddq[2:-2], atol=0.02 * np.abs(ddq).max())


def test_reference_comes_back_to_the_same_joint_angles(reference):
    np.testing.assert_allclose(reference[800].q, reference[0].q, atol=1e-9)


def test_unreachable_target_says_how_far_and_when():
    arm = TwoLinkArm()
    start = pose_at(arm, np.array((0.3, 1.0)))
    far = Pose(np.array((3.0, 0.0, 0.0)), start.quaternion)
    schedule = sample(Reach(start, far, 0.1), 1e-2)
    with pytest.raises(UnreachableError, match=r"tick \d+: the arm cannot reach .* m and 0 rad away"):
        joint_reference(schedule, arm, np.array((0.3, 1.0)), task_axes=XY)


def test_wrong_task_axes_are_refused(iiwa):
    with pytest.raises(ConfigError, match="task_axes are six flags"):
        InverseKinematics(iiwa, posture=HOME, task_axes=(True,) * 3)


def test_a_single_tick_has_no_velocity(iiwa):
    start = pose_at(iiwa, HOME)
    with pytest.raises(ConfigError, match="at least two ticks"):
        joint_reference(sample(Reach(start, start, 1.0), 1e-3, n_ticks=1), iiwa, HOME)
