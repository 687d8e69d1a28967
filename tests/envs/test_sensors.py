"""Noise and delay of the joint sensors."""

import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.envs.sensors import JointSensors

ARM = ARMS["planar2"]


def readings(plant, n, seed=1):
    rng = np.random.default_rng(seed)
    states = []
    for _ in range(n):
        states.append(plant.read())
        plant.write(rng.uniform(-5, 5, 2))
    return np.array([s.q for s in states]), np.array([s.dq for s in states])


def test_noise_has_the_stated_deviation_and_no_bias():
    noisy = Perturbation(sensor_noise_q_rad=1e-3, sensor_noise_dq_rad_s=2e-2)
    q, dq = readings(MujocoPlant(ARM, perturbation=noisy), 2000)
    q_true, dq_true = readings(MujocoPlant(ARM), 2000)
    # 4000 draws: the deviation is known to 1.1 %, the mean to 1.6 % of it; five of those are allowed.
    assert np.std(q - q_true) == pytest.approx(1e-3, rel=0.056)
    assert np.std(dq - dq_true) == pytest.approx(2e-2, rel=0.056)
    assert abs(np.mean(q - q_true)) < 0.08e-3
    assert abs(np.mean(dq - dq_true)) < 0.16e-2


def test_noise_is_independent_between_ticks_and_joints():
    q, _ = readings(MujocoPlant(ARM, perturbation=Perturbation(sensor_noise_q_rad=1e-3)), 2000)
    noise = q - readings(MujocoPlant(ARM), 2000)[0]
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.1
    assert abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1]) < 0.1


def test_reading_twice_gives_the_same_noise():
    plant = MujocoPlant(ARM, perturbation=Perturbation(sensor_noise_q_rad=1e-3))
    plant.write(np.zeros(2))
    np.testing.assert_array_equal(plant.read().q, plant.read().q)


def test_noise_does_not_reach_the_physics_or_the_score():
    noisy, clean = MujocoPlant(ARM, perturbation=Perturbation(sensor_noise_q_rad=0.1)), MujocoPlant(ARM)
    readings(noisy, 50)
    readings(clean, 50)
    np.testing.assert_array_equal(noisy.ee_position(), clean.ee_position())


def test_another_seed_gives_other_noise():
    noise = Perturbation(sensor_noise_q_rad=1e-3)
    first, second = (MujocoPlant(ARM, perturbation=noise, seed=seed).read().q for seed in (0, 1))
    assert (first != second).all()


def test_reset_with_a_seed_repeats_the_noise_and_without_goes_on():
    plant = MujocoPlant(ARM, perturbation=Perturbation(sensor_noise_q_rad=1e-3))
    first = plant.reset(seed=5).q
    assert (plant.reset().q != first).all()
    np.testing.assert_array_equal(plant.reset(seed=5).q, first)


@pytest.mark.parametrize("ticks", [1, 2, 7])
def test_delay_is_exact(ticks):
    late_q, late_dq = readings(MujocoPlant(ARM, perturbation=Perturbation(delay_s=ticks * 1e-3)), 60)
    q, dq = readings(MujocoPlant(ARM), 60)
    np.testing.assert_array_equal(late_q[ticks:], q[:-ticks])
    np.testing.assert_array_equal(late_dq[ticks:], dq[:-ticks])
    np.testing.assert_array_equal(late_q[:ticks], [ARM.home] * ticks)


def test_delay_does_not_change_the_clock():
    plant = MujocoPlant(ARM, perturbation=Perturbation(delay_s=0.005))
    plant.write(np.zeros(2))
    assert plant.read().t_s == pytest.approx(0.001)


def test_delay_counts_control_steps_of_any_length():
    late = Perturbation(delay_s=0.01)
    q, _ = readings(MujocoPlant(ARM, control_dt_s=0.005), 20)
    late_q, _ = readings(MujocoPlant(ARM, control_dt_s=0.005, perturbation=late), 20)
    np.testing.assert_array_equal(late_q[2:], q[:-2])


def test_delay_switched_on_holds_the_newest_sample_until_others_are_old_enough():
    plant, clean = MujocoPlant(ARM), MujocoPlant(ARM)
    readings(plant, 20)
    readings(clean, 20)
    plant.perturb(Perturbation(delay_s=0.003))
    late, now = readings(plant, 10, seed=2)[0], readings(clean, 10, seed=2)[0]
    np.testing.assert_array_equal(late[:3], [now[0]] * 3)
    np.testing.assert_array_equal(late[3:], now[:-3])
    plant.perturb(NO_PERTURBATION)
    np.testing.assert_array_equal(plant.read().q, clean.read().q)


def test_readings_belong_to_the_caller():
    sensors = JointSensors(np.random.default_rng(0))
    sensors.reset(np.ones(2), np.zeros(2))
    sensors.read()[0][:] = 99.0
    np.testing.assert_array_equal(sensors.read()[0], np.ones(2))
