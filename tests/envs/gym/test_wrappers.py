"""Wrappers, with a controller that is no more than a spring."""

import dataclasses
from dataclasses import dataclass, field

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.gym.registration import IDS
from spikearm.envs.gym.wrappers.controller_in_loop import SPEED_M_S, ControllerInLoop
from spikearm.envs.gym.wrappers.energy_cost import EnergyCost
from spikearm.envs.gym.wrappers.perturbation_schedule import PerturbationSchedule
from spikearm.errors import ConfigError, TimeStepError, UnknownNameError
from spikearm.records import Cost, OpCounts

ARM = ARMS["planar2"]
LIMITS = MujocoDynamics(ARM).torque_limits
COST = Cost(latency_s=1e-5, energy_j={"synapses": 1.5e-6, "neurons": 0.5e-6}, energy_chip_j=3e-6)
COUNTS = OpCounts(spikes=3.0, synaptic_ops=5.0)


@dataclass(frozen=True)
class Command:
    torque: np.ndarray
    cost: Cost = COST
    counts: OpCounts = COUNTS
    law_s: float = 1e-6
    network_s: float = 2e-6


@dataclass
class Spring:
    """Pulls the end effector to its target with a stiffness and the arm's own weight."""

    stiffness: float = 300.0
    targets: list = field(default_factory=list)
    applied: list = field(default_factory=list)
    n_resets: int = 0
    n_resumes: int = 0
    closed: bool = False

    def __post_init__(self):
        self.dynamics = MujocoDynamics(ARM)

    @property
    def idle_cost(self):
        return Cost(0.0, dict.fromkeys(COST.energy_j, 0.0), 0.0)

    def reset(self):
        self.n_resets += 1

    def resume(self):
        self.n_resumes += 1

    def update(self, state, target):
        self.targets.append(target)
        self.dynamics.update(state.q, state.dq)
        jacobian = self.dynamics.jacobian()[:3]
        error = target[0].position - self.dynamics.pose().position
        pull = self.stiffness * error + 30.0 * (target[1][:3] - jacobian @ state.dq)
        return Command(jacobian.T @ pull + self.dynamics.bias())

    def notify_applied(self, sent, applied):
        self.applied.append((sent, applied))

    def close(self):
        self.closed = True


def ticking(make, name="Reach", **arguments):
    settings = {
        "arm": "planar2",
        "action_mode": "torque",
        "gravity_compensation": False,
        "action_scale": LIMITS.tolist(),
        "control_dt_s": 0.001,
        "physics_dt_s": 0.001,
        "max_episode_steps": -1,
    }
    return make(name, **settings | arguments)


def controlled(make, controller=None, **settings):
    inside = ticking(make, **settings.pop("inside", {}))
    return ControllerInLoop(inside, controller or Spring(), lambda *parts: parts, **settings)


def test_agents_action_moves_the_set_point(make):
    spring = Spring()
    env = controlled(make, spring)
    env.reset(seed=1)
    start = env.unwrapped.episodes.batch.position[0].copy()
    for _ in range(5):
        env.step(np.array([1.0, 0.0]))
    assert len(spring.targets) == 5 * 20
    moved = spring.targets[-1][0].position - start
    np.testing.assert_allclose(moved, [5 * 0.02 * SPEED_M_S, 0, 0], atol=1e-12)
    np.testing.assert_allclose(spring.targets[-1][1], [SPEED_M_S, 0, 0, 0, 0, 0])


def test_end_effector_follows_the_set_point(make):
    env = controlled(make)
    env.reset(seed=1)
    batch = env.unwrapped.episodes.batch
    start = batch.position[0].copy()
    for k in range(60):
        observed, *_ = env.step(np.array([0.5 if k < 10 else 0.0, 0.0]))
    np.testing.assert_allclose(batch.position[0] - start, [0.05, 0.0, 0.0], atol=2e-3)
    np.testing.assert_allclose(observed[-3:], 0.0, atol=2e-3)


def test_info_sums_up_the_ticks(make):
    env = controlled(make, step_s=0.01)
    env.reset(seed=1)
    _, reward, _, _, info = env.step(np.zeros(2))
    assert info["spikes"] == 30.0
    assert info["synaptic_ops"] == 50.0
    assert info["energy_model_j"] == pytest.approx(2e-5)
    assert info["energy_model_synapses_j"] == pytest.approx(1.5e-5)
    assert info["energy_model_neurons_j"] == pytest.approx(0.5e-5)
    assert info["energy_chip_j"] == pytest.approx(3e-5)
    assert info["latency_model_s"] == pytest.approx(1e-4)
    assert info["deadlines_missed"] == 0
    assert "latency_law_s" not in info
    assert reward == info["reward_goal"]


def test_measured_times_are_told_on_request(make):
    env = controlled(make, step_s=0.01, timed=True)
    env.reset(seed=1)
    *_, info = env.step(np.zeros(2))
    assert info["latency_law_s"] == pytest.approx(1e-5)
    assert info["latency_network_s"] == pytest.approx(2e-5)


def test_controller_hears_what_the_limits_left(make):
    spring = Spring(stiffness=1e6)
    env = controlled(make, spring)
    env.reset(seed=1)
    _, _, _, _, info = env.step(np.array([1.0, 1.0]))
    sent, applied = spring.applied[-1]
    assert (np.abs(sent) > LIMITS).any()
    assert (np.abs(applied) <= LIMITS).all()
    np.testing.assert_array_equal(info["torque_command_nm"], sent)
    np.testing.assert_allclose(info["torque_nm"], applied)
    assert info["saturated"]


def test_tick_that_saturates_is_told_of_whichever_it_was(make):
    spring = Spring()
    env = controlled(make, spring)
    env.reset(seed=1)
    seen = []
    for k in range(20):
        spring.stiffness = 1e6 if k == 10 else 300.0
        spring.applied.clear()
        info = env.step(np.array([(-1.0) ** k, 0.0]))[4]
        cut = [(sent != applied).any() for sent, applied in spring.applied]
        seen.append((any(cut), bool(cut[-1])))
        assert info["saturated"] == any(cut)
    assert len(set(seen)) > 1


def test_set_point_stays_within_the_arms_reach(make):
    spring = Spring()
    env = controlled(make, spring)
    base, reach_m = env.reset(seed=1) and env.unwrapped.episodes.batch.reach
    for _ in range(100):
        env.step(np.array([1.0, 0.0]))
    (before, *_), (last, velocity, _) = spring.targets[-2:]
    assert np.linalg.norm(last.position - base) == pytest.approx(reach_m)
    np.testing.assert_allclose(velocity[:3], (last.position - before.position) / 0.001, atol=1e-9)


def test_agent_moves_the_axes_the_arm_controls(make):
    assert controlled(make).action_space.shape == (2,)
    one_joint = {"arm": "planar1", "action_scale": MujocoDynamics(ARMS["planar1"]).torque_limits.tolist()}
    assert controlled(make, inside=one_joint).action_space.shape == (1,)


def test_torque_comes_as_late_as_it_is_told(make):
    class LateByOne:
        def __init__(self):
            self.before = None

        def torque(self, command):
            now, self.before = self.before, command.torque
            return command.torque if now is None else now

    spring, commands = Spring(), []
    update = spring.update
    spring.update = lambda *given: commands.append(update(*given)) or commands[-1]
    env = controlled(make, spring, make_delay=LateByOne)
    for seed in range(2):
        commands.clear()
        spring.applied.clear()
        env.reset(seed=seed)
        env.step(np.array([1.0, 0.0]))
        sent = [sent for sent, _ in spring.applied]
        np.testing.assert_array_equal(sent[0], commands[0].torque)
        np.testing.assert_array_equal(sent[1:], [one.torque for one in commands[:-1]])


class Rate:
    """Takes away a newton metre, and calls that a lag in every third tick."""

    def __init__(self):
        self.n_ticks = 0

    @property
    def lags(self):
        return self.n_ticks % 3 == 0

    def torque(self, wanted):
        self.n_ticks += 1
        return wanted - 1.0


def test_controller_is_told_of_a_torque_that_lags(make):
    spring, commands = Spring(), []
    update = spring.update
    spring.update = lambda *given: commands.append(update(*given).torque) or Command(commands[-1])
    env = controlled(make, spring, make_rate=Rate, step_s=0.01)
    for seed in range(2):
        commands.clear()
        spring.applied.clear()
        env.reset(seed=seed)
        info = env.step(np.zeros(2))[4]
        sent = np.array(commands) - 1.0
        told = np.where(np.arange(1, 11)[:, None] % 3 == 0, commands, sent)
        np.testing.assert_array_equal([told for told, _ in spring.applied], told)
        np.testing.assert_array_equal([applied for _, applied in spring.applied], sent)
        np.testing.assert_array_equal(info["torque_sent_nm"], sent[-1])
        assert info["ticks_lagging"] == 3


def test_nothing_lags_without_a_bound(make):
    env = controlled(make)
    env.reset(seed=1)
    assert env.step(np.ones(2))[4]["ticks_lagging"] == 0


def test_substrate_slower_than_a_tick_misses_deadlines(make):
    spring = Spring()
    update = spring.update
    slow = Cost(latency_s=1.5e-3, energy_j={})
    spring.update = lambda *given: dataclasses.replace(update(*given), cost=slow)
    env = controlled(make, spring)
    env.reset(seed=1)
    info = env.step(np.zeros(2))[4]
    assert info["deadlines_missed"] == 20
    assert "energy_chip_j" not in info


def test_frames_come_at_the_rate_of_the_agents_steps(make):
    assert controlled(make, step_s=0.04).metadata["render_fps"] == 25


@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: EnergyCost(env, {"energy_j": 1.0}),
        lambda env: gymnasium.wrappers.FrameStackObservation(env, 2),
        gymnasium.wrappers.RecordEpisodeStatistics,
    ],
)
def test_wrappers_that_would_see_ticks_are_refused(make, wrap):
    with pytest.raises(ConfigError, match=r"put \w+ around ControllerInLoop, not inside"):
        ControllerInLoop(wrap(ticking(make)), Spring(), lambda *parts: parts)


def test_schedule_may_be_inside(make):
    faulty = PerturbationSchedule(ticking(make), [(0.01, {"payload_kg": 0.5})])
    env = ControllerInLoop(faulty, Spring(), lambda *parts: parts)
    env.reset(seed=1)
    env.step(np.zeros(2))
    assert env.unwrapped.perturbation == {"payload_kg": 0.5}


@pytest.mark.parametrize(("forget", "resets", "resumes"), [(False, 1, 2), (True, 3, 0)])
def test_controller_forgets_unless_told_to_remember(make, forget, resets, resumes):
    spring = Spring()
    env = controlled(make, spring, forget=forget)
    for seed in range(3):
        env.reset(seed=seed)
    assert (spring.n_resets, spring.n_resumes) == (resets, resumes)
    env.close()
    assert spring.closed


def test_agent_may_set_the_stiffness_instead(make):
    spring, factors = Spring(), []
    env = controlled(make, spring, action="gains", set_stiffness=factors.append)
    env.reset(seed=1)
    for action in (1.0, -1.0, 0.0):
        env.step(np.array([action]))
    assert factors == [4.0, 0.25, 1.0]
    for _ in range(100):
        env.step(np.zeros(1))
    np.testing.assert_allclose(spring.targets[-1][0].position, env.unwrapped.target, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version:UserWarning")
def test_controlled_environment_complies(make):
    env = controlled(make)
    check_env(env, skip_render_check=True, skip_close_check=True)


def test_goal_environment_keeps_its_dictionary(make):
    env = controlled(make, inside={"name": "ReachGoal"})
    observed, _ = env.reset(seed=1)
    assert env.observation_space.contains(observed)
    observed, reward, *_, info = env.step(np.zeros(2))
    compute = env.get_wrapper_attr("compute_reward")
    assert compute(observed["achieved_goal"], observed["desired_goal"], info) == reward


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"action": "torque"}, ConfigError, "action must be 'target' or 'gains', not 'torque'"),
        ({"action": "gains"}, ConfigError, "action 'gains' needs set_stiffness"),
        ({"step_s": "long"}, ConfigError, "step_s must be a positive number, not 'long'"),
        ({"step_s": 0.0205}, TimeStepError, r"step of the agent 0\.0205 s is not a multiple of tick"),
        ({"inside": {"action_scale": None}}, ConfigError, "the controller makes all torque itself"),
        ({"inside": {"gravity_compensation": True}}, ConfigError, "the controller makes all torque itself"),
        (
            {"inside": {"action_mode": "position", "action_scale": None}},
            ConfigError,
            "the controller makes all torque itself",
        ),
    ],
)
def test_controller_in_loop_refuses(make, settings, error, message):
    with pytest.raises(error, match=message):
        controlled(make, **settings)


def test_other_peoples_environments_are_refused():
    with pytest.raises(ConfigError, match="wraps environments of spikearm"):
        ControllerInLoop(gymnasium.make("CartPole-v1"), Spring(), lambda *parts: parts)


@pytest.mark.parametrize("action", [np.zeros(3), np.array([0.0, np.nan])])
def test_agents_nonsense_is_refused(make, action):
    env = controlled(make)
    env.reset(seed=1)
    with pytest.raises(ConfigError, match=r"action must be 2 finite numbers in \[-1, 1\]"):
        env.step(action)


def test_cost_is_taken_from_the_reward(make):
    plain, paying = make(arm="planar2"), EnergyCost(make(arm="planar2"), {"energy_j": 3.0})
    for env in (plain, paying):
        env.reset(seed=1)
    action = np.array([0.5, -0.5], np.float32)
    (_, free, _, _, info), (_, paid, _, _, with_cost) = plain.step(action), paying.step(action)
    assert paid == pytest.approx(free - 3.0 * info["energy_j"])
    assert with_cost["reward_cost"] == pytest.approx(-3.0 * info["energy_j"])


@pytest.mark.slow
@pytest.mark.parametrize(("copied", "share_without_cost"), [(True, 0.0), (False, 0.8)])
def test_hindsight_keeps_costs_only_if_it_is_told_to(make, copied, share_without_cost):
    """Four of five goals are made up; the rest keep their reward."""
    sb3 = pytest.importorskip("stable_baselines3")
    agent = sb3.SAC(
        "MultiInputPolicy",
        EnergyCost(make("ReachGoal", arm="planar2"), {"energy_j": 5.0}),
        replay_buffer_class=sb3.HerReplayBuffer,
        replay_buffer_kwargs={"copy_info_dict": copied, "n_sampled_goal": 4},
        learning_starts=1000,
        policy_kwargs={"net_arch": [8]},
        seed=0,
    )
    agent.learn(300)
    rewards = agent.replay_buffer.sample(200).rewards.numpy()
    assert np.isin(rewards, (-1.0, 0.0)).mean() == pytest.approx(share_without_cost, abs=0.1)


def test_cost_of_what_is_not_counted_is_refused_when_it_is_made(make):
    wanted = r"no entry of info that is one number named 'energy'.*Did you mean 'energy_j'"
    with pytest.raises(UnknownNameError, match=wanted):
        EnergyCost(make(arm="planar2"), {"energy": 1.0})


def test_price_of_a_term_of_the_controllers_substrate_is_checked_when_it_is_made(make):
    env = controlled(make)
    assert EnergyCost(env, {"energy_model_synapses_j": 1.0}).env is env
    wanted = r"named 'energy_model_synapse_j'.*Did you mean 'energy_model_synapses_j'"
    with pytest.raises(UnknownNameError, match=wanted):
        EnergyCost(env, {"energy_model_synapse_j": 1.0})


class Counting(gymnasium.Wrapper):
    """A wrapper as anybody may write one: it adds to ``info``."""

    def step(self, action):
        *outcome, info = self.env.step(action)
        return *outcome, info | {"steps": 1}


def test_prices_may_be_of_what_another_wrapper_adds_which_the_first_step_tells(make):
    env = EnergyCost(Counting(make(arm="planar2")), {"steps": 2.0})
    env.reset(seed=1)
    assert env.step(np.zeros(2))[-1]["reward_cost"] == -2.0
    env = EnergyCost(Counting(make(arm="planar2")), {"step": 2.0})
    env.reset(seed=1)
    with pytest.raises(UnknownNameError, match=r"no entry of info named 'step'.*Did you mean 'steps'\?"):
        env.step(np.zeros(2))
    env = EnergyCost(Counting(make(arm="planar2")), {"energy": 1.0})
    env.reset(seed=1)
    with pytest.raises(UnknownNameError, match=r"no entry of info named 'energy'.*Did you mean 'energy_j'\?"):
        env.step(np.zeros(2))


def assert_every_number_is_named(env):
    """Before the first step, all that the step then says in one number; and no more."""
    named = env.get_wrapper_attr("info_numbers")
    env.reset(seed=1)
    *_, info = env.step(np.zeros(env.action_space.shape))
    assert sorted(named) == sorted(name for name, value in info.items() if np.ndim(value) == 0)


@pytest.mark.parametrize("inside", [{}, {"reward_weights": {"action": 0.1, "energy": 0.1}}])
@pytest.mark.parametrize("ticked", [False, True])
def test_every_number_of_info_is_named_before_the_first_step(make, inside, ticked):
    env = controlled(make, inside=inside, timed=True) if ticked else make(arm="planar2", **inside)
    assert_every_number_is_named(env)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("weights", [{}, {"reward_weights": {"action": 0.1, "energy": 0.1}}])
def test_every_environment_names_the_numbers_of_its_info(make, env_id, weights):
    name = env_id.removeprefix("spikearm/").removesuffix("-v0")
    assert_every_number_is_named(
        make(name, **({} if name == "PlantFamily" else {"arm": "planar2"}), **weights)
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "EnergyCost needs at least one weight"),
        (3, "EnergyCost needs at least one weight by name, .*; got 3"),
        ({"energy_j": -1.0}, "weight of energy_j must be"),
        ({"energy_j": "much"}, "weight of energy_j must be a number of 0 or more, not 'much'"),
    ],
)
def test_energy_cost_refuses(make, weights, message):
    with pytest.raises(ConfigError, match=message):
        EnergyCost(make(arm="planar2"), weights)


def test_schedule_strikes_in_every_episode(make):
    env = PerturbationSchedule(make(arm="planar2"), [(0.06, {"payload_kg": 0.5})])
    for seed in range(2):
        env.reset(seed=seed, options={"faults": [(0.1, {"joint_friction": 0.2})]})
        seen = []
        for _ in range(7):
            env.step(np.zeros(2))
            seen.append(env.unwrapped.perturbation)
        assert seen[2] == {}
        assert seen[3] == {"payload_kg": 0.5}
        assert seen[6] == {"payload_kg": 0.5, "joint_friction": 0.2}


def test_schedule_is_checked_when_it_is_made(make):
    with pytest.raises(UnknownNameError, match="no perturbation named 'payload'"):
        PerturbationSchedule(make(arm="planar2"), [(0.1, {"payload": 1.0})])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"joint_friction": [1.0, 2.0, 3.0]},
            ConfigError,
            "joint_friction has 3 values, the arm has 2 joints",
        ),
        ({"delay_s": 0.03}, TimeStepError, "sensor delay 0.03 s is not a multiple of control step 0.02 s"),
    ],
)
def test_faults_that_do_not_fit_the_arm_are_refused_when_the_schedule_is_made(make, settings, error, message):
    with pytest.raises(error, match=message):
        PerturbationSchedule(make(arm="planar2"), [(0.1, settings)])


def test_schedule_of_another_environment_is_refused():
    with pytest.raises(ConfigError, match="PerturbationSchedule wraps environments of spikearm, not"):
        PerturbationSchedule(gymnasium.make("CartPole-v1"), [(0.1, {"payload_kg": 0.5})])


def test_wrapped_environment_is_made_again_from_its_spec(make):
    faulty = PerturbationSchedule(make(arm="planar2"), [(0.1, {"payload_kg": 0.5})])
    env = EnergyCost(faulty, {"energy_j": 1.0})
    twin = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    for one in (env, twin):
        one.reset(seed=1)
    for _ in range(8):
        a, b = env.step(np.ones(2, np.float32)), twin.step(np.ones(2, np.float32))
        np.testing.assert_array_equal(a[0], b[0])
        assert a[1] == b[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (5, "options of reset must be a dictionary, not 5"),
        ({"faults": 5}, "faults"),
    ],
)
def test_options_that_are_none_are_refused_by_a_schedule(make, options, message):
    env = PerturbationSchedule(make(arm="planar2"), [(0.06, {"payload_kg": 0.5})])
    with pytest.raises(ConfigError, match=message):
        env.reset(options=options)


def test_entry_of_info_that_is_no_number_has_no_price(make):
    wanted = "no entry of info that is one number named 'torque_nm'"
    with pytest.raises(UnknownNameError, match=wanted):
        EnergyCost(make(arm="planar2"), {"torque_nm": 1.0})
    env = EnergyCost(Counting(make(arm="planar2")), {"torque_nm": 1.0})
    env.reset(seed=1)
    with pytest.raises(ConfigError, match="torque_nm of info is not one number and has no price"):
        env.step(np.zeros(2))


def test_text_is_no_action(make):
    env = controlled(make)
    env.reset(seed=1)
    with pytest.raises(ConfigError, match="action must be numbers, not 'ab'"):
        env.step("ab")
