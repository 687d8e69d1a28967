"""The native vector environment where it can do what a single one cannot."""

import pickle

import gymnasium
import numpy as np
import pytest
from comparison import assert_same
from gymnasium.vector import AutoresetMode

from spikearm.errors import ClosedError, ConfigError, NotFiniteError, UnknownNameError


def actions(env, seed=0):
    env.action_space.seed(seed)
    return env.action_space.sample()


def test_unknown_autoreset_mode_is_refused_by_name(vector):
    with pytest.raises(UnknownNameError, match=r"no autoreset mode named 'Next'.*Did you mean 'NextStep'"):
        vector(autoreset_mode="Next")


def test_threads_change_nothing(vector):
    one, four = vector(n=6, n_threads=1), vector(n=6, n_threads=4)
    assert_same(one.reset(seed=1)[0], four.reset(seed=1)[0])
    for seed in range(10):
        assert_same(one.step(actions(one, seed))[0], four.step(actions(four, seed))[0])


def test_seed_is_spread_over_the_environments(vector):
    env = vector()
    spread, _ = env.reset(seed=7)
    listed, _ = env.reset(seed=[7, 8, 9])
    np.testing.assert_array_equal(spread, listed)
    assert env.np_random_seed == (7, 8, 9)
    assert len(env.np_random) == 3


def test_seeds_may_come_from_an_array(vector):
    env = vector()
    listed, _ = env.reset(seed=[7, None, 9])
    arrayed, _ = env.reset(seed=np.array([7, 8, 9]))
    np.testing.assert_array_equal(listed[[0, 2]], arrayed[[0, 2]])


def test_seeds_that_are_refused_change_nothing(vector):
    env, twin = vector(), vector()
    for one in (env, twin):
        one.reset(seed=1)
    with pytest.raises(ConfigError, match=r"seed must be .* not \[5, 6, -2\]"):
        env.reset(seed=[5, 6, -2])
    assert_same(env.step(actions(env))[0], twin.step(actions(env))[0])
    assert_same(env.reset()[0], twin.reset()[0])


def test_episodes_are_cut_at_the_time_limit_of_the_registration(vector):
    env = vector()
    env.reset(seed=1)
    for step in range(100):
        _, _, terminated, truncated, _ = env.step(np.zeros((3, 2)))
        assert not terminated.any()
        assert truncated.all() == (step == 99)


def test_some_environments_are_reset_alone(vector):
    env = vector(autoreset_mode="Disabled", max_episode_steps=5)
    env.reset(seed=1)
    before = env.step(actions(env))[0]
    observed, info = env.reset(
        seed=4, options={"reset_mask": np.array([False, True, False]), "payload_kg": 0.2}
    )
    np.testing.assert_array_equal(observed[[0, 2]], before[[0, 2]])
    assert (observed[1] != before[1]).any()
    assert info["payload_kg"].tolist() == [0.0, 0.2, 0.0]
    assert info["_payload_kg"].tolist() == [False, True, False]
    for _ in range(4):
        *_, truncated, _ = env.step(actions(env))
    assert truncated.tolist() == [True, False, True]
    with pytest.raises(ConfigError, match=r"environments \[0, 2\] are done; reset them"):
        env.step(actions(env))


def test_diverged_environment_is_reset_and_the_others_go_on(vector):
    env, twin = vector(), vector()
    for one in (env, twin):
        one.reset(seed=1)
    env.unwrapped.episodes.batch.dq[1] = 1e9
    a, b = env.step(actions(env)), twin.step(actions(env))
    assert a[2].tolist() == [False, True, False]
    assert a[4]["termination"].tolist() == [None, "diverged", None]
    assert a[4]["_termination"].tolist() == [False, True, False]
    assert np.isfinite(a[0]).all()
    np.testing.assert_array_equal(a[0][[0, 2]], b[0][[0, 2]])
    a, b = env.step(actions(env)), twin.step(actions(env))
    assert a[1][1] == 0.0
    assert "termination" not in a[4]
    np.testing.assert_array_equal(a[0][[0, 2]], b[0][[0, 2]])


def test_observations_belong_to_the_caller(vector):
    env = vector("ReachGoal")
    first, _ = env.reset(seed=1)
    kept = {name: value.copy() for name, value in first.items()}
    env.step(actions(env))
    assert_same(first, kept)


def test_copy_by_pickle_goes_the_same_way(vector):
    env = vector()
    env.reset(seed=1)
    env.step(actions(env))
    twin = pickle.loads(pickle.dumps(env))  # noqa: S301 (our own bytes)
    assert_same(env.step(actions(env))[0], twin.step(actions(env))[0])


def test_spec_makes_the_same_vector(vector):
    env = vector(autoreset_mode="SameStep")
    twin = gymnasium.make_vec(env.spec)
    assert twin.num_envs == 3
    assert twin.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert_same(env.reset(seed=2)[0], twin.reset(seed=2)[0])


def test_rewards_of_many_goals_at_once(vector):
    env = vector("ReachGoal")
    env.reset(seed=1)
    observed, reward, *_, info = env.step(actions(env))
    compute = env.unwrapped.compute_reward
    np.testing.assert_array_equal(compute(observed["achieved_goal"], observed["desired_goal"], {}), reward)
    assert info["reward_goal"].tolist() == reward.tolist()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda env: env.step(np.zeros((2, 2))),
            ConfigError,
            r"shape \(2, 2\), this .* takes \(3, 2\)",
        ),
        (
            lambda env: env.step(np.array([[0, 0], [0, np.nan], [0, 0]])),
            NotFiniteError,
            "action 1 of environment 1 is nan",
        ),
        (lambda env: env.reset(seed=[1, 2]), ConfigError, "2 seeds for 3 environments"),
        (
            lambda env: env.reset(seed=1.5),
            ConfigError,
            r"seed must be .* whole numbers of 0 or more, not 1.5",
        ),
        (
            lambda env: env.reset(seed="abc"),
            ConfigError,
            "seed must be .* whole numbers of 0 or more, not 'abc'",
        ),
        (lambda env: env.reset(seed=-1), ConfigError, r"seed must be .* whole numbers of 0 or more, not -1"),
        (lambda env: env.reset(options=5), ConfigError, "options of reset must be a dictionary, not 5"),
        (
            lambda env: env.reset(options={"reset_mask": [True]}),
            ConfigError,
            "reset_mask must be 3 booleans, at least one of them true",
        ),
        (
            lambda env: env.reset(options={"reset_mask": np.zeros(3, dtype=bool)}),
            ConfigError,
            "reset_mask must be 3 booleans",
        ),
    ],
)
def test_nonsense_is_refused(vector, call, error, message):
    env = vector()
    env.reset(seed=1)
    with pytest.raises(error, match=message):
        call(env)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "num_envs must be a whole number of 1 or more, not 0"),
        ({"n": 2.5}, "num_envs must be a whole number of 1 or more, not 2.5"),
        ({"n_threads": -1}, "n_threads must be a whole number of 1 or more, not -1"),
        ({"max_episode_steps": 0}, "max_episode_steps must be"),
    ],
)
def test_argument_that_makes_no_sense_is_refused(vector, arguments, message):
    with pytest.raises(ConfigError, match=message):
        vector(**arguments)


def test_vector_has_no_window(vector):
    with pytest.raises(ConfigError, match="render_mode must be one of rgb_array, depth_array, or None"):
        vector(render_mode="human")


def test_step_before_a_reset_is_refused(vector):
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        vector().step(np.zeros((3, 2)))


def test_closed_vector_says_so(vector):
    env = vector()
    env.reset(seed=1)
    env.close()
    with pytest.raises(ClosedError, match="the environment was closed; make a new one"):
        env.reset()


def test_no_limit_of_time_is_given_as_for_single_environments(vector):
    env = vector(max_episode_steps=-1)
    env.reset(seed=1)
    for _ in range(105):
        truncated = env.step(np.zeros((3, 2)))[3]
    assert not truncated.any()


def test_ends_of_many_goals_at_once(vector):
    env = vector("ReachGoal")
    env.reset(seed=1)
    env.unwrapped.episodes.batch.dq[1] = 1e9
    observed, _, terminated, truncated, info = env.step(actions(env))
    goals = observed["achieved_goal"], observed["desired_goal"]
    assert (
        env.unwrapped.compute_terminated(*goals, info).tolist() == terminated.tolist() == [False, True, False]
    )
    assert env.unwrapped.compute_truncated(*goals, info).tolist() == truncated.tolist() == [False] * 3


def test_schedule_strikes_in_every_episode_of_every_arm(vector):
    env = vector(faults=[(0.06, {"payload_kg": 0.5})], max_episode_steps=5)
    env.reset(seed=1)
    seen = [
        (env.step(np.zeros((3, 2))), env.unwrapped.episodes.perturbation)[1][2].payload_kg for _ in range(11)
    ]
    # Steps 1 to 3 begin before the fault; step 6 is the reset.
    assert seen == [0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5]


PAYLOADS = {"perturbation_range": {"payload_kg": [0.0, 0.9]}, "observation_noise": (1e-3, 0.0)}


@pytest.mark.parametrize(
    "name", ["target", "perturbation", "np_random_seed", "action_space", "observation_space"]
)
def test_attributes_of_arms_are_those_of_single_environments(name):
    arms, singles = (
        gymnasium.make_vec("spikearm/Reach-v0", 3, mode, arm="planar2", **PAYLOADS)
        for mode in ("vector_entry_point", "sync")
    )
    for env in (arms, singles):
        env.reset(seed=4)
    assert_same(arms.get_attr(name), singles.get_attr(name))
    assert len(arms.get_attr("model")) == 3
    for env in (arms, singles):
        env.close()


def test_methods_are_called_for_every_arm():
    arms, singles = (
        gymnasium.make_vec("spikearm/ReachGoal-v0", 2, mode, arm="planar2")
        for mode in ("vector_entry_point", "sync")
    )
    goals = np.zeros((4, 3)), np.eye(4, 3)
    assert_same(arms.call("compute_reward", *goals, {}), singles.call("compute_reward", *goals, {}))
    for env in (arms, singles):
        env.close()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("step", ConfigError, "step is not to be had of single arms of a native vector environment"),
        ("data", ConfigError, "make it with vectorization_mode='sync'"),
        ("targt", UnknownNameError, r"no attribute of single arms named 'targt'.*Did you mean 'target'"),
    ],
)
def test_attribute_that_arms_do_not_have_is_an_error(vector, name, error, message):
    for ask in (vector().call, vector().get_attr):
        with pytest.raises(error, match=message):
            ask(name)


def test_arms_can_be_given_generators():
    arms, singles = (
        gymnasium.make_vec("spikearm/Reach-v0", 2, mode, arm="planar2")
        for mode in ("vector_entry_point", "sync")
    )
    for env in (arms, singles):
        env.set_attr("np_random", [np.random.default_rng(e) for e in range(2)])
    assert_same(arms.reset()[0], singles.reset()[0])
    for env in (arms, singles):
        env.close()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config", None, "config cannot be set of arms of a native vector environment.*Only np_random can"),
        ("np_random", 3, "np_random is one Generator for each of 3 arms; got 3"),
    ],
)
def test_what_cannot_be_set_is_an_error(vector, name, values, message):
    with pytest.raises(ConfigError, match=message):
        vector().set_attr(name, values)
