"""Wrappers, with a controller that is no more than a spring."""

from dataclasses import dataclass, field

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.gym.wrappers.controller_in_loop import SPEED_M_S, ControllerInLoop
from spikearm.envs.gym.wrappers.energy_cost import EnergyCost
from spikearm.envs.gym.wrappers.perturbation_schedule import PerturbationSchedule
from spikearm.errors import ConfigError, TimeStepError, UnknownNameError
from spikearm.records import Cost, OpCounts

ARM = ARMS["planar2"]
LIMITS = MujocoDynamics(ARM).torque_limits
COST = Cost(latency_s=1e-5, energy_j={"all": 2e-6})
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
    closed: bool = False

    def __post_init__(self):
        self.dynamics = MujocoDynamics(ARM)

    def reset(self):
        self.n_resets += 1

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
        env.step(np.array([1.0, 0.0, 0.0]))
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
        observed, *_ = env.step(np.array([0.5 if k < 10 else 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(batch.position[0] - start, [0.05, 0.0, 0.0], atol=2e-3)
    np.testing.assert_allclose(observed[-3:], 0.0, atol=2e-3)


def test_info_sums_up_the_ticks(make):
    env = controlled(make, step_s=0.01)
    env.reset(seed=1)
    _, reward, _, _, info = env.step(np.zeros(3))
    assert info["spikes"] == 30.0
    assert info["synaptic_ops"] == 50.0
    assert info["energy_model_j"] == pytest.approx(2e-5)
    assert info["latency_model_s"] == pytest.approx(1e-4)
    assert info["latency_law_s"] == pytest.approx(1e-5)
    assert info["latency_network_s"] == pytest.approx(2e-5)
    assert reward == info["reward_goal"]


def test_controller_hears_what_the_limits_left(make):
    spring = Spring(stiffness=1e6)
    env = controlled(make, spring)
    env.reset(seed=1)
    _, _, _, _, info = env.step(np.array([1.0, 0.0, 1.0]))
    sent, applied = spring.applied[-1]
    assert (np.abs(sent) > LIMITS).any()
    assert (np.abs(applied) <= LIMITS).all()
    assert info["saturated"]


@pytest.mark.parametrize(("forget", "resets"), [(False, 1), (True, 3)])
def test_controller_remembers_unless_told_to_forget(make, forget, resets):
    spring = Spring()
    env = controlled(make, spring, forget=forget)
    for seed in range(3):
        env.reset(seed=seed)
    assert spring.n_resets == resets
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
    env = controlled(make, forget=True)
    check_env(env, skip_render_check=True, skip_close_check=True)


def test_goal_environment_keeps_its_dictionary(make):
    env = controlled(make, inside={"name": "ReachGoal"})
    observed, _ = env.reset(seed=1)
    assert env.observation_space.contains(observed)
    observed, reward, *_, info = env.step(np.zeros(3))
    compute = env.get_wrapper_attr("compute_reward")
    assert compute(observed["achieved_goal"], observed["desired_goal"], info) == reward


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"action": "torque"}, ConfigError, "action must be 'target' or 'gains', not 'torque'"),
        ({"action": "gains"}, ConfigError, "action 'gains' needs set_stiffness"),
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


@pytest.mark.parametrize("action", [np.zeros(2), np.array([0.0, np.nan, 0.0])])
def test_agents_nonsense_is_refused(make, action):
    env = controlled(make)
    env.reset(seed=1)
    with pytest.raises(ConfigError, match=r"action must be 3 finite numbers in \[-1, 1\]"):
        env.step(action)


def test_cost_is_taken_from_the_reward(make):
    plain, paying = make(arm="planar2"), EnergyCost(make(arm="planar2"), {"energy_j": 3.0})
    for env in (plain, paying):
        env.reset(seed=1)
    action = np.array([0.5, -0.5], np.float32)
    (_, free, _, _, info), (_, paid, _, _, with_cost) = plain.step(action), paying.step(action)
    assert paid == pytest.approx(free - 3.0 * info["energy_j"])
    assert with_cost["reward_cost"] == pytest.approx(-3.0 * info["energy_j"])


def test_cost_of_what_is_not_counted_is_refused(make):
    env = EnergyCost(make(arm="planar2"), {"energy": 1.0})
    env.reset(seed=1)
    with pytest.raises(UnknownNameError, match=r"no entry of info named 'energy'.*Did you mean 'energy_j'"):
        env.step(np.zeros(2))


@pytest.mark.parametrize(
    ("weights", "message"),
    [({}, "EnergyCost needs at least one weight"), ({"energy_j": -1.0}, "weight of energy_j must be")],
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
