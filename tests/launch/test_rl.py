"""A spiking controller in the loop of an environment, by names."""

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import ARMS
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import ConfigError
from spikearm.launch.config import RunConfig
from spikearm.launch.rl import make_env, modelled_latency_s

# Gymnasium's checks advise against unbounded observations, which physical units are.
pytestmark = pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")

PAYLOAD = {"payload_kg": ARMS["planar2"].payload_kg}


def final_distance(env):
    """Distance at the end of an agent that moves its set point straight to the target [m]."""
    observed, _ = env.reset(seed=0)
    n = env.unwrapped.episodes.batch.n_joints
    for _ in range(70):
        set_point = observed[2 * n : 2 * n + 3] + observed[-3:]
        action = np.clip((env.unwrapped.target - set_point)[[0, 2]] / 0.01, -1, 1)
        observed, *_, info = env.step(action)
    env.close()
    return info["distance_m"]


@pytest.mark.parametrize(
    "backend",
    [
        "reference",
        pytest.param("loihi", marks=pytest.mark.slow),
        pytest.param("crossbar", marks=pytest.mark.slow),
    ],
)
def test_spiking_controller_takes_the_payload_off_the_agent(backend):
    arguments = {"arm": "planar2", "perturbation": PAYLOAD}
    adapting = final_distance(make_env(backend=backend, **arguments))
    assert adapting < 0.3 * final_distance(make_env(controller="osc", **arguments))


NAME = "spikearm.launch.rl:spikearm/ControlledReach-v0"


@pytest.fixture(params=["osc", "adaptive"])
def named(request):
    env = gymnasium.make(NAME, arm="planar2", controller=request.param)
    yield env
    env.close()


def rollout(env, n_steps=5, seed=4):
    env.action_space.seed(seed)
    yield env.reset(seed=seed)
    for _ in range(n_steps):
        yield env.step(env.action_space.sample())


def assert_same_rollouts(one, other):
    """Observations, rewards, ends and infos, to the last bit; closes the other one."""
    for a, b in zip(rollout(one), rollout(other), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        assert a[1:-1] == b[1:-1]
        assert a[-1].keys() == b[-1].keys()
        for name, value in a[-1].items():
            np.testing.assert_array_equal(value, b[-1][name], err_msg=name)
    other.close()


def test_environment_is_found_by_its_name():
    env = gymnasium.make(NAME, arm="planar2", energy_cost={"energy_model_j": 100.0})
    env.reset(seed=1)
    _, reward, *_, info = env.step(np.zeros(2))
    assert info["spikes"] > 0
    assert reward == pytest.approx(info["reward_goal"] - 100.0 * info["energy_model_j"])
    env.close()


def test_gymnasium_has_nothing_to_say(named):
    check_env(named.unwrapped, skip_render_check=True)


def test_stable_baselines3_has_nothing_to_say(named):
    check = pytest.importorskip("stable_baselines3.common.env_checker").check_env
    check(named.unwrapped, warn=False, skip_render_check=True)


def test_same_seed_same_episode_whatever_came_before(named):
    fresh = gymnasium.make(named.spec)
    for _ in rollout(named, seed=9):
        pass
    assert_same_rollouts(named, fresh)


def test_copy_by_pickle_is_the_same_environment(named):
    assert_same_rollouts(named, pickle.loads(pickle.dumps(named)))  # noqa: S301 (our own bytes)


def test_spec_makes_the_same_environment(named):
    assert_same_rollouts(named, gymnasium.make(EnvSpec.from_json(named.spec.to_json())))


@pytest.mark.parametrize(("limit", "wanted"), [({}, 100), ({"max_episode_steps": 120}, 120)])
def test_time_limit_is_the_registrations_or_the_callers(limit, wanted):
    env = gymnasium.make(NAME, arm="planar2", controller="osc", **limit)
    env.reset(seed=1)
    cut = [env.step(np.zeros(2))[3] for _ in range(wanted)]
    assert cut == [False] * (wanted - 1) + [True]
    env.close()


def test_episode_lasts_as_long_as_the_environment_inside():
    env = make_env(controller="osc", arm="planar2", step_s=0.04)
    env.reset(seed=1)
    lengths = [env.step(np.zeros(2))[3] for _ in range(50)]
    assert lengths == [False] * 49 + [True]


def test_agent_sets_the_gains_of_the_law():
    env = make_env(config=RunConfig(gains=Gains(kp=100.0)), controller="osc", arm="planar2", action="gains")
    env.reset(seed=1)
    env.step(np.ones(1))
    law = env.env._controller._law
    assert law.gains == Gains(kp=400.0)


@pytest.mark.parametrize("name", ["pid", "spiking-osc"])
def test_other_controllers_are_refused(name):
    with pytest.raises(ConfigError, match=f"controller '{name}' .* choose 'adaptive' or 'osc'"):
        make_env(controller=name)


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (RunConfig(trials=3), "trials"),
        (RunConfig(perturbation=Perturbation(payload_kg=0.5)), "perturbation"),
        (RunConfig(realtime=True), "realtime"),
    ],
)
def test_setting_of_a_run_that_would_do_nothing_is_refused(run, name):
    with pytest.raises(ConfigError, match=f"{name} of a run .* no effect on an environment"):
        make_env(config=run)


@pytest.mark.parametrize("name", ["action_mode", "control_dt_s", "physics_dt_s", "action_scale"])
def test_argument_that_the_controller_sets_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} is set by the controller"):
        make_env(arm="planar2", **{name: 1})


def test_any_tick_that_divides_the_step_will_do():
    env = make_env(config=RunConfig(control_dt_s=0.0025), controller="osc", arm="planar2")
    env.reset(seed=1)
    env.step(np.zeros(2))
    env.close()


def test_modelled_latency_delays_every_tick():
    """A substrate slower than a tick: the arm gets each torque later, and moves another way."""
    ends = []
    for delay in ("none", "modelled"):
        env = make_env(config=RunConfig(actuation_delay=delay, backend="crossbar"), arm="planar2")
        env.reset(seed=1)
        ends.append(env.step(np.ones(2))[0])
        env.close()
    assert (ends[0] != ends[1]).any()


def test_latency_of_a_substrate_becomes_a_delay():
    latency_s = modelled_latency_s(RunConfig(backend="loihi", arm="planar2"))
    assert 1e-6 < latency_s < 1e-3
    assert modelled_latency_s(RunConfig(backend="reference", arm="planar2")) == 0.0
    env = gymnasium.make("spikearm/Reach-v0", arm="planar2", action_delay_s=latency_s)
    env.reset(seed=1)
    env.close()


def test_latency_without_a_network_is_refused():
    with pytest.raises(ConfigError, match="controller 'osc' has no network"):
        modelled_latency_s(RunConfig(controller="osc"))
