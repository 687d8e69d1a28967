import dataclasses
import math

import numpy as np
import pytest
from fake_plant import ArmPlant, TwoLinkArm, still

from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.osc import OperationalSpace
from spikearm.controller.orientation import from_rotation_vector, multiply, rotation_error
from spikearm.controller.path import out_and_back, sample
from spikearm.controller.protocols import Target
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ConfigError, ModelError
from spikearm.records import JointState, Pose

XY = (True, True, False, False, False, False)
HOME = np.array(ARMS["iiwa14"].home)
# At home the axes of joints 5 and 7 coincide, and their opposite turning is all that the task leaves free.
BENT = np.array((0.2, 0.8, 0.3, -1.4, 0.4, 0.9, 0.1))


@pytest.fixture
def iiwa():
    return MujocoDynamics(ARMS["iiwa14"])


def law_for(dynamics, posture=HOME, **more):
    return OperationalSpace(dynamics, Gains(kp=150.0), dt_s=1e-3, posture=posture, **more)


def pose_at(dynamics, q) -> Pose:
    dynamics.update(q, np.zeros_like(q))
    return dynamics.pose()


def iiwa_jacobian(dynamics, q):
    dynamics.update(q, np.zeros_like(q))
    return dynamics.jacobian()


def acceleration(dynamics, state, torque):
    """Acceleration of the end effector that this torque makes, shape (6,)."""
    dynamics.update(state.q, state.dq)
    ddq = np.linalg.solve(dynamics.mass_matrix(), torque - dynamics.bias())
    return dynamics.jacobian() @ ddq + dynamics.jacobian_dot_dq()


def random_state(rng) -> JointState:
    return JointState(HOME + rng.uniform(-0.4, 0.4, 7), rng.uniform(-1, 1, 7), 0.0)


def test_end_effector_accelerates_exactly_as_demanded(iiwa, rng):
    law = law_for(iiwa)
    for _ in range(20):
        state = random_state(rng)
        actual = pose_at(iiwa, state.q)
        pose = Pose(
            actual.position + rng.uniform(-0.1, 0.1, 3),
            multiply(from_rotation_vector(rng.uniform(-0.5, 0.5, 3)), actual.quaternion),
        )
        target = Target(pose, rng.normal(size=6), rng.normal(size=6))
        output = law.compute(state, target)
        error = np.concatenate(
            (pose.position - actual.position, rotation_error(actual.quaternion, pose.quaternion))
        )
        iiwa.update(state.q, state.dq)
        rate = target.velocity - iiwa.jacobian() @ state.dq
        demanded = target.acceleration + 150.0 * error + 2 * math.sqrt(150.0) * rate
        np.testing.assert_allclose(
            acceleration(iiwa, state, output.task + output.support), demanded, rtol=1e-6, atol=1e-6
        )


def test_published_form_is_its_formula(iiwa, rng):
    law = law_for(iiwa, feedforward=False)
    for _ in range(20):
        state = random_state(rng)
        target = Target(pose_at(iiwa, HOME), rng.normal(size=6), rng.normal(size=6))
        output = law.compute(state, target)
        iiwa.update(state.q, np.zeros(7))
        J, M, gravity, pose = iiwa.jacobian(), iiwa.mass_matrix(), iiwa.bias(), iiwa.pose()
        Mx = np.linalg.inv(J @ np.linalg.inv(M) @ J.T)
        Jbar = np.linalg.inv(M) @ J.T @ Mx
        error = np.concatenate(
            (
                target.pose.position - pose.position,
                rotation_error(pose.quaternion, target.pose.quaternion),
            )
        )
        task = J.T @ Mx @ (150.0 * error) - 2 * math.sqrt(150.0) * M @ state.dq
        null_space = (np.eye(7) - J.T @ Jbar.T) @ (M @ (10.0 * (HOME - state.q)))
        np.testing.assert_allclose(output.task, task, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(output.support, gravity + null_space, rtol=1e-8, atol=1e-8)


def test_published_form_lags_behind_by_damping_over_stiffness_times_velocity():
    law = OperationalSpace(
        TwoLinkArm(), Gains(kp=100.0), dt_s=1e-3, posture=np.zeros(2), task_axes=XY, feedforward=False
    )
    plant, velocity = ArmPlant(np.array((0.2, 1.4))), np.array((0.01, 0.02, 0.0))
    start = plant.pose()
    for tick in range(1000):
        target = Pose(start.position + tick * 1e-3 * velocity, start.quaternion)
        output = law.compute(plant.state, still(target))
        plant.step(output.task + output.support)
    np.testing.assert_allclose(target.position - plant.pose().position, 0.2 * velocity, atol=5e-5)


def test_null_space_torque_does_not_accelerate_the_end_effector(iiwa, rng):
    for _ in range(20):
        state = JointState(BENT + rng.uniform(-0.3, 0.3, 7), rng.uniform(-1, 1, 7), 0.0)
        target = still(pose_at(iiwa, state.q))
        one = law_for(iiwa, posture=BENT).compute(state, target)
        other = law_for(iiwa, posture=BENT + np.array((1.0, 0, -1.0, 0, 1.0, 0, -1.0))).compute(state, target)
        null_torque = other.support - one.support
        iiwa.update(state.q, state.dq)
        assert np.linalg.norm(null_torque) > 0.1
        moved = iiwa.jacobian() @ np.linalg.solve(iiwa.mass_matrix(), null_torque)
        np.testing.assert_allclose(moved, 0.0, atol=1e-9)


def test_part_of_a_torque_on_the_task_accelerates_the_end_effector_as_the_whole_does(iiwa, rng):
    law = law_for(iiwa)
    for _ in range(5):
        state = random_state(rng)
        onto_task = law.compute(state, still(pose_at(iiwa, HOME))).onto_task
        torque = rng.normal(size=7)
        iiwa.update(state.q, state.dq)
        whole, part = (
            iiwa.jacobian() @ np.linalg.solve(iiwa.mass_matrix(), u) for u in (torque, onto_task @ torque)
        )
        np.testing.assert_allclose(part, whole, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(onto_task @ onto_task, onto_task, atol=1e-6)
        assert np.linalg.matrix_rank(onto_task, tol=1e-6) == 6


def test_task_is_zero_at_the_goal_and_support_is_not(iiwa):
    state = JointState(BENT, np.zeros(7), 0.0)
    output = law_for(iiwa, posture=BENT + 0.5).compute(state, still(pose_at(iiwa, BENT)))
    np.testing.assert_allclose(output.task, 0.0, atol=1e-12)
    gravity = iiwa.bias()
    assert np.linalg.norm(gravity) > 10.0
    assert np.linalg.norm(output.support - gravity) > 0.1  # the posture's share


def test_task_does_not_depend_on_posture_or_feed_forward(iiwa, rng):
    state = random_state(rng)
    pose = pose_at(iiwa, HOME)
    still_there = law_for(iiwa).compute(state, still(pose))
    moving = Target(pose, np.zeros(6), np.array((1.0, -2.0, 3.0, 0.1, 0.2, 0.3)))
    moving_on = law_for(iiwa, posture=HOME + 0.5).compute(state, moving)
    np.testing.assert_array_equal(moving_on.task, still_there.task)


def test_regulation_converges_in_position_and_orientation(iiwa):
    law = law_for(iiwa)
    start = pose_at(iiwa, HOME)
    goal = Pose(
        start.position + np.array((-0.1, 0.1, 0.05)),
        multiply(from_rotation_vector(np.array((0.2, 0.1, -0.3))), start.quaternion),
    )
    plant = MujocoPlant(ARMS["iiwa14"])
    for _ in range(1500):
        output = law.compute(plant.read(), still(goal))
        plant.write(output.task + output.support)
    reached = plant.ee_pose()
    np.testing.assert_allclose(reached.position, goal.position, atol=1e-4)
    np.testing.assert_allclose(rotation_error(reached.quaternion, goal.quaternion), 0.0, atol=1e-3)


def test_reach_is_tracked_within_three_millimetres(iiwa):
    law = law_for(iiwa)
    plant = MujocoPlant(ARMS["iiwa14"])
    path = out_and_back(plant.ee_pose(), np.array((0.0, 1.0, 0.0)), 0.2, n_reaches=2, duration_s=0.8)
    squares = []
    for target in sample(path, plant.dt_s):
        squares.append(float(np.sum((plant.ee_position() - target.pose.position) ** 2)))
        output = law.compute(plant.read(), target)
        plant.write(output.task + output.support)
    assert math.sqrt(np.mean(squares)) < 3e-3


def test_posture_is_approached_where_the_task_allows(iiwa):
    plant = MujocoPlant(ARMS["iiwa14"], q0=BENT)
    target = still(plant.ee_pose())
    away = np.linalg.svd(iiwa_jacobian(iiwa, BENT))[2][6]  # the elbow's swivel
    posture = BENT + 0.4 * away
    law = law_for(iiwa, posture=posture)
    before = np.linalg.norm(plant.read().q - posture)
    for _ in range(2000):
        output = law.compute(plant.read(), target)
        plant.write(output.task + output.support)
    assert np.linalg.norm(plant.read().q - posture) < 0.2 * before
    assert np.linalg.norm(plant.ee_position() - target.pose.position) < 1e-3


def test_posture_of_a_target_takes_the_place_of_the_laws_own(iiwa):
    state, elsewhere = JointState(BENT, np.full(7, 0.1), 0.0), BENT + 0.3
    target = still(pose_at(iiwa, BENT))
    told = law_for(iiwa).compute(state, dataclasses.replace(target, posture=elsewhere))
    its_own = law_for(iiwa, posture=elsewhere).compute(state, target)
    np.testing.assert_array_equal(told.support, its_own.support)
    np.testing.assert_array_equal(told.task, its_own.task)


def test_planar_arm_controls_the_axes_it_has():
    arm = TwoLinkArm()
    goal = np.array((0.5, 1.1))
    law = OperationalSpace(arm, Gains(kp=100.0), dt_s=1e-3, posture=np.zeros(2), task_axes=XY)
    plant = ArmPlant(np.array((0.2, 1.4)))
    target = still(Pose(np.array((*goal, 0.0)), np.array((1.0, 0.0, 0.0, 0.0))))
    for _ in range(2000):
        output = law.compute(plant.state, target)
        plant.step(output.task + output.support)
    np.testing.assert_allclose(plant.pose().position[:2], goal, atol=1e-6)


def test_torque_stays_bounded_through_a_singularity():
    # The stretched arm cannot accelerate along itself; undamped, the torque goes like 1 / sin(q2).
    arm = TwoLinkArm()
    law = OperationalSpace(arm, Gains(kp=100.0), dt_s=1e-3, posture=np.zeros(2), task_axes=XY)
    torques = []
    for elbow in np.concatenate((np.geomspace(1e-1, 1e-12, 200), [0.0])):
        q = np.array((0.3, elbow))
        arm.update(q, np.zeros(2))
        inward = 0.1 * np.array((math.cos(0.3), math.sin(0.3), 0.0))
        target = still(Pose(arm.pose().position - inward, np.array((1.0, 0.0, 0.0, 0.0))))
        torques.append(law.compute(JointState(q, np.zeros(2), 0.0), target).task)
    assert np.isfinite(torques).all()
    # Mobility floor 1e-4 of the largest: at most about 1.21 / floor of inertia (see the next test).
    assert np.linalg.norm(torques, axis=1).max() < 2000.0
    assert np.linalg.norm(torques[-1]) < 1e-6


def plain_formula(dynamics, gains, posture, state, target, axes, feedforward):
    """Task and support torque as the law is written down, and the condition of the damped mobility."""
    dynamics.update(state.q, state.dq if feedforward else np.zeros_like(state.dq))
    axes, J, M, pose = np.flatnonzero(axes), dynamics.jacobian(), dynamics.mass_matrix(), dynamics.pose()
    J, n = J[axes], len(state.q)
    minv_jt = np.linalg.solve(M, J.T)
    values, vectors = np.linalg.eigh(J @ minv_jt)
    floor = 1e-4 * values[-1]
    condition = values[-1] / max(values[0], floor)
    inverse = values / (values**2 + np.maximum(0.0, floor - values) ** 2)
    jt_mx = J.T @ (vectors * inverse) @ vectors.T
    turn = rotation_error(pose.quaternion, target.pose.quaternion)
    error = np.concatenate((target.pose.position - pose.position, turn))[axes]
    pull = 10.0 * (posture - state.q) - feedforward * 2 * math.sqrt(10.0) * state.dq
    support = dynamics.bias() + (np.eye(n) - jt_mx @ minv_jt.T) @ M @ pull
    if not feedforward:
        return jt_mx @ (gains.kp * error) - gains.damping * M @ state.dq, support, condition
    rate = target.velocity[axes] - J @ state.dq
    drift = (target.acceleration - dynamics.jacobian_dot_dq())[axes]
    return jt_mx @ (gains.kp * error + gains.damping * rate), support + jt_mx @ drift, condition


@pytest.mark.parametrize("feedforward", [True, False])
@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("iiwa14", (True,) * 6),
        ("iiwa14", (True, True, True, False, False, False)),
        ("ur5e", (True,) * 6),
        ("ur5e", (True, False, True, False, True, False)),
        ("planar3", (True,) * 6),
        ("planar2", ARMS["planar2"].task_axes),
        ("planar2", (True,) * 6),
    ],
)
def test_torques_are_those_of_the_plain_formula(name, axes, feedforward, rng):
    dynamics, gains = MujocoDynamics(ARMS[name]), Gains(kp=150.0)
    n, home = dynamics.n_joints, np.array(ARMS[name].home)
    law = OperationalSpace(dynamics, gains, dt_s=1e-3, posture=home, task_axes=axes, feedforward=feedforward)
    for _ in range(50):
        state = JointState(home + rng.uniform(-1.5, 1.5, n), rng.uniform(-1, 1, n), 0.0)
        target = Target(pose_at(dynamics, home), rng.normal(size=6), rng.normal(size=6))
        output = law.compute(state, target)
        plain = plain_formula(dynamics, gains, home, state, target, axes, feedforward)
        # Rounding of either way grows with the condition, which the damping bounds by 1e4.
        allowed = max(1e-12, 4 * np.finfo(float).eps * plain[2])
        for torque, expected in ((output.task, plain[0]), (output.support, plain[1])):
            np.testing.assert_allclose(torque, expected, rtol=0, atol=allowed * np.abs(expected).max())


@pytest.mark.parametrize("broken", [np.array(((1.0, 2.0), (2.0, 1.0))), np.full((2, 2), np.nan)])
def test_mass_matrix_that_is_none_is_refused(broken):
    arm = TwoLinkArm()
    law = OperationalSpace(arm, Gains(), dt_s=1e-3, posture=np.zeros(2), task_axes=XY)
    target = still(arm.pose())
    arm.mass_matrix = lambda: broken
    with pytest.raises(
        ModelError, match=r"mass matrix at joint angles \[0. 0.\] rad is not positive definite"
    ):
        law.compute(JointState(np.zeros(2), np.zeros(2), 0.0), target)


@pytest.mark.parametrize("axes", [(True, True, True), (False,) * 6])
def test_wrong_task_axes_are_refused(iiwa, axes):
    with pytest.raises(ConfigError, match="task_axes are six flags"):
        law_for(iiwa, task_axes=axes)


@pytest.mark.parametrize("feedforward", [True, False])
def test_integral_removes_the_error_of_a_constant_disturbance(feedforward):
    final = {}
    for ki in (0.0, 400.0):
        law = OperationalSpace(
            TwoLinkArm(),
            Gains(kp=100.0, ki=ki),
            dt_s=1e-3,
            posture=np.zeros(2),
            task_axes=XY,
            feedforward=feedforward,
        )
        plant = ArmPlant(np.array((0.2, 1.4)))
        target = still(plant.pose())
        for _ in range(4000):
            output = law.compute(plant.state, target)
            plant.step(output.task + output.support + np.array((-5.0, -2.0)))
        final[ki] = np.abs(plant.pose().position - target.pose.position).max()
    assert final[0.0] > 5e-3
    assert final[400.0] < 1e-4


def test_integral_stands_still_while_saturated_until_reset(iiwa):
    law = OperationalSpace(iiwa, Gains(kp=0.0, kd=0.0, ki=10.0), dt_s=1e-3, posture=HOME)
    pose = pose_at(iiwa, BENT)
    state = JointState(HOME, np.zeros(7), 0.0)
    first = law.compute(state, still(pose)).task
    law.notify_saturated(True)
    np.testing.assert_array_equal(law.compute(state, still(pose)).task, first)
    law.reset()
    np.testing.assert_array_equal(law.compute(state, still(pose)).task, first)
    assert np.linalg.norm(law.compute(state, still(pose)).task) > 1.9 * np.linalg.norm(first)


def test_law_without_integral_keeps_no_memory_between_ticks(iiwa, rng):
    law = law_for(iiwa)
    states = [random_state(rng) for _ in range(2)]
    target = still(pose_at(iiwa, HOME))
    first = law.compute(states[0], target)
    kept = first.task.copy(), first.support.copy()
    law.compute(states[1], target)
    np.testing.assert_array_equal(first.task, kept[0])
    np.testing.assert_array_equal(first.support, kept[1])
    law.reset()
    np.testing.assert_array_equal(law.compute(states[0], target).task, kept[0])


def test_integral_gain_may_change_between_two_ticks_and_keeps_what_was_summed_up(iiwa):
    law = OperationalSpace(iiwa, Gains(kp=0.0, kd=0.0, ki=10.0), dt_s=1e-3, posture=HOME)
    state, target = JointState(HOME, np.zeros(7), 0.0), still(pose_at(iiwa, BENT))
    law.compute(state, target)
    law.gains = Gains(kp=0.0, kd=0.0)
    before = law.compute(state, target).task
    assert np.abs(before).max() > 0.0
    np.testing.assert_array_equal(law.compute(state, target).task, before)
