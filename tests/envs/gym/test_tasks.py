"""Targets: where they are, how they move, that the arm can get there."""

import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError, UnreachableError

TASKS = ("Reach", "Track", "CenterOut", "PayloadReach")


@pytest.fixture(params=["iiwa14", "gen3", "ur5e", "planar1", "planar3"])
def arm(request):
    return ARMS[request.param]


def targets(env, n_steps):
    """The target after a reset and after each step, shape (n_steps + 1, 3)."""
    zero = np.zeros(env.action_space.shape)
    yield env.unwrapped.target
    for _ in range(n_steps):
        env.step(zero)
        yield env.unwrapped.target


def test_reach_target_stays_where_it_is(make):
    env = make(arm="planar2")
    env.reset(seed=1)
    assert np.ptp(list(targets(env, 10)), axis=0).max() == 0.0


def test_every_target_can_be_reached(make, arm):
    """Damped least squares from home ends at the target, with no joint beyond its stop."""
    env = make(arm=arm.name)
    dynamics = MujocoDynamics(arm)
    for seed in range(5):
        env.reset(seed=seed)
        q = np.asarray(arm.home, dtype=np.float64)
        for _ in range(500):
            dynamics.update(q, np.zeros(arm.n_joints))
            jacobian = dynamics.jacobian()[:3]
            missing = env.unwrapped.target - dynamics.pose().position
            q = q + jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-3 * np.eye(3), missing)
        assert np.linalg.norm(missing) < 1e-3
        low, high = dynamics.joint_ranges.T
        assert ((low <= q) & (q <= high)).all()


def test_tracked_target_moves_as_fast_as_the_observation_says(make, arm):
    env = make("Track", arm=arm.name, action_mode="torque")
    env.reset(seed=2)
    way = np.array(list(targets(env, 30)))
    observed, *_ = env.step(np.zeros(arm.n_joints))
    velocity = observed[2 * arm.n_joints + 3 :][:3]
    last = env.unwrapped.target
    np.testing.assert_allclose(velocity, (last - way[-1]) / 0.02, atol=0.02)
    assert np.ptp(way, axis=0).max() > 0.01


def test_tracked_target_is_smooth(make, arm):
    env = make("Track", arm=arm.name)
    env.reset(seed=3)
    way = np.array(list(targets(env, 100)))
    assert np.abs(np.diff(way, n=2, axis=0)).max() < 2e-3


def test_centre_out_alternates_between_circle_and_centre(make, arm):
    env = make("CenterOut", arm=arm.name, hold_s=0.06, max_episode_steps=1000)
    env.reset(seed=4)
    way = np.array(list(targets(env, 16 * 3)))[:-1]
    points = way.reshape(16, 3, 3)
    assert np.ptp(points, axis=1).max() == 0.0  # it holds for three steps
    np.testing.assert_allclose(points[1::2], np.broadcast_to(points[1, 0], points[1::2].shape), atol=1e-12)
    out = points[::2, 0]
    # One way to move: two points.
    assert len(np.unique(out.round(6), axis=0)) == (2 if arm.name == "planar1" else 8)
    away = (out - points[1, 0])[:, np.flatnonzero(arm.task_axes[:3])]
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), 0.5 * arm.reach_m, atol=1e-4)


def test_centre_out_has_every_point_before_any_again(make):
    env = make("CenterOut", arm="planar2", hold_s=0.02, max_episode_steps=1000)
    env.reset(seed=5)
    out = np.array(list(targets(env, 31)))[::2]
    for block in (out[:8], out[8:]):
        assert len(np.unique(block.round(9), axis=0)) == 8


@pytest.mark.parametrize(("name", "radius_m"), [("planar2", 0.7), ("iiwa14", 0.9), ("planar3", 0.8)])
def test_circle_out_of_reach_is_refused(make, name, radius_m):
    with pytest.raises(UnreachableError, match=r"point \d of the circle .* choose a smaller radius_m"):
        make("CenterOut", arm=name, radius_m=radius_m)


def test_reach_target_is_never_below_the_floor(make):
    env = make(arm="iiwa14")
    heights = [env.reset(seed=seed)[0][26] for seed in range(200)]
    assert min(heights) >= 0.0


def test_random_plant_is_asked_for_joint_angles_within_its_range(make):
    env = make("PlantFamily", n_joints=5)
    for seed in range(3):
        env.reset(seed=seed)
        way = np.array(list(targets(env, 50)))
        assert np.abs(way).max() <= env.unwrapped.config.target_spread_rad


@pytest.mark.parametrize("name", ["Track", "CenterOut", "PlantFamily"])
def test_moving_target_is_no_option(make, name):
    with pytest.raises(ConfigError, match="but the targets of this task move; leave it out"):
        make(name).reset(options={"target": [0.4, 0.0, 0.4]})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Track", {"period_s": 0.0}, "period_s must be a positive number, not 0.0"),
        ("PlantFamily", {"period_s": -1.0}, "period_s must be a positive number, not -1.0"),
        ("CenterOut", {"radius_m": -0.1}, r"radius_m must be a positive number, at most 1\.1485, not -0\.1"),
        ("CenterOut", {"radius_m": 50.0}, r"radius_m must be a positive number, at most 1\.1485, not 50\.0"),
        ("Track", {"period_s": "slow"}, "period_s must be a positive number, not 'slow'"),
        ("CenterOut", {"hold_s": 0.0}, "hold_s must be a positive number, not 0.0"),
    ],
)
def test_task_refuses(make, name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make(name, **arguments)
