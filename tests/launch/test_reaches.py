from __future__ import annotations

import numpy as np
import pytest

from spikearm.controller.ik import joint_reference
from spikearm.controller.path import sample
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError
from spikearm.launch.reaches import draw_reaches

SEEDS = range(6)


@pytest.fixture(params=list(ARMS))
def arm(request):
    return ARMS[request.param]


def schedule(arm, seed: int, distance_m: float | None = None, n_reaches: int = 2):
    reaches = draw_reaches(
        arm,
        MujocoDynamics(arm),
        np.random.default_rng(seed),
        distance_m=distance_m,
        n_reaches=n_reaches,
        duration_s=0.5,
    )
    return sample(reaches, 0.01)


def positions(schedule) -> np.ndarray:
    return np.array([target.pose.position for target in schedule.targets])


@pytest.mark.parametrize("seed", SEEDS)
def test_reach_has_the_length_asked_for_and_comes_back(arm, seed):
    way = positions(schedule(arm, seed, 0.15))
    dynamics = MujocoDynamics(arm)
    dynamics.update(np.asarray(arm.home), np.zeros(arm.n_joints))
    home = dynamics.pose().position
    distance = np.linalg.norm(way - home, axis=1)
    assert distance.max() == pytest.approx(0.15, abs=1e-3)
    assert distance[0] < 1e-3
    assert distance[-1] < 1e-2


def test_default_distance_is_the_arms_own(arm):
    way = positions(schedule(arm, 0))
    assert np.linalg.norm(way - way[0], axis=1).max() == pytest.approx(arm.reach_m, abs=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_reach_keeps_to_the_arms_task(arm, seed):
    way = positions(schedule(arm, seed))
    frozen = ~np.asarray(arm.task_axes[:3])
    assert np.ptp(way[:, frozen], axis=0).max(initial=0.0) < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_orientation_is_held(arm, seed):
    quaternions = np.array([target.pose.quaternion for target in schedule(arm, seed).targets])
    np.testing.assert_allclose(quaternions, np.broadcast_to(quaternions[0], quaternions.shape), atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_way_stays_in_the_joint_ranges_and_dexterous(arm, seed):
    """Solved by inverse kinematics, tick by tick: another way than the one it was drawn by."""
    dynamics = MujocoDynamics(arm)
    home = np.asarray(arm.home)
    solved = joint_reference(schedule(arm, seed), dynamics, home, task_axes=arm.task_axes)
    q = np.array([target.q for target in solved.targets])
    low, high = dynamics.joint_ranges.T
    assert (q > low).all()
    assert (q < high).all()

    def manipulability(angles: np.ndarray) -> float:
        dynamics.update(angles, np.zeros(arm.n_joints))
        jacobian = dynamics.jacobian()[np.flatnonzero(arm.task_axes)]
        return float(np.sqrt(np.linalg.det(jacobian @ jacobian.T)))

    at_home = manipulability(home)
    assert min(manipulability(angles) for angles in q) > 0.25 * at_home


def test_same_seed_same_way(arm):
    np.testing.assert_array_equal(positions(schedule(arm, 1)), positions(schedule(arm, 1)))


def test_seeds_go_different_ways(arm):
    ends = {tuple(np.round(positions(schedule(arm, seed, n_reaches=1))[-1], 4)) for seed in SEEDS}
    assert len(ends) == (2 if sum(arm.task_axes[:3]) == 1 else len(SEEDS))


def test_distance_beyond_the_arm_is_refused(arm):
    with pytest.raises(
        ConfigError, match=f"arm '{arm.name}' cannot reach 9 m from its home in any direction"
    ):
        schedule(arm, 0, 9.0)
