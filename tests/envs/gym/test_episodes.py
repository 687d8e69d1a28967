"""Options, perturbations, sensors, delays: what an episode is told is what happens."""

import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import (
    ClosedError,
    ConfigError,
    NotFiniteError,
    SpikearmError,
    TimeStepError,
    UnknownNameError,
    UnreachableError,
)

HOME = np.asarray(ARMS["planar2"].home)
N = 2


@pytest.fixture
def env(make):
    return make(arm="planar2", action_mode="torque")


def angles(env, actions, **reset):
    env.reset(**reset)
    return np.array([env.step(action)[0][:N] for action in actions])


def test_options_are_followed(env):
    observed, info = env.reset(
        seed=1, options={"start": HOME + 0.2, "target": [0.3, 0.0, 0.6], "payload_kg": 0.4}
    )
    np.testing.assert_array_equal(observed[:N], HOME + 0.2)
    np.testing.assert_array_equal(env.unwrapped.target, [0.3, 0.0, 0.6])
    assert env.unwrapped.perturbation == {"payload_kg": 0.4}
    assert info["payload_kg"] == 0.4


def test_options_hold_for_one_episode(env):
    env.reset(seed=1, options={"payload_kg": 0.4, "start": HOME})
    observed, info = env.reset()
    assert info["payload_kg"] == 0.0
    assert (observed[:N] != HOME).any()


def test_reset_tells_everything_of_the_perturbation_that_was_drawn(make):
    """What a critic may know, and a test of identification: the observation does not have it."""
    ranges = {"joint_friction": [0.1, 0.2], "force_n": [[-1, 0, 2], [1, 0, 3]]}
    env = make(arm="planar2", perturbation={"actuator_gain": [0.8, 1.0]}, perturbation_range=ranges)
    _, info = env.reset(seed=1)
    drawn = env.unwrapped.perturbation
    assert set(vars(NO_PERTURBATION)) < set(info)
    assert info["joint_friction"].tolist() == [drawn["joint_friction"]] * 2
    assert info["actuator_gain"].tolist() == [0.8, 1.0]
    assert info["force_n"].tolist() == list(drawn["force_n"])
    assert info["force_field"].tolist() == np.zeros((3, 3)).tolist()
    assert info["delay_s"] == 0.0
    before = info["force_n"].copy()
    env.reset()
    assert info["force_n"].tolist() == before.tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"payload_kg": 0.3},
        {"start": HOME},
        {"target": [0.3, 0.0, 0.6]},
        {"perturbation": {"force_n": [1.0, 0.0, 0.0]}},
    ],
)
def test_option_changes_nothing_else_that_is_drawn(make, options):
    ranges = {"payload_kg": [0.0, 0.5], "joint_friction": [0.0, 0.2]}
    settings = {"arm": "planar2", "observation_noise": (0.01, 0.1), "perturbation_range": ranges}
    env = make(**settings).unwrapped
    drawn = []
    for told in (None, options):
        env.reset(seed=1, options=told)
        episodes = env.episodes
        parts = {
            "start": episodes.batch.q[0].copy(),
            "target": env.target,
            "payload_kg": env.perturbation["payload_kg"],
            "friction": env.perturbation["joint_friction"],
            "noise": episodes.measured()[0][0] - episodes.batch.q[0],
            "next": env.np_random.random(),
        }
        drawn.append(parts)
    for name in parts.keys() - options.keys():
        np.testing.assert_allclose(drawn[0][name], drawn[1][name], atol=1e-15, err_msg=name)


def test_option_changes_no_random_plant(make):
    env = make("PlantFamily").unwrapped
    env.reset(seed=1)
    free = env.model.body_mass.copy()
    env.reset(seed=1, options={"start": np.zeros(3), "payload_kg": 0.1})
    np.testing.assert_array_equal(env.model.body_mass[:-1], free[:-1])


@pytest.mark.parametrize(
    "options",
    [{"payload_kg": -1}, {"target": [9.0, 0.0, 0.0]}, {"start": [9.0, 9.0]}, {"faults": [(0.1, {"a": 1})]}],
)
def test_refused_option_uses_up_nothing(make, options):
    env, twin = make("PayloadReach", arm="planar2"), make("PayloadReach", arm="planar2")
    for one in (env, twin):
        one.reset(seed=1)
    for settings in (options, {"seed": 5, "options": options}):
        with pytest.raises(SpikearmError):
            env.reset(**(settings if "seed" in settings else {"options": settings}))
    np.testing.assert_array_equal(env.reset()[0], twin.reset()[0])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"payload": 1}, UnknownNameError, r"no option of reset named 'payload'.*Did you mean 'payload_kg'"),
        ({"payload_kg": -1.0}, ConfigError, r"payload_kg must be 0 or more, not -1\.0"),
        ({"payload_kg": float("nan")}, ConfigError, "payload_kg must be finite"),
        ({"perturbation": {"frictoin": 1}}, UnknownNameError, "no perturbation named 'frictoin'"),
        (
            {"perturbation": {"joint_friction": (1, 2, 3)}},
            ConfigError,
            "joint_friction has 3 values, the arm has 2",
        ),
        (
            {"perturbation": {"delay_s": 0.03}},
            TimeStepError,
            "sensor delay 0.03 s is not a multiple of control",
        ),
        ({"start": [0.0]}, ConfigError, r"start must be 2 finite joint angles \[rad\], not \[0\.0\]"),
        ({"start": [0.0, 9.0]}, ConfigError, r"start of joint 1 is 9 rad, its range is -2\.6 to 2\.6 rad"),
        ({"target": [0.3, 0.6]}, ConfigError, "target must be three finite numbers of metres"),
        ({"target": "there"}, ConfigError, "target must be numbers, not 'there'"),
        ({"payload_kg": "1"}, ConfigError, "payload_kg must be a number or a list of numbers, not '1'"),
        ({"payload_kg": True}, ConfigError, "payload_kg must be a number or a list of numbers, not True"),
        ({"start": [True, False]}, ConfigError, r"start must be numbers, not \[True, False\]"),
        (
            {"target": [2.0, 0.0, 0.5]},
            UnreachableError,
            r"is 2 m from the arm's first joint, which reaches 0\.78",
        ),
        ({"faults": [0.5]}, ConfigError, r"a fault is a pair of a time \[s\] and settings"),
        ({"faults": [(-1.0, {})]}, ConfigError, r"time of a fault must be a number of 0 or more, not -1\.0"),
        ({"faults": 5}, ConfigError, r"faults must be a list of pairs, .*; got 5"),
        ({"perturbation": 3}, ConfigError, "perturbation must be a dictionary of settings by name, not 3"),
        ("payload", ConfigError, "options of reset must be a dictionary, not 'payload'"),
        ({"faults": [(0.5, {"payload": 1})]}, UnknownNameError, "no perturbation named 'payload'"),
    ],
)
def test_option_that_makes_no_sense_is_refused(env, options, error, message):
    env.reset(seed=1)
    with pytest.raises(error, match=message):
        env.reset(options=options)
    env.step(np.zeros(N, np.float32))  # the episode before goes on


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        ([0.0, np.nan], NotFiniteError, r"action 1 is nan; actions must be finite numbers in \[-1, 1\]"),
        ([np.inf, 0.0], NotFiniteError, "action 0 is inf"),
        (["a", "b"], ConfigError, r"actions must be real numbers, not str\d+: "),
        ([1j, 0.0], ConfigError, "actions must be real numbers, not complex128"),
        ([[0.0], [1.0, 2.0]], ConfigError, r"actions must be an array of numbers, not \[\[0"),
        ([0.0], ConfigError, r"action of shape \(1,\), this environment takes \(2,\)"),
        ([[0.0, 0.0]], ConfigError, r"action of shape \(1, 2\), this environment takes \(2,\)"),
    ],
)
def test_action_that_makes_no_sense_is_refused_and_loses_nothing(make, env, action, error, message):
    twin = make(arm="planar2", action_mode="torque")
    for one in (env, twin):
        one.reset(seed=2)
    with pytest.raises(error, match=message):
        env.unwrapped.step(action)
    good = np.full(N, 0.3, np.float32)
    np.testing.assert_array_equal(env.step(good)[0], twin.step(good)[0])


def test_actions_beyond_the_box_are_cut(make, env):
    twin = make(arm="planar2", action_mode="torque")
    wild, cut = [np.full(N, 7.0)] * 5, [np.ones(N)] * 5
    np.testing.assert_array_equal(angles(env.unwrapped, wild, seed=1), angles(twin, cut, seed=1))


def test_fault_strikes_at_its_time(make, env):
    actions = [np.full(N, 0.2)] * 20
    healthy = angles(env, actions, seed=3)
    faulty = angles(env, actions, seed=3, options={"faults": [(0.2, {"joint_damping": 3.0})]})
    np.testing.assert_array_equal(faulty[:10], healthy[:10])
    assert (faulty[11:] != healthy[11:]).any()
    assert env.unwrapped.perturbation == {"joint_damping": 3.0}


def test_faults_add_up_in_order_of_time(env):
    faults = [(0.1, {"payload_kg": 0.5}), (0.04, {"joint_friction": 0.3}), (0.1, {"joint_friction": 0.0})]
    seen = []
    env.reset(seed=1, options={"faults": faults})
    for _ in range(7):
        env.step(np.zeros(N))
        seen.append(env.unwrapped.perturbation)
    assert seen[:2] == [{}, {}]
    assert seen[2:5] == [{"joint_friction": 0.3}] * 3
    assert seen[5:] == [{"payload_kg": 0.5}] * 2


def test_payload_of_an_episode_is_drawn_from_its_range(make):
    env = make("PayloadReach", arm="planar2")
    drawn = [env.reset(seed=seed)[1]["payload_kg"] for seed in range(20)]
    assert 0 <= min(drawn) < 0.3 < 0.6 < max(drawn) <= ARMS["planar2"].payload_kg


def test_callers_payload_is_every_episodes_payload(make):
    env = make("PayloadReach", arm="planar2", perturbation={"payload_kg": 0.5})
    assert {env.reset(seed=seed)[1]["payload_kg"] for seed in range(5)} == {0.5}
    assert np.abs(env.unwrapped.perturbation["payload_offset_m"]).max() > 0.0


def test_callers_range_leaves_the_payload(make):
    env = make("PayloadReach", arm="planar2", perturbation_range={"joint_friction": [0.1, 1.0]})
    drawn = [env.reset(seed=seed)[1]["payload_kg"] for seed in range(10)]
    assert max(drawn) > 0.4
    assert 0.1 <= env.unwrapped.perturbation["joint_friction"] <= 1.0


def test_one_noise_leaves_the_other(make):
    env = make(
        arm="planar2", observation_noise=(0.01, 0.0), perturbation={"sensor_noise_dq_rad_s": 0.2}
    ).unwrapped
    env.reset(seed=1)
    assert env.perturbation == {"sensor_noise_q_rad": 0.01, "sensor_noise_dq_rad_s": 0.2}


def test_delay_is_drawn_in_whole_steps(make):
    env = make(arm="planar2", perturbation_range={"delay_s": [0.0, 0.06]})
    seen = set()
    for seed in range(30):
        env.reset(seed=seed)
        seen.add(round(env.unwrapped.perturbation.get("delay_s", 0.0) / 0.02, 9))
    assert seen == {0.0, 1.0, 2.0, 3.0}


def test_range_of_the_callers_own_is_kept_to(make):
    env = make(
        arm="planar2",
        perturbation={"joint_friction": 0.1},
        perturbation_range={"force_n": [[-1, 0, 2], [1, 0, 3]], "actuator_gain": [0.8, 1.2]},
    )
    for seed in range(10):
        env.reset(seed=seed)
        has = env.unwrapped.perturbation
        assert has["joint_friction"] == 0.1
        assert 0.8 <= has["actuator_gain"] <= 1.2
        x, y, z = has["force_n"]
        assert -1 <= x <= 1
        assert y == 0
        assert 2 <= z <= 3


def test_noise_is_of_the_size_asked_for_and_only_seen(make):
    quiet = make(arm="planar2", action_mode="torque")
    noisy = make(arm="planar2", action_mode="torque", observation_noise=(0.01, 0.1))
    actions = [np.zeros(N)] * 90
    difference = angles(noisy, actions, seed=1) - angles(quiet, actions, seed=1)
    assert difference.std() == pytest.approx(0.01, rel=0.2)
    np.testing.assert_array_equal(noisy.unwrapped.episodes.batch.q, quiet.unwrapped.episodes.batch.q)


def test_end_effector_is_observed_through_the_joint_sensors(make):
    env = make(arm="planar2", perturbation={"delay_s": 0.04}, action_mode="torque")
    seen = [env.reset(seed=1)[0]]
    seen += [env.step(np.full(N, 0.5))[0] for _ in range(5)]
    fresh = make(arm="planar2", action_mode="torque")
    true = [fresh.reset(seed=1)[0]]
    true += [fresh.step(np.full(N, 0.5))[0] for _ in range(5)]
    for k in range(3, 6):
        np.testing.assert_array_equal(seen[k][:7], true[k - 2][:7])  # q, dq, position: two steps old


@pytest.mark.parametrize(("delay_s", "ticks", "share"), [(0.04, 2, 0.0), (0.03, 1, 0.5), (0.0295, 1, 0.5)])
def test_delayed_torque_arrives_late(make, delay_s, ticks, share):
    """The applied torque of the last physics step tells; half a step late, the first half is the old one."""
    env = make(arm="planar2", action_mode="torque", action_delay_s=delay_s)
    env.reset(seed=1)
    batch = env.unwrapped.episodes.batch
    given, arrived = [], []
    for value in (0.1, 0.2, 0.3, 0.4, 0.5):
        env.step(np.full(N, value))
        given.append(value)
        arrived.append(batch.control[0, :, 0] / env.unwrapped.episodes.commands.scale[0])
    n_sub = batch.n_substeps
    late = round(share * n_sub)
    for k in range(ticks + 1, 5):
        np.testing.assert_allclose(arrived[k][late:], given[k - ticks], rtol=1e-6)
        np.testing.assert_allclose(arrived[k][:late], given[k - ticks - 1], rtol=1e-6)


def test_position_command_moves_by_its_scale_and_stops_at_the_range(make):
    env = make(arm="planar2", action_mode="position", action_scale=0.1, max_episode_steps=1000)
    env.reset(seed=1, options={"start": HOME})
    commands = env.unwrapped.episodes.commands
    env.step(np.array([1.0, -0.5]))
    np.testing.assert_allclose(commands.current[0], HOME + np.array((0.1, -0.05)))
    for _ in range(100):
        env.step(np.array([1.0, 1.0]))
    np.testing.assert_allclose(commands.current[0], [2.6, 2.6])


@pytest.mark.parametrize("name", ["iiwa14", "ur5e", "planar3"])
def test_pose_command_moves_the_end_effector_by_its_scale(make, name):
    env = make(arm=name, max_episode_steps=1000)
    env.reset(seed=1, options={"start": list(ARMS[name].home)})
    batch = env.unwrapped.episodes.batch
    before, frame = batch.position[0].copy(), batch.quaternion[0].copy()
    action = np.zeros(env.action_space.shape)
    action[0] = -1.0
    for _ in range(5):
        env.step(action)
    for _ in range(60):
        env.step(np.zeros(env.action_space.shape))
    np.testing.assert_allclose(batch.position[0] - before, [-0.05, 0.0, 0.0], atol=3e-3)
    assert abs(batch.quaternion[0] @ frame) > 1 - 1e-4


def test_still_arm_stays_still_in_pose_mode(make):
    env = make(arm="iiwa14")
    observed, _ = env.reset(seed=1, options={"start": list(ARMS["iiwa14"].home)})
    for _ in range(50):
        observed, *_ = env.step(np.zeros(6))
    np.testing.assert_allclose(observed[:7], ARMS["iiwa14"].home, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"arm": "iiwa"}, UnknownNameError, "no arm named 'iiwa'.*Did you mean 'iiwa14'"),
        ({"arn": "iiwa14"}, UnknownNameError, "no argument named 'arn'"),
        ({"action_mode": "torqe"}, UnknownNameError, "no action mode named 'torqe'.*Did you mean 'torque'"),
        ({"action_mode": None}, UnknownNameError, "no action mode named 'None'"),
        ({"action_mode": ["torque"]}, UnknownNameError, "no action mode named"),
        ({"reward_type": 1}, UnknownNameError, "no reward type named '1'"),
        ({"reward_type": "spars"}, UnknownNameError, "no reward type named 'spars'"),
        ({"reward_weights": {"enrgy": 1}}, UnknownNameError, "no reward term named 'enrgy'"),
        (
            {"reward_weights": {"energy": -1}},
            ConfigError,
            "reward weight energy must be a number of 0 or more",
        ),
        ({"control_dt_s": 0.003}, TimeStepError, r"control step 0\.003 s is not a multiple of physics step"),
        ({"action_scale": [1, 2, 3]}, ConfigError, r"action_scale is one number or 6, one per action"),
        ({"action_scale": 0.0}, ConfigError, "action_scale must be positive and finite"),
        ({"action_delay_s": -0.1}, ConfigError, "action_delay_s must be a number of 0 or more"),
        ({"success_radius": 0.0}, ConfigError, "success_radius must be a positive number"),
        ({"observation_noise": (0.1,)}, ConfigError, "observation_noise is two deviations"),
        (
            {"control_dt_s": "fast"},
            ConfigError,
            "control_dt_s must be a positive number, at least 1e-05, at most 10, not 'fast'",
        ),
        (
            {"action_delay_s": 1e9},
            ConfigError,
            "action_delay_s must be a number of 0 or more, at most 10",
        ),
        ({"action_scale": "big"}, ConfigError, "action_scale must be numbers, not 'big'"),
        ({"observation_noise": 0.1}, ConfigError, "observation_noise is two deviations.*; got 0.1"),
        ({"gravity_compensation": "no"}, ConfigError, "gravity_compensation must be True or False, not 'no'"),
        ({"reward_weights": 3}, ConfigError, r"reward_weights must be a mapping such as .*, not 3"),
        ({"arm": 3}, ConfigError, "arm must be a name or a path, not 3"),
        ({"perturbation": 3}, ConfigError, "perturbation must be a dictionary of settings by name, not 3"),
        ({"observation_noise": (-0.1, 0.0)}, ConfigError, "sensor_noise_q_rad must be 0 or more"),
        ({"perturbation": {"payload": 1}}, UnknownNameError, "no perturbation named 'payload'"),
        ({"perturbation": {1: 2}}, UnknownNameError, "no perturbation named '1'"),
        ({"perturbation_range": {"payload_kg": 1}}, ConfigError, r"range of payload_kg must be a pair"),
        (
            {"perturbation_range": {"payload_kg": [2, 1]}},
            ConfigError,
            "range of payload_kg goes from 2.0 to 1.0",
        ),
        (
            {"arm": "planar2", "perturbation": {"joint_friction": [1, 2, 3]}},
            ConfigError,
            "joint_friction has 3 values, the arm has 2 joints",
        ),
        (
            {"arm": "planar2", "perturbation_range": {"joint_damping": [0.0, [1, 2, 3]]}},
            ConfigError,
            "range of joint_damping goes from",
        ),
        (
            {"arm": "planar2", "perturbation_range": {"joint_damping": [[0, 0, 0], [1, 2, 3]]}},
            ConfigError,
            "joint_damping has 3 values, the arm has 2 joints",
        ),
        (
            {"perturbation": {"delay_s": 0.03}},
            TimeStepError,
            r"sensor delay 0\.03 s is not a multiple of control step 0\.02 s",
        ),
        (
            {"perturbation_range": {"delay_s": [0.0, 0.05]}},
            TimeStepError,
            r"sensor delay 0\.05 s is not a multiple of control step 0\.02 s",
        ),
        (
            {"observation_noise": (0.1, 0.0), "perturbation": {"sensor_noise_q_rad": 0.2}},
            ConfigError,
            "observation_noise and sensor_noise_q_rad .* say the same thing twice",
        ),
        (
            {"observation_noise": (0.0, 0.1), "perturbation_range": {"sensor_noise_dq_rad_s": [0, 1]}},
            ConfigError,
            "observation_noise and sensor_noise_dq_rad_s .* say the same thing twice",
        ),
        (
            {"perturbation": {"payload_kg": 1.0}, "perturbation_range": {"payload_kg": [0, 1]}},
            ConfigError,
            "payload_kg has a value in perturbation and a range in perturbation_range",
        ),
        ({"perturbation": {"payload_kg": 1e12}}, ConfigError, "payload_kg must be at most 1000"),
        ({"physics_dt_s": 1e-9}, ConfigError, "physics_dt_s must be a positive number, at least 1e-05"),
        ({"success_radius": True}, ConfigError, "success_radius must be a positive number, not True"),
        ({"observation_noise": None}, ConfigError, "observation_noise is two deviations.*; got None"),
        ({"observation_noise": ("a", 0)}, ConfigError, "sensor_noise_q_rad must be a number"),
        ({"perturbation_range": 5}, ConfigError, "perturbation must be a dictionary of settings by name"),
        ({"reward_weights": None}, ConfigError, "reward_weights must be a mapping such as .*, not None"),
        ({"faults": [(0.1, {"payload": 1})]}, UnknownNameError, "no perturbation named 'payload'"),
        (
            {"arm": "planar2", "faults": [(0.1, {"joint_friction": [1, 2, 3]})]},
            ConfigError,
            "joint_friction has 3 values, the arm has 2 joints",
        ),
        ({"render_mode": "rgb"}, ConfigError, "render_mode must be one of human, rgb_array, depth_array"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*that is not in the possible render_modes:UserWarning")
def test_argument_that_makes_no_sense_is_refused(make, arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)


def test_diverging_simulation_ends_the_episode_with_its_reason(make):
    env = make(arm="planar2", perturbation={"force_field": (1e6 * np.eye(3)).tolist()})
    before, _ = env.reset(seed=1)
    for _ in range(50):
        observed, reward, terminated, truncated, info = env.step(np.ones(2))
        if terminated:
            break
    assert terminated
    assert not truncated
    assert info["termination"] == "diverged"
    assert reward == pytest.approx(-100.0 - info["distance_m"])
    assert np.isfinite(observed).all()
    observed, _ = env.reset(seed=1)
    np.testing.assert_array_equal(observed, before)


def test_closed_environment_says_so(env):
    env.reset(seed=1)
    env.close()
    env.close()
    for call in (lambda: env.step(np.zeros(N)), env.reset):
        with pytest.raises(ClosedError, match="the environment was closed; make a new one"):
            call()


@pytest.fixture
def _no_display(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_no_display")
def test_window_without_a_display_is_refused_when_made(make):
    with pytest.raises(ConfigError, match=r"render_mode 'human' opens a window.*DISPLAY.*rgb_array"):
        make(render_mode="human")


def test_numbers_of_numpy_are_numbers(make):
    env = make(
        arm="planar2",
        success_radius=np.float32(0.03),
        observation_noise=np.array([0.01, 0.1]),
        action_scale=np.float32(0.5),
        reward_weights={"action": np.int64(1)},
        perturbation_range={"payload_kg": np.array([0.0, 0.5]), "force_n": np.zeros((2, 3))},
    )
    env.reset(options={"faults": [(np.float32(0.1), {"payload_kg": np.float64(0.2)})]})
    env.step(np.zeros(2))
