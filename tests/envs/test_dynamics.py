"""The controller's model against finite differences and Lagrange's equations."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from spikearm.controller.protocols import ArmDynamics
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import Perturbation
from spikearm.envs.plant import MujocoPlant

STEP = 1e-6


@pytest.fixture
def dynamics(arm):
    return MujocoDynamics(arm)


def pose_at(dynamics, q):
    dynamics.update(q, np.zeros_like(q))
    pose = dynamics.pose()
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, pose.quaternion)
    return pose.position, rotation.reshape(3, 3)


def jacobian_at(dynamics, q):
    dynamics.update(q, np.zeros_like(q))
    return dynamics.jacobian().copy()


def mass_matrix_at(dynamics, q):
    dynamics.update(q, np.zeros_like(q))
    return dynamics.mass_matrix().copy()


def potential_energy(dynamics, q):
    dynamics.update(q, np.zeros_like(q))
    mujoco.mj_energyPos(dynamics._model, dynamics._data)
    return dynamics._data.energy[0]


def test_dynamics_satisfy_the_controllers_protocol(arm):
    dynamics: ArmDynamics = MujocoDynamics(arm)
    missing = [name for name in vars(ArmDynamics) if not name.startswith("_") and not hasattr(dynamics, name)]
    assert not missing


def test_jacobian_matches_finite_differences(dynamics, state):
    q, _ = state
    jacobian = jacobian_at(dynamics, q)
    _, rotation = pose_at(dynamics, q)
    for joint in range(dynamics.n_joints):
        step = np.zeros_like(q)
        step[joint] = STEP
        (x_plus, r_plus), (x_minus, r_minus) = pose_at(dynamics, q + step), pose_at(dynamics, q - step)
        linear = (x_plus - x_minus) / (2 * STEP)
        spin = (r_plus - r_minus) / (2 * STEP) @ rotation.T  # skew-symmetric: dR/dt R^T
        angular = np.array((spin[2, 1], spin[0, 2], spin[1, 0]))
        np.testing.assert_allclose(jacobian[:, joint], np.concatenate((linear, angular)), atol=1e-8)


def test_jacobian_dot_dq_matches_finite_differences(dynamics, state):
    q, dq = state
    plus, minus = jacobian_at(dynamics, q + STEP * dq), jacobian_at(dynamics, q - STEP * dq)
    dynamics.update(q, dq)
    np.testing.assert_allclose(dynamics.jacobian_dot_dq(), (plus - minus) / (2 * STEP) @ dq, atol=1e-7)


def test_pose_is_the_pose_of_the_plant(arm, dynamics):
    plant = MujocoPlant(arm)
    dynamics.update(np.array(arm.home), np.zeros(arm.n_joints))
    np.testing.assert_array_equal(dynamics.pose().position, plant.ee_position())
    np.testing.assert_array_equal(dynamics.pose().quaternion, plant.ee_pose().quaternion)


def test_mass_matrix_is_symmetric_and_positive_definite(dynamics, state):
    mass_matrix = mass_matrix_at(dynamics, state[0])
    np.testing.assert_array_equal(mass_matrix, mass_matrix.T)
    assert np.linalg.eigvalsh(mass_matrix)[0] > 0


def test_mass_matrix_gives_the_kinetic_energy_of_the_bodies(dynamics, state):
    """Sum over the bodies of 1/2 m v^2 + 1/2 w I w, plus the rotors' 1/2 armature dq^2."""
    q, dq = state
    dynamics.update(q, dq)
    model, data = dynamics._model, dynamics._data
    energy = 0.5 * model.dof_armature @ dq**2
    for body in range(1, model.nbody):
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, body, velocity, 1)
        angular, linear = velocity[:3], velocity[3:]  # in the inertial frame, at the centre of mass
        energy += 0.5 * model.body_mass[body] * linear @ linear
        energy += 0.5 * model.body_inertia[body] @ angular**2
    assert 0.5 * dq @ dynamics.mass_matrix() @ dq == pytest.approx(energy, rel=1e-12)


def test_bias_at_rest_is_the_gradient_of_the_potential(dynamics, state):
    q, _ = state
    gradient = np.zeros_like(q)
    for joint in range(len(q)):
        step = np.zeros_like(q)
        step[joint] = 1e-5
        difference = potential_energy(dynamics, q + step) - potential_energy(dynamics, q - step)
        gradient[joint] = difference / 2e-5
    dynamics.update(q, np.zeros_like(q))
    np.testing.assert_allclose(dynamics.bias(), gradient, atol=1e-7)


def test_bias_in_motion_obeys_lagrange(dynamics, state):
    """c = dM/dt dq - 1/2 d(dq M dq)/dq + g + D dq, all derivatives by finite differences."""
    q, dq = state
    rate = mass_matrix_at(dynamics, q + STEP * dq) - mass_matrix_at(dynamics, q - STEP * dq)
    expected = rate / (2 * STEP) @ dq
    for joint in range(len(q)):
        step = np.zeros_like(q)
        step[joint] = STEP
        change = mass_matrix_at(dynamics, q + step) - mass_matrix_at(dynamics, q - step)
        expected[joint] -= 0.5 * dq @ change @ dq / (2 * STEP)
    dynamics.update(q, np.zeros_like(q))
    expected += dynamics.bias() + dynamics._model.dof_damping * dq
    dynamics.update(q, dq)
    np.testing.assert_allclose(dynamics.bias(), expected, atol=1e-6)


def test_dynamics_predict_the_acceleration_of_the_plant(arm, dynamics, state, rng):
    """M ddq + bias = torque, the equation every model-based law stands on."""
    q, dq = state
    torque = rng.uniform(-5, 5, arm.n_joints)
    plant = MujocoPlant(arm)
    plant.model.dof_frictionloss[:] = 0.0  # no function of the state, so no part of the bias
    plant.data.qpos[:], plant.data.qvel[:], plant.data.ctrl[:] = q, dq, torque
    mujoco.mj_forward(plant.model, plant.data)
    dynamics.update(q, dq)
    inverse = dynamics.mass_matrix() @ plant.data.qacc + dynamics.bias()
    np.testing.assert_allclose(inverse, torque, atol=1e-6)


def test_update_answers_for_the_given_state_only(dynamics, state, rng):
    q, dq = state
    dynamics.update(q, dq)
    first = dynamics.bias().copy(), dynamics.mass_matrix().copy(), dynamics.jacobian_dot_dq().copy()
    for _ in range(5):
        dynamics.update(q + rng.normal(size=len(q)), rng.normal(size=len(q)))
    dynamics.update(q, dq)
    for before, now in zip(
        first, (dynamics.bias(), dynamics.mass_matrix(), dynamics.jacobian_dot_dq()), strict=True
    ):
        np.testing.assert_array_equal(before, now)


def test_torque_limits_are_those_of_the_data_sheet():
    limits = MujocoDynamics(ARMS["iiwa14"]).torque_limits
    np.testing.assert_array_equal(limits, (320, 320, 176, 176, 110, 40, 40))


def test_joint_ranges_are_those_of_the_model():
    ranges = MujocoDynamics(ARMS["iiwa14"]).joint_ranges
    np.testing.assert_array_equal(ranges[3], (-2.0944, 2.0944))
    assert ranges.shape == (7, 2)


def test_joint_without_a_stop_has_an_infinite_range(tmp_path):
    path = tmp_path / "arm.xml"
    path.write_text(ARMS["planar2"].path.read_text().replace('range="-2.6 2.6"', ""))
    free = MujocoDynamics(replace(ARMS["planar2"], path=path))
    np.testing.assert_array_equal(free.joint_ranges, [(-np.inf, np.inf)] * 2)


def test_torque_limits_are_a_copy(dynamics):
    dynamics.torque_limits[:] = 0
    assert (dynamics.torque_limits > 0).all()


def test_dynamics_know_nothing_of_the_payload(arm, dynamics, state):
    dynamics.update(*state)
    before = dynamics.mass_matrix().copy(), dynamics.bias().copy()
    plant = MujocoPlant(arm)
    plant.perturb(Perturbation(payload_kg=5.0, gravity_tilt_rad=(0.3, 0.1)))
    plant.write(np.zeros(arm.n_joints))
    dynamics.update(*state)
    np.testing.assert_array_equal(before[0], dynamics.mass_matrix())
    np.testing.assert_array_equal(before[1], dynamics.bias())
    np.testing.assert_array_equal(MujocoDynamics(arm).torque_limits, plant.torque_limits)
