"""A spiking controller in the loop of an environment, by names."""

import gymnasium
import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import ARMS
from spikearm.errors import ConfigError
from spikearm.launch.config import RunConfig
from spikearm.launch.rl import make_env, modelled_latency_s

PAYLOAD = {"payload_kg": ARMS["planar2"].payload_kg}


def final_distance(env):
    """Distance at the end of an agent that moves its set point straight to the target [m]."""
    observed, _ = env.reset(seed=0)
    n = env.unwrapped.episodes.batch.n_joints
    for _ in range(70):
        set_point = observed[2 * n : 2 * n + 3] + observed[-3:]
        action = np.clip((env.unwrapped.target - set_point) / 0.01, -1, 1)
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


def test_environment_is_found_by_its_name():
    env = gymnasium.make(
        "spikearm.launch.rl:spikearm/ControlledReach-v0", arm="planar2", energy_cost={"energy_model_j": 100.0}
    )
    env.reset(seed=1)
    _, reward, *_, info = env.step(np.zeros(3))
    assert info["spikes"] > 0
    assert reward == pytest.approx(info["reward_goal"] - 100.0 * info["energy_model_j"])
    env.close()


def test_episode_lasts_as_long_as_the_environment_inside():
    env = make_env(controller="osc", arm="planar2", step_s=0.04)
    env.reset(seed=1)
    lengths = [env.step(np.zeros(3))[3] for _ in range(50)]
    assert lengths == [False] * 49 + [True]


def test_agent_sets_the_gains_of_the_law():
    env = make_env(config=RunConfig(gains=Gains(kp=100.0)), controller="osc", arm="planar2", action="gains")
    env.reset(seed=1)
    env.step(np.ones(1))
    law = env.env._controller._law
    assert law.gains == Gains(kp=400.0)


def test_controllers_of_joint_angles_are_refused():
    with pytest.raises(ConfigError, match="controller 'pid' follows joint angles"):
        make_env(controller="pid")


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
