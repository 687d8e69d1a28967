"""Every perturbation: its exact effect, its switching, its end."""

import mujoco
import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.payload import BODY
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.perturbed_model import tilt
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ConfigError

CURL = ((0.0, 15.0, 9.0), (-15.0, 0.0, 5.0), (-9.0, -5.0, 0.0))  # B^T = -B: force across the motion
EVERY = {
    "payload": Perturbation(payload_kg=0.907),
    "payload off centre": Perturbation(payload_kg=0.907, payload_offset_m=(0.05, 0.02, 0.08)),
    "friction": Perturbation(joint_friction=1.5),
    "damping": Perturbation(joint_damping=2.0),
    "gain": Perturbation(actuator_gain=0.8),
    "tilt": Perturbation(gravity_tilt_rad=(0.2, -0.15)),
    "force": Perturbation(force_n=(4.0, -3.0, 6.0)),
    "field": Perturbation(force_field=CURL),
    "noise of angles": Perturbation(sensor_noise_q_rad=1e-3),
    "noise of velocities": Perturbation(sensor_noise_dq_rad_s=1e-2),
    "delay": Perturbation(delay_s=0.005),
}


@pytest.fixture(params=list(EVERY))
def perturbation(request):
    return EVERY[request.param]


def roll(plant, torques):
    states = []
    for torque in torques:
        plant.write(torque)
        state = plant.read()
        states.append((state.q, state.dq))
    return np.array(states)


def torques_for(arm, n=80):
    return np.random.default_rng(3).uniform(-8, 8, (n, arm.n_joints))


def place(plant, q, dq):
    plant.data.qpos[:], plant.data.qvel[:] = q, dq
    mujoco.mj_forward(plant.model, plant.data)


def payload_jacobian(plant):
    jacobian = np.zeros((6, plant.model.nv))
    body = plant.model.body(BODY).id
    mujoco.mj_jacBodyCom(plant.model, plant.data, jacobian[:3], jacobian[3:], body)
    return jacobian


def inertia(plant):
    mass_matrix = np.zeros((plant.model.nv,) * 2)
    mujoco.mj_fullM(plant.model, plant.data, mass_matrix)
    return mass_matrix


@pytest.mark.parametrize(
    ("arm", "name"),
    [(arm, name) for arm in ARMS for name in EVERY if (arm, name) != ("planar1", "field")],
    indirect=["arm"],
)
def test_every_perturbation_has_an_effect(arm, name):
    perturbation = EVERY[name]
    torques = torques_for(arm)
    nominal = roll(MujocoPlant(arm), torques)
    perturbed = roll(MujocoPlant(arm, perturbation=perturbation), torques)
    assert np.abs(perturbed - nominal).max() > 1e-4


def test_force_across_the_motion_does_nothing_to_an_arm_with_one_way_to_move():
    arm = ARMS["planar1"]
    torques = torques_for(arm)
    pushed = roll(MujocoPlant(arm, perturbation=EVERY["field"]), torques)
    np.testing.assert_allclose(pushed, roll(MujocoPlant(arm), torques), atol=1e-12)


def test_switching_back_restores_the_nominal_arm(arm, perturbation):
    torques = torques_for(arm)
    plant = MujocoPlant(arm, perturbation=perturbation)
    roll(plant, torques)
    plant.perturb(NO_PERTURBATION)
    plant.reset()
    np.testing.assert_array_equal(roll(plant, torques), roll(MujocoPlant(arm), torques))


def test_switching_moves_neither_the_arm_nor_the_clock(arm, perturbation):
    plant = MujocoPlant(arm)
    roll(plant, torques_for(arm))
    q, dq, time_s = plant.data.qpos.copy(), plant.data.qvel.copy(), plant.data.time
    position, reading = plant.ee_position(), plant.read()
    plant.perturb(perturbation)
    np.testing.assert_array_equal(plant.data.qpos, q)
    np.testing.assert_array_equal(plant.data.qvel, dq)
    assert plant.data.time == time_s
    assert plant.read().t_s == reading.t_s
    np.testing.assert_array_equal(plant.read().q, reading.q)
    np.testing.assert_array_equal(plant.ee_position(), position)


def test_perturbing_by_the_same_again_is_no_event(arm, perturbation):
    torques = torques_for(arm, n=40)
    plant, undisturbed = (MujocoPlant(arm, perturbation=perturbation, seed=2) for _ in range(2))
    first = roll(plant, torques)
    plant.perturb(perturbation)
    states = np.concatenate((first, roll(plant, torques)))
    np.testing.assert_array_equal(states, roll(undisturbed, np.concatenate((torques, torques))))


def test_switching_in_flight_is_like_starting_perturbed_in_that_state(arm):
    heavy = EVERY["payload off centre"]
    plant = MujocoPlant(arm)
    roll(plant, torques_for(arm))
    q, dq = plant.data.qpos.copy(), plant.data.qvel.copy()
    plant.perturb(heavy)
    started = MujocoPlant(arm, perturbation=heavy)
    place(started, q, dq)
    torques = torques_for(arm, n=30)
    np.testing.assert_allclose(roll(plant, torques), roll(started, torques), atol=1e-10)


def test_same_seed_same_readings(arm, perturbation):
    torques = torques_for(arm)
    first = roll(MujocoPlant(arm, perturbation=perturbation, seed=7), torques)
    second = roll(MujocoPlant(arm, perturbation=perturbation, seed=7), torques)
    np.testing.assert_array_equal(first, second)


def test_payload_torque_is_weight_times_lever(arm, state):
    """About each joint axis a: a . ((p - anchor) x (0, 0, -m g))."""
    mass_kg = 0.907
    plant, loaded = MujocoPlant(arm), MujocoPlant(arm, perturbation=Perturbation(payload_kg=mass_kg))
    for p in (plant, loaded):
        place(p, state[0], np.zeros(arm.n_joints))
    lever = plant.ee_position() - plant.data.xanchor
    torque = np.sum(plant.data.xaxis * np.cross(lever, (0.0, 0.0, -9.81 * mass_kg)), axis=1)
    np.testing.assert_allclose(plant.data.qfrc_bias - loaded.data.qfrc_bias, torque, atol=1e-6)


def test_payload_offset_lies_in_the_frame_of_the_site(arm, state):
    offset = (0.05, -0.02, 0.08)
    plant = MujocoPlant(arm, perturbation=Perturbation(payload_kg=1.0, payload_offset_m=offset))
    place(plant, *state)
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, plant.ee_pose().quaternion)
    centre = plant.data.xipos[plant.model.body(BODY).id]
    np.testing.assert_allclose(centre, plant.ee_position() + rotation.reshape(3, 3) @ offset, atol=1e-12)


def test_payload_adds_its_inertia(arm, state):
    """M grows by m Jp^T Jp + Jr^T I Jr at the payload's centre; I is that of a solid steel sphere."""
    mass_kg = 2.0
    heavy = Perturbation(payload_kg=mass_kg, payload_offset_m=(0.05, -0.02, 0.08))
    plant, loaded = MujocoPlant(arm), MujocoPlant(arm, perturbation=heavy)
    for p in (plant, loaded):
        place(p, *state)
    jacobian = payload_jacobian(loaded)
    radius_m = (3 * mass_kg / (4 * np.pi * 7850)) ** (1 / 3)
    sphere = 0.4 * mass_kg * radius_m**2
    added = mass_kg * jacobian[:3].T @ jacobian[:3] + sphere * jacobian[3:].T @ jacobian[3:]
    np.testing.assert_allclose(inertia(loaded) - inertia(plant), added, atol=1e-7)


def test_no_payload_is_not_felt(arm, state):
    """The massless body that waits for a payload changes nothing the arm could feel."""
    plant, dynamics = MujocoPlant(arm), MujocoDynamics(arm)
    place(plant, *state)
    dynamics.update(*state)
    np.testing.assert_allclose(inertia(plant), dynamics.mass_matrix(), atol=1e-8)


def test_payload_renews_the_derived_constants(arm):
    plant = MujocoPlant(arm)
    before = plant.model.dof_M0.copy(), plant.model.body_subtreemass[0]
    plant.perturb(Perturbation(payload_kg=1.5))
    assert plant.model.body_subtreemass[0] == pytest.approx(before[1] + 1.5)
    assert (plant.model.dof_M0 > before[0]).any()


def test_force_reaches_the_joints_through_the_jacobian(arm, state):
    """M (ddq - ddq_nominal) = J^T (f + B v)."""
    q, dq = state
    pushed = Perturbation(force_n=(4.0, -3.0, 6.0), force_field=CURL)
    dynamics = MujocoDynamics(arm)
    dynamics.update(q, dq)
    change = np.zeros(arm.n_joints)
    for sign, perturbation in ((1, pushed), (-1, NO_PERTURBATION)):
        plant = MujocoPlant(arm, perturbation=perturbation)
        place(plant, q, dq)
        plant.write(np.zeros(arm.n_joints))
        change += sign * plant.data.qacc
    jacobian = dynamics.jacobian()[:3]
    force = np.array(pushed.force_n) + np.array(CURL) @ (jacobian @ dq)
    np.testing.assert_allclose(dynamics.mass_matrix() @ change, jacobian.T @ force, atol=1e-6)


def test_curl_field_does_no_work(arm, state):
    dynamics = MujocoDynamics(arm)
    dynamics.update(*state)
    plant = MujocoPlant(arm, perturbation=Perturbation(force_field=CURL))
    place(plant, *state)
    plant._external.apply()
    assert arm.n_joints == 1 or np.abs(plant.data.qfrc_applied).max() > 0.1
    assert plant.data.qfrc_applied @ state[1] == pytest.approx(0.0, abs=1e-10)


def test_friction_holds_the_arm_up_to_its_torque():
    arm = ARMS["planar2"]
    dynamics = MujocoDynamics(arm)
    plant = MujocoPlant(arm, perturbation=Perturbation(joint_friction=3.0))
    for _ in range(300):
        plant.write(dynamics.bias() + np.array((2.0, -2.0)))  # more than gravity, less than friction
    assert np.abs(plant.read().dq).max() < 1e-3
    plant.write(dynamics.bias() + np.array((6.0, 0.0)))
    assert plant.read().dq[0] > 1e-3


def test_damping_takes_torque_in_proportion_to_speed(arm, state):
    plant, thick = MujocoPlant(arm), MujocoPlant(arm, perturbation=Perturbation(joint_damping=2.0))
    for p in (plant, thick):
        place(p, *state)
    np.testing.assert_allclose(thick.data.qfrc_passive - plant.data.qfrc_passive, -2.0 * state[1])


def test_settings_per_joint_reach_their_joints():
    plant = MujocoPlant(ARMS["planar3"], perturbation=Perturbation(actuator_gain=(0.5, 1.0, 2.0)))
    plant.write(np.ones(3))
    np.testing.assert_allclose(plant.data.qfrc_actuator, (0.5, 1.0, 2.0))


def test_list_of_another_length_is_refused_and_changes_nothing():
    plant = MujocoPlant(ARMS["planar3"])
    with pytest.raises(ConfigError, match="joint_friction has 2 values, the arm has 3 joints"):
        plant.perturb(Perturbation(payload_kg=3.0, joint_friction=(1.0, 1.0)))
    assert plant.perturbation == NO_PERTURBATION
    np.testing.assert_array_equal(
        roll(plant, torques_for(ARMS["planar3"])),
        roll(MujocoPlant(ARMS["planar3"]), torques_for(ARMS["planar3"])),
    )


def test_tilt_turns_gravity_and_keeps_its_strength():
    down = np.array((0.0, 0.0, -9.81))
    np.testing.assert_allclose(tilt(down, (0.0, 0.0)), down)
    np.testing.assert_allclose(tilt(down, (np.pi / 2, 0.0)), (0.0, 9.81, 0.0), atol=1e-12)
    np.testing.assert_allclose(tilt(down, (0.0, np.pi / 2)), (-9.81, 0.0, 0.0), atol=1e-12)
    assert np.linalg.norm(tilt(down, (0.3, -0.7))) == pytest.approx(9.81)
