from __future__ import annotations

import numpy as np
import pytest

from spikearm.controller.ik import joint_reference
from spikearm.controller.orientation import rotation_error
from spikearm.controller.path import sample
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError
from spikearm.launch.reaches import N_CORNERS, Targets, draw_reaches

SEEDS = range(6)
OUT_AND_BACK = Targets()


@pytest.fixture(params=list(ARMS))
def arm(request):
    return ARMS[request.param]


def schedule(
    arm, seed: int, distance_m: float | None = None, n_reaches: int = 2, targets: Targets = OUT_AND_BACK
):
    reaches = draw_reaches(
        arm,
        MujocoDynamics(arm),
        np.random.default_rng(seed),
        targets=targets,
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


IIWA = ARMS["iiwa14"]
EIGHT = Targets(n=N_CORNERS, arrangement="cube", turn_rad=0.35)


def ends(arm, seed: int, targets: Targets, n_reaches: int, distance_m: float | None = 0.15) -> list:
    """Target of the last tick of each reach; almost its goal."""
    targets_of_ticks = schedule(arm, seed, distance_m, n_reaches, targets).targets
    ticks = len(targets_of_ticks) // n_reaches
    return [targets_of_ticks[(i + 1) * ticks - 1] for i in range(n_reaches)]


def test_single_target_is_drawn_as_the_first_of_many(arm):
    one = ends(arm, 3, OUT_AND_BACK, 2)
    several = ends(arm, 3, Targets(n=3), 6)
    for a, b in zip(one, several[:2], strict=True):
        np.testing.assert_array_equal(a.pose.position, b.pose.position)


def test_targets_are_gone_to_in_turn_and_again(arm):
    reached = np.array([end.pose.position for end in ends(arm, 0, Targets(n=2), 8)])
    np.testing.assert_allclose(reached[4:], reached[:4], atol=1e-5)
    # The last tick of a way, here at 0.98 of its time, is 10 (1 - 0.98)^3 of the way short of its end
    # (minimum jerk), and each comes home from another side.
    np.testing.assert_allclose(reached[1], reached[3], rtol=0, atol=2 * 0.15 * 10 * 0.02**3)
    if sum(ARMS[arm.name].task_axes[:3]) > 1:  # with one axis there are two targets in all
        assert np.linalg.norm(reached[0] - reached[2]) > 1e-2


@pytest.mark.parametrize("seed", SEEDS)
def test_corners_are_those_of_a_cube(seed):
    start = schedule(IIWA, seed, targets=EIGHT).targets[0].pose.position
    corners = np.array([end.pose.position for end in ends(IIWA, seed, EIGHT, 16)[::2]]) - start
    cosines = np.sort((corners @ corners.T / 0.15**2).ravel())
    wanted = np.sort(np.repeat((-1.0, -1 / 3, 1 / 3, 1.0), (8, 24, 24, 8)))
    np.testing.assert_allclose(cosines, wanted, atol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_orientation_turns_by_the_angle_asked_for_about_other_axes(seed):
    start = schedule(IIWA, seed, targets=EIGHT).targets[0].pose.quaternion
    turns = np.array([rotation_error(start, end.pose.quaternion) for end in ends(IIWA, seed, EIGHT, 16)])
    np.testing.assert_allclose(np.linalg.norm(turns[::2], axis=1), 0.35, atol=1e-3)
    np.testing.assert_allclose(turns[1::2], 0.0, atol=1e-3)
    assert np.linalg.matrix_rank(turns[::2]) == 3


def test_turn_of_a_planar_arm_stays_in_its_plane():
    arm = ARMS["planar3"]
    start = schedule(arm, 0).targets[0].pose.quaternion
    (end,) = ends(arm, 0, Targets(turn_rad=0.2), 1, None)
    turn = rotation_error(start, end.pose.quaternion)
    np.testing.assert_allclose(np.abs(turn), (0.0, 0.2, 0.0), atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, r"targets\.n must be at least 1, not 0"),
        ({"arrangement": "cube"}, r"a cube has 8 corners; set targets\.n to that, not to 1"),
        ({"arrangement": "cubic"}, "no arrangement named 'cubic'.*Did you mean 'cube'"),
        ({"turn_rad": -0.1}, r"targets\.turn_rad must be from 0 to pi, not -0\.1"),
        ({"turn_rad": float("nan")}, r"targets\.turn_rad must be from 0 to pi, not nan"),
    ],
)
def test_impossible_targets_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Targets(**settings)


def test_planar_arm_has_no_cube():
    with pytest.raises(ConfigError, match="arm 'planar3' does not move in all of x, y and z"):
        schedule(ARMS["planar3"], 0, targets=EIGHT)


def test_arm_that_cannot_turn_is_told_so():
    with pytest.raises(ConfigError, match="arm 'planar2' does not control its orientation"):
        schedule(ARMS["planar2"], 0, targets=Targets(turn_rad=0.1))


def test_cube_beyond_the_arm_is_refused():
    with pytest.raises(
        ConfigError, match=r"cannot reach 9 m and turn by 0\.35 rad from its home to all corners"
    ):
        schedule(IIWA, 0, 9.0, targets=EIGHT)
