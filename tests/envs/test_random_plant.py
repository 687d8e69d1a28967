"""Random plants: a family, each member of its own, all of them sane."""

import mujoco
import numpy as np
import pytest

from spikearm.envs.mjcf import compile_spec
from spikearm.envs.payload import add_payload_body
from spikearm.envs.random_plant import MAX_JOINTS, family_arm, family_limits, random_plant, random_waves
from spikearm.errors import ConfigError


@pytest.fixture(params=[1, 2, 7, MAX_JOINTS])
def n_joints(request):
    return request.param


def compiled(n_joints, seed):
    spec = random_plant(n_joints, np.random.default_rng(seed))
    return compile_spec(spec, "plant", extend=add_payload_body)


def test_plant_is_a_torque_driven_arm(n_joints):
    arm = compiled(n_joints, 1)
    assert arm.n_joints == n_joints
    np.testing.assert_allclose(arm.torque_limits, family_limits(n_joints))
    np.testing.assert_array_equal(arm.gear, 1.0)


def test_plants_differ_and_seeds_repeat(n_joints):
    def figures(seed):
        model = compiled(n_joints, seed).model
        return np.concatenate((model.body_mass, model.body_pos.ravel(), model.dof_damping))

    np.testing.assert_array_equal(figures(1), figures(1))
    assert (figures(1) != figures(2)).any()


def test_plants_are_of_the_familys_size(n_joints):
    masses, lengths = [], []
    for seed in range(30):
        model = compiled(n_joints, seed).model
        masses.append(model.body_mass.sum())
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        lengths.append(data.site("ee").xpos[2] - 0.1)
    assert np.mean(masses) == pytest.approx(8.0, rel=0.15)
    assert np.mean(lengths) == pytest.approx(0.8, rel=0.15)


def test_average_plant_holds_itself_outstretched(n_joints):
    share = 1.0 - np.arange(n_joints) / n_joints
    weight = 9.81 * 0.5 * 8.0 * 0.8 * share**2
    assert (weight < 0.3 * family_limits(n_joints)).all()


def test_unknown_torque_is_of_the_size_asked_for(rng):
    n = 5
    q = rng.uniform(-2, 2, (200, n))
    sizes = []
    for seed in range(40):
        waves = random_waves(n, np.random.default_rng(seed), share=0.25)
        torque = np.sin(q @ waves.frequency.T + waves.phase) @ waves.gain.T
        sizes.append((torque**2).mean(axis=0))
    np.testing.assert_allclose(np.sqrt(np.mean(sizes, axis=0)), 0.125 * family_limits(n), rtol=0.15)


@pytest.mark.parametrize("wrong", [0, MAX_JOINTS + 1, 2.0])
def test_number_of_joints_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match="n_joints must be a whole number from 1 to 15"):
        family_arm(wrong)
