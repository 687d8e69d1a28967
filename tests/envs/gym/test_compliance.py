"""What Gymnasium and Stable-Baselines3 ask of an environment, and what any user may expect."""

import itertools
import pickle

import gymnasium
import numpy as np
import pytest
from comparison import assert_same
from gymnasium.envs.mujoco.utils import check_mujoco_reset_state
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from spikearm.envs.arms import ARMS
from spikearm.envs.gym.registration import IDS

MODES = ("torque", "position", "pose")
HARD = {
    "perturbation": {"joint_friction": 0.2, "delay_s": 0.04},
    "perturbation_range": {"payload_kg": [0.0, 0.5]},
    "observation_noise": (1e-3, 1e-2),
    "action_delay_s": 0.007,
    "faults": [(0.04, {"joint_damping": 1.0})],
}


def cases(arms):
    """Every environment in every mode; random plants have neither arm nor pose."""
    for env_id, mode in itertools.product(IDS, MODES):
        if "PlantFamily" in env_id:
            if mode != "pose":
                yield env_id, {"action_mode": mode}
            continue
        for arm in arms:
            yield env_id, {"arm": arm, "action_mode": mode}


def name_of(case):
    env_id, arguments = case
    return "-".join((env_id.removeprefix("spikearm/"), *arguments.values()))


FEW = [*cases(["planar2"]), ("spikearm/Reach-v0", {"arm": "iiwa14", "action_mode": "pose"})]
ALL = [case for case in cases(ARMS) if case not in FEW]


@pytest.fixture(
    params=[pytest.param(c, id=name_of(c)) for c in FEW]
    + [pytest.param(c, id=name_of(c), marks=pytest.mark.slow) for c in ALL]
)
def case(request):
    return request.param


@pytest.fixture
def env(case):
    env_id, arguments = case
    env = gymnasium.make(env_id, **arguments)
    yield env
    env.close()


def rollout(env, n_steps=5, seed=4):
    env.action_space.seed(seed)
    yield env.reset(seed=seed)
    for _ in range(n_steps):
        yield env.step(env.action_space.sample())


def test_gymnasium_has_nothing_to_say(env):
    check_env(env.unwrapped, skip_render_check=True)


def test_reset_leaves_nothing_of_the_run_before(env):
    check_mujoco_reset_state(env)


def test_stable_baselines3_has_nothing_to_say(env):
    check = pytest.importorskip("stable_baselines3.common.env_checker").check_env
    check(env.unwrapped, warn=False, skip_render_check=True)


def test_copy_by_pickle_goes_the_same_way(env):
    for _ in rollout(env):
        pass
    twin = pickle.loads(pickle.dumps(env))  # noqa: S301 (our own bytes)
    for _ in range(5):
        action = env.action_space.sample()
        assert_same(dict(enumerate(env.step(action))), dict(enumerate(twin.step(action))))
    assert_same(dict(enumerate(env.reset())), dict(enumerate(twin.reset())))


def test_spec_makes_the_same_environment(env):
    twin = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    for one, other in zip(rollout(env), rollout(twin), strict=True):
        assert_same(dict(enumerate(one)), dict(enumerate(other)))


def test_same_seed_same_episode_whatever_came_before(env, case):
    env_id, arguments = case
    fresh = gymnasium.make(env_id, **arguments)
    for _ in rollout(env, seed=9):
        pass
    for one, other in zip(rollout(env), rollout(fresh), strict=True):
        assert_same(dict(enumerate(one)), dict(enumerate(other)))


def test_seeds_give_different_episodes(env):
    goals, starts = [], []
    for seed in range(4):
        observed, _ = env.reset(seed=seed)
        goals.append(env.unwrapped.target)
        starts.append(observed["observation"] if isinstance(observed, dict) else observed)
    # Centre-out always starts at home, and two of its orders may begin with the same point.
    assert np.ptp(goals, axis=0).max() > 0.0
    assert np.ptp(starts, axis=0).max() > 0.0 or not env.unwrapped.config.start_spread_rad


def vector_of(kind, env_id, arguments, *, n=3, limit=4, mode="NextStep"):
    """The same environments on their own, in processes, or in threads."""
    if kind == "native":
        extra = {"max_episode_steps": limit, "n_threads": 2, "autoreset_mode": mode}
        return gymnasium.make_vec(env_id, num_envs=n, **extra, **arguments)
    makers = [lambda: gymnasium.make(env_id, max_episode_steps=limit, **arguments)] * n
    kinds = {"sync": gymnasium.vector.SyncVectorEnv, "async": gymnasium.vector.AsyncVectorEnv}
    return kinds[kind](makers, autoreset_mode=mode)


def assert_same_vectors(one, other, n_steps):
    other.action_space.seed(3)
    assert_same(dict(enumerate(one.reset(seed=5))), dict(enumerate(other.reset(seed=5))), "reset")
    for step in range(n_steps):
        actions = other.action_space.sample()
        a, b = one.step(actions), other.step(actions)
        finals = [x[4].pop("final_obs", np.array([])) for x in (a, b)]
        assert_same(dict(enumerate(a)), dict(enumerate(b)), f"step {step}")
        for last, wanted in zip(*finals, strict=True):
            assert_same(last, wanted, f"final observation of step {step}")
    one.close()
    other.close()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_native_vector_is_the_single_environments_to_the_last_bit(case, mode):
    """Over the end of an episode, with noise, delay and random payloads, info included."""
    env_id, arguments = case
    arguments = arguments | HARD
    vectors = [vector_of(kind, env_id, arguments, mode=mode) for kind in ("sync", "native")]
    assert_same_vectors(*vectors, n_steps=7)


@pytest.mark.slow
def test_processes_are_the_single_environments_too(case):
    env_id, arguments = case
    vectors = [vector_of(kind, env_id, arguments | HARD, n=2) for kind in ("async", "native")]
    assert_same_vectors(*vectors, n_steps=7)


def test_every_environment_is_registered_with_a_time_limit():
    for env_id in IDS:
        spec = gymnasium.spec(env_id)
        assert spec.max_episode_steps
        assert spec.vector_entry_point
    assert len(IDS) == 9
