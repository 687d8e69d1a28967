"""Data sheets against what environments really give."""

import itertools

import gymnasium
import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.gym.datasheet import action_rows, data_sheet, observation_rows
from spikearm.envs.gym.reach import ReachEnv
from spikearm.envs.gym.registration import IDS
from spikearm.errors import ConfigError

CASES = [
    (env_id, mode)
    for env_id, mode in itertools.product(IDS, ("torque", "position", "pose"))
    if "PlantFamily" not in env_id or mode != "pose"
]
SOFT_RAD = 0.2
"""Stops are soft; gravity and a drive together push an arm this far into one."""


@pytest.fixture
def env(make, case):
    env_id, mode = case
    return make(env_id.removeprefix("spikearm/").removesuffix("-v0"), action_mode=mode)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_every_number_is_described_and_within_its_range(env):
    arm = env.unwrapped
    env.reset(seed=0)
    actions, rows = action_rows(arm.episodes), observation_rows(arm.episodes, goal=arm.goal)
    assert env.action_space.shape == (len(actions),)
    np.testing.assert_allclose([row.high for row in actions], arm.episodes.commands.scale)
    env.action_space.seed(0)
    for _ in range(20):
        observed = env.step(env.action_space.sample())[0]
        seen = observed["observation"] if arm.goal else observed
        assert seen.shape == (len(rows),)
        assert (seen >= [row.low - SOFT_RAD for row in rows]).all()
        assert (seen <= [row.high + SOFT_RAD for row in rows]).all()
    table = data_sheet(env)
    assert table.count("\n| ") == len(actions) + len(rows) + (2 * 3 + 2 if arm.goal else 0) + 1


def test_sheet_names_joints_and_has_their_stops(make):
    table = data_sheet(make(arm="ur5e", action_mode="torque"))
    assert "| 0 | torque of shoulder_pan_joint | -17 | 17 | N m |" in table
    assert "| 2 | angle of elbow_joint | -3.142 | 3.142 | rad |" in table


def test_sheet_of_a_vector_is_that_of_its_arms(make, vector):
    assert data_sheet(vector()) == data_sheet(make(arm="planar2", action_mode="torque"))


def test_other_environments_have_no_sheet():
    with pytest.raises(ConfigError, match="data sheets are of environments of spikearm, not of "):
        data_sheet(gymnasium.make("CartPole-v1"))


def test_docstring_has_the_figures_of_the_iiwa14(make):
    """Its tables are for reading without running anything; these are their sources."""
    text = " ".join(ReachEnv.__doc__.split())
    episodes = make().unwrapped.episodes
    stops = ", ".join(f"{high:.3g}" for high in episodes.batch.joint_ranges[:, 1])
    assert (episodes.batch.joint_ranges[:, 0] == -episodes.batch.joint_ranges[:, 1]).all()
    assert f"{stops} both ways" in text
    torques = [row.high for row in action_rows(make(action_mode="torque").unwrapped.episodes)]
    assert ", ".join(f"{one:.2g}" for one in torques) + " N m" in text
    base, reach_m = episodes.batch.reach
    assert f"within {reach_m:.3g} of 0, 0, {base[2]:.3g}" in text
    assert ARMS["iiwa14"].dq_half_range_rad_s == 2.0
