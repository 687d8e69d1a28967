"""Episodes of random plants."""

import numpy as np
import pytest

from spikearm.errors import ConfigError


def masses(env):
    return env.unwrapped.model.body_mass.copy()


def test_every_episode_has_a_plant_of_its_own(make):
    env = make("PlantFamily")
    env.reset(seed=1)
    first = masses(env)
    env.reset()
    assert (masses(env) != first).any()
    env.reset(seed=1)
    np.testing.assert_array_equal(masses(env), first)


def test_seed_of_the_plant_fixes_it(make):
    env, twin, other = (make("PlantFamily", plant_seed=s) for s in (4, 4, 5))
    for one in (env, twin, other):
        one.reset(seed=1)
    first = masses(env)
    env.reset(seed=2)
    np.testing.assert_array_equal(masses(env), first)
    np.testing.assert_array_equal(masses(twin), first)
    assert (masses(other) != first).any()


def test_unknown_force_moves_a_plant_that_would_stand_still(make):
    pushed, quiet = make("PlantFamily", plant_seed=1), make("PlantFamily", plant_seed=1, force_share=0.0)
    for env in (pushed, quiet):
        env.reset(seed=1, options={"start": [0.0] * 3})
        for _ in range(20):
            observed, *_ = env.step(np.zeros(3))
        env.last = observed
    assert np.abs(pushed.last[:3]).max() > 0.01
    np.testing.assert_allclose(quiet.last[:3], 0.0, atol=1e-9)


@pytest.mark.parametrize("n_joints", [1, 15])
def test_any_number_of_joints_steps(make, n_joints):
    env = make("PlantFamily", n_joints=n_joints)
    env.reset(seed=1)
    observed, *_, info = env.step(env.action_space.sample())
    assert observed.shape == (5 * n_joints + 3,)
    assert info["distance_rad"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arm": "iiwa14"}, "draws its arms; choose n_joints"),
        ({"action_mode": "pose"}, "choose action_mode 'torque' or 'position'"),
        ({"n_joints": True}, "n_joints must be a whole number from 1 to 15, not True"),
        ({"n_joints": 16}, "n_joints must be a whole number from 1 to 15, not 16"),
        ({"force_share": -1}, "force_share must be a number of 0 or more"),
        ({"plant_seed": -1}, "plant_seed must be a whole number of 0 or more"),
    ],
)
def test_argument_that_makes_no_sense_is_refused(make, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make("PlantFamily", **arguments)
