"""A spiking controller in the loop of an environment, by names."""

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import ARMS
from spikearm.envs.gym.datasheet import data_sheet
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.launch.config import RunConfig
from spikearm.launch.rl import TASKS, make_env, modelled_latency_s

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
        assert data_equivalence(a[0], b[0], exact=True)
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


def test_misspelt_cost_is_refused_when_the_environment_is_made():
    wanted = r"no entry of info that is one number named 'energy_modl_j'.*Did you mean 'energy_model_j'\?"
    with pytest.raises(UnknownNameError, match=wanted):
        gymnasium.make(NAME, arm="planar2", energy_cost={"energy_modl_j": 100.0})


def test_every_number_of_info_is_named_before_the_first_step(named):
    numbers = named.get_wrapper_attr("info_numbers")
    named.reset(seed=1)
    *_, info = named.step(np.zeros(2))
    assert sorted(numbers) == sorted(name for name, value in info.items() if np.ndim(value) == 0)


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
    law = env.unwrapped.controlled._controller._law
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


def ticks(config, n=20, **arguments):
    """Torques decided and sent, tick by tick, each of shape (n, n_joints) [N m]."""
    env = make_env(config=config, arm="planar2", step_s=0.001, **arguments)
    env.reset(seed=1)
    infos = [env.step(np.array([(-1.0) ** k, 1.0]))[-1] for k in range(n)]
    env.close()
    return [np.array([info[name] for info in infos]) for name in ("torque_command_nm", "torque_sent_nm")]


def test_torques_are_sent_as_they_are_decided():
    decided, sent = ticks(RunConfig(controller="osc"), torque_rate_nm_s=1e9)
    np.testing.assert_array_equal(sent, decided)


def test_modelled_latency_delays_every_tick():
    """A latency of less than a tick counts as a whole one."""
    decided, sent = ticks(RunConfig(actuation_delay="modelled", backend="crossbar"), torque_rate_nm_s=1e9)
    np.testing.assert_array_equal(sent[1:], decided[:-1])
    assert (sent[1:] != decided[1:]).any()


@pytest.mark.parametrize("delay", ["none", "modelled"])
def test_torque_changes_no_faster_than_it_may(delay):
    decided, sent = ticks(RunConfig(backend="crossbar", actuation_delay=delay), torque_rate_nm_s=20.0)
    assert np.abs(np.diff(decided, axis=0)).max() > 0.02
    assert np.abs(np.diff(sent, axis=0)).max() == pytest.approx(0.02)


def test_torque_changes_no_faster_than_in_runs_unless_it_is_said():
    by_default, sent = (
        ticks(RunConfig(controller="osc")),
        ticks(RunConfig(controller="osc"), torque_rate_nm_s=1000.0),
    )
    np.testing.assert_array_equal(by_default[1], sent[1])
    assert np.abs(np.diff(sent[1], axis=0)).max() == pytest.approx(1.0)
    named, given = ticks(RunConfig(torque_rate_nm_s=20.0)), ticks(RunConfig(), torque_rate_nm_s=20.0)
    np.testing.assert_array_equal(named[1], given[1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_adaptive_controller_settles_although_torques_lag_behind_its_set_point(seed):
    """Learning from torques that have not arrived yet, the arm swings by more than 10 cm, and never stops."""
    env = make_env(perturbation={"payload_kg": 0.9})
    observed, _ = env.reset(seed=seed)
    distances = []
    for _ in range(100):
        way = observed[-6:-3] - observed[-3:]  # target less set point: each is told less the end effector
        observed, *_, info = env.step(way / max(np.linalg.norm(way), 0.01))
        distances.append(info["distance_m"])
    env.close()
    assert max(distances[-20:]) < 0.02


def test_torque_lags_while_an_agent_acts_at_random():
    """And no more once it is quiet."""
    env = make_env(arm="planar2", controller="osc")
    env.action_space.seed(0)
    env.reset(seed=0)
    random = [env.step(env.action_space.sample())[-1]["ticks_lagging"] for _ in range(20)]
    quiet = [env.step(np.zeros(2))[-1]["ticks_lagging"] for _ in range(20)]
    env.close()
    assert sum(random) > 0.3 * 20 * 20
    assert max(random) <= 20
    assert sum(quiet[1:]) == 0


def test_rate_of_the_torque_is_counted_anew_in_every_episode():
    env = make_env(torque_rate_nm_s=0.1, controller="osc", arm="planar2", step_s=0.001)
    for start in ([0.5, 1.0], [-0.5, 1.0]):
        env.reset(seed=1, options={"start": start})
        info = env.step(np.zeros(2))[-1]
        np.testing.assert_array_equal(info["torque_sent_nm"], info["torque_command_nm"])
    env.close()


@pytest.mark.parametrize("level", [0.0, 0.5, 3.0])
def test_action_that_is_priced_is_the_agents(level):
    arguments = {"arm": "planar2", "reward_weights": {"action": 0.01, "energy": 0.1}}
    env = make_env(controller="osc", **arguments)
    env.reset(seed=0)
    _, reward, *_, info = env.step(np.array([level, 0.0]))
    assert info["reward_action"] == pytest.approx(-0.01 * min(level, 1.0) ** 2)
    assert info["reward_energy"] == pytest.approx(-0.1 * info["energy_j"])
    assert reward == pytest.approx(info["reward_goal"] + info["reward_action"] + info["reward_energy"])
    env.close()


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


@pytest.fixture
def made(request):
    env = make_env(request.param, arm="planar2", controller="osc", config=RunConfig(control_dt_s=0.002))
    yield env
    env.close()


@pytest.mark.parametrize("made", TASKS, indirect=True)
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version:UserWarning")
def test_every_task_complies_with_a_controller_in_its_loop(made):
    check_env(made, skip_render_check=True)
    check = pytest.importorskip("stable_baselines3.common.env_checker").check_env
    check(made.unwrapped, warn=False, skip_render_check=True)


@pytest.mark.parametrize("made", TASKS, indirect=True)
@pytest.mark.parametrize(
    "copy",
    [
        lambda env: gymnasium.make(EnvSpec.from_json(env.spec.to_json())),
        lambda env: pickle.loads(pickle.dumps(env)),  # noqa: S301 (our own bytes)
    ],
    ids=["spec", "pickle"],
)
def test_every_task_is_made_again(made, copy):
    twin = copy(made)
    assert twin.unwrapped.config == made.unwrapped.config
    assert twin.spec.max_episode_steps == made.spec.max_episode_steps
    assert_same_rollouts(made, twin)


@pytest.mark.parametrize("name", ["TrackGoal", "PayloadReachGoal"])
def test_hindsight_finds_the_rewards_in_the_loop(name):
    env = make_env(f"spikearm/{name}-v0", arm="planar2", controller="osc", reward_weights={"action": 0.1})
    env.reset(seed=1)
    observed, reward, *_, info = env.step(np.ones(2))
    compute = env.get_wrapper_attr("compute_reward")
    assert compute(observed["achieved_goal"], observed["desired_goal"], info) == reward
    env.close()


@pytest.mark.parametrize("name", ["target", "perturbation", "joint_state", "model", "data", "config"])
def test_what_the_environment_inside_has_is_found(named, name):
    named.reset(seed=1)
    inside = getattr(named.unwrapped.arm_env, name)
    assert type(named.get_wrapper_attr(name)) is type(inside)


def test_what_it_has_not_is_not_found(named):
    assert not hasattr(named.unwrapped, "compute_reward")
    assert not hasattr(named.unwrapped, "_nothing")


def test_sheet_is_of_the_agents_actions(named):
    table = data_sheet(named)
    observed, _ = named.reset(seed=1)
    assert "| 0 | velocity of the set point along x | -0.5 | 0.5 | m/s |" in table
    assert "| 1 | velocity of the set point along z | -0.5 | 0.5 | m/s |" in table
    assert f"| {len(observed) - 1} | set point z less end effector |" in table
    assert table.count("\n| ") == 2 + len(observed) + 1
    assert data_sheet(named.unwrapped.controlled) == table


def test_sheet_of_gains_has_their_factors():
    env = make_env(arm="planar2", controller="osc", action="gains")
    assert "| 0 | factor on the stiffness | 0.25 | 4 | times |" in data_sheet(env)
    env.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"env_id": "CartPole-v1"}, UnknownNameError, "no environment of spikearm .* named 'CartPole-v1'"),
        ({"env_id": "spikearm/PlantFamily-v0"}, UnknownNameError, "with an end effector named"),
        ({"backend": 5}, ConfigError, "backend must be a name, not 5"),
        ({"forget": "no"}, ConfigError, "forget must be True or False, not 'no'"),
        (
            {"max_episode_steps": 0},
            ConfigError,
            "max_episode_steps must be a whole number of 1 or more",
        ),
        ({"config": 5}, ConfigError, "config must be a RunConfig, or settings of one by name; not 5"),
        ({"config": {"tick": 1}}, UnknownNameError, "no key named 'tick'"),
        ({"config": {"trials": 3}}, ConfigError, "trials of a run .* no effect on an environment"),
        ({"config": {"torque_rate_nm_s": -5.0}}, ConfigError, "torque_rate_nm_s must be a positive number"),
        ({"torque_rate_nm_s": "fast"}, ConfigError, "torque_rate_nm_s must be a positive number, not 'fast'"),
        ({"seed": "x"}, ConfigError, "seed must be a whole number of 0 or more, not 'x'"),
        ({"torque_rate_nm_s": -1.0}, ConfigError, "torque_rate_nm_s must be a positive number, not -1.0"),
        ({"step_s": "long"}, ConfigError, "step_s must be a positive number, not 'long'"),
    ],
)
def test_make_env_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        make_env(**arguments)


def test_limit_of_minus_one_is_none():
    env = make_env(arm="planar2", controller="osc", max_episode_steps=-1)
    env.reset(seed=1)
    assert not any(env.step(np.zeros(2))[3] for _ in range(101))
    env.close()
