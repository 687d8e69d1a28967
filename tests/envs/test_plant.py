"""The simulated arm: physics by invariants, time, refusals, divergence."""

import logging
from pathlib import Path

import mujoco
import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ConfigError, NotFiniteError, SimulationDivergedError, TimeStepError

IIWA = ARMS["iiwa14"]


def roll(plant, torques):
    """States after each torque, shape (n, 2, n_joints)."""
    states = []
    for torque in torques:
        plant.write(torque)
        state = plant.read()
        states.append((state.q, state.dq))
    return np.array(states)


def test_bias_holds_the_arm_still(arm):
    plant, dynamics = MujocoPlant(arm), MujocoDynamics(arm)
    for _ in range(500):
        state = plant.read()
        dynamics.update(state.q, state.dq)
        plant.write(dynamics.bias())
    np.testing.assert_allclose(plant.read().q, arm.home, atol=1e-6)


def test_energy_is_conserved_without_damping(arm, state):
    plant = MujocoPlant(arm, physics_dt_s=1e-4, control_dt_s=1e-3, q0=state[0])
    plant.model.dof_damping[:] = plant.model.dof_frictionloss[:] = 0.0
    kinetic = []

    def energy():
        mujoco.mj_forward(plant.model, plant.data)
        mujoco.mj_energyPos(plant.model, plant.data)
        mujoco.mj_energyVel(plant.model, plant.data)
        kinetic.append(plant.data.energy[1])
        return plant.data.energy.sum()

    start = energy()
    for _ in range(200):
        plant.write(np.zeros(arm.n_joints))
    assert energy() == pytest.approx(start, abs=2e-3 * kinetic[-1])
    assert kinetic[-1] > 0.5  # joules: the arm did fall


def test_damping_only_takes_energy(arm, state):
    plant = MujocoPlant(arm, q0=state[0])
    energies = []
    for _ in range(200):
        plant.write(np.zeros(arm.n_joints))
        mujoco.mj_energyPos(plant.model, plant.data)
        mujoco.mj_energyVel(plant.model, plant.data)
        energies.append(plant.data.energy.sum())
    assert np.diff(energies).max() < 1e-4


def test_substeps_are_the_same_physics_as_single_steps(arm, rng):
    """Ten physics steps per tick under a held torque, or ten ticks of one step each."""
    torque = rng.uniform(-3, 3, arm.n_joints)
    coarse = MujocoPlant(arm, control_dt_s=1e-2, physics_dt_s=1e-3)
    fine = MujocoPlant(arm, control_dt_s=1e-3, physics_dt_s=1e-3)
    coarse.write(torque)
    roll(fine, [torque] * 10)
    np.testing.assert_array_equal(coarse.read().q, fine.read().q)
    assert coarse.read().t_s == pytest.approx(fine.read().t_s)


def test_plain_mj_step_gives_the_same_trajectory(arm, rng):
    torques = rng.uniform(-3, 3, (50, arm.n_joints))
    plant = MujocoPlant(arm)
    states = roll(plant, torques)
    data = mujoco.MjData(plant.model)
    data.qpos[:] = arm.home
    for torque, (q, _) in zip(torques, states, strict=True):
        data.ctrl[:] = torque
        mujoco.mj_step(plant.model, data)
        np.testing.assert_allclose(data.qpos, q, atol=1e-12)


def test_ee_pose_is_current_after_a_write(arm, rng):
    plant, dynamics = MujocoPlant(arm), MujocoDynamics(arm)
    roll(plant, rng.uniform(-20, 20, (50, arm.n_joints)))
    state = plant.read()
    dynamics.update(state.q, state.dq)
    np.testing.assert_allclose(plant.ee_position(), dynamics.pose().position, atol=1e-12)
    np.testing.assert_allclose(plant.ee_pose().quaternion, dynamics.pose().quaternion, atol=1e-12)


def test_write_clips_to_the_limits_and_says_so(arm):
    plant = MujocoPlant(arm)
    limits = plant.torque_limits
    np.testing.assert_array_equal(plant.write(3 * limits), limits)
    np.testing.assert_array_equal(plant.write(-3 * limits), -limits)


def test_actuator_gain_is_not_cut_by_the_limits_and_does_not_show(arm):
    plant = MujocoPlant(arm, perturbation=Perturbation(actuator_gain=1.5))
    limits = plant.torque_limits
    np.testing.assert_array_equal(plant.write(limits), limits)
    np.testing.assert_allclose(plant.data.qfrc_actuator, 1.5 * limits)


def test_reset_starts_at_q0(arm, state):
    plant = MujocoPlant(arm, q0=state[0])
    np.testing.assert_array_equal(plant.reset().q, state[0])
    np.testing.assert_array_equal(plant.reset().dq, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_torque_that_is_not_finite_is_refused_and_loses_nothing(arm, bad):
    plant, twin = MujocoPlant(arm), MujocoPlant(arm)
    torque = np.ones(arm.n_joints)
    for p in (plant, twin):
        p.write(torque)
    wrong = torque.copy()
    wrong[-1] = bad
    last = arm.n_joints - 1
    joint = plant.model.joint(last).name
    with pytest.raises(NotFiniteError, match=rf"torque of joint '{joint}' \(number {last}\) is {bad}"):
        plant.write(wrong)
    np.testing.assert_array_equal(plant.write(torque), twin.write(torque))
    np.testing.assert_array_equal(plant.read().q, twin.read().q)
    assert plant.read().t_s == twin.read().t_s


def test_torque_of_the_wrong_shape_is_refused():
    with pytest.raises(ConfigError, match=r"torque has shape \(6,\), not \(7,\): give one value per joint"):
        MujocoPlant(IIWA).write(np.zeros(6))


def test_q0_that_is_not_finite_is_refused():
    with pytest.raises(NotFiniteError, match="q0 of joint 'joint3'"):
        MujocoPlant(IIWA, q0=[0, 0, np.nan, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            {"control_dt_s": 0.0025, "physics_dt_s": 0.001},
            "control step 0.0025 s is not a multiple of physics step 0.001 s",
        ),
        ({"physics_dt_s": 0.0}, "physics step must be a positive number"),
        ({"control_dt_s": float("nan")}, "control step must be a positive number"),
        (
            {"perturbation": Perturbation(delay_s=0.0015)},
            "sensor delay 0.0015 s is not a multiple of control",
        ),
    ],
)
def test_steps_that_do_not_divide_are_refused(times, message):
    with pytest.raises(TimeStepError, match=message):
        MujocoPlant(IIWA, **times)


@pytest.mark.parametrize("field", ["qpos", "qvel"])
def test_nan_in_the_state_raises_instead_of_resetting(field, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    plant = MujocoPlant(IIWA, seed=42)
    roll(plant, np.zeros((20, 7)))
    getattr(plant.data, field)[2] = np.nan
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(SimulationDivergedError, match=r"in tick 21 \(t = 0.021 s, seed 42\)"),
    ):
        plant.write(np.zeros(7))
    assert plant.data.time == pytest.approx(0.021)
    assert "simulation is unstable" in caplog.text
    assert not list(Path.cwd().iterdir()), "MuJoCo left a log file in the working directory"


def test_unstable_physics_raise_with_the_last_sane_state():
    plant = MujocoPlant(IIWA, perturbation=Perturbation(force_field=np.diag([1e5] * 3).tolist()))
    with pytest.raises(SimulationDivergedError, match=r"Before it q = \[.*torque = \[.*reset the plant"):
        roll(plant, np.ones((2000, 7)))
    with pytest.raises(SimulationDivergedError, match="earlier tick; reset"):
        plant.write(np.zeros(7))


def test_reset_heals_a_diverged_plant():
    plant, twin = MujocoPlant(IIWA), MujocoPlant(IIWA)
    plant.data.qvel[0] = np.nan
    with pytest.raises(SimulationDivergedError):
        plant.write(np.zeros(7))
    plant.reset()
    torques = np.ones((20, 7))
    np.testing.assert_array_equal(roll(plant, torques), roll(twin, torques))


def test_automatic_reset_is_off(arm):
    flag = mujoco.mjtDisableBit.mjDSBL_AUTORESET
    assert MujocoPlant(arm).model.opt.disableflags & flag
    assert MujocoDynamics(arm)._model.opt.disableflags & flag


def test_perturbation_survives_a_reset(arm):
    heavy = Perturbation(payload_kg=1.0)
    plant = MujocoPlant(arm, perturbation=heavy)
    plant.reset(seed=1)
    assert plant.perturbation == heavy
    plant.perturb(NO_PERTURBATION)
    assert plant.perturbation == NO_PERTURBATION
