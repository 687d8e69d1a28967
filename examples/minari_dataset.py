"""Record a data set of demonstrations in Minari's format, for offline learning.

    python examples/minari_dataset.py [--episodes 50]

Needs ``pip install "minari[hdf5]"``. The demonstrator is the law "straight to the target" with a little
noise; wrap an agent of your own instead. The data set holds the environment's specification:
``minari.load_dataset(NAME).recover_environment()`` makes the same environment again. Episodes are gathered by
hand, because Minari's own collector needs JAX.
"""

from __future__ import annotations

import argparse

import gymnasium
import minari
import numpy as np
from minari.data_collector import EpisodeBuffer

import spikearm.envs  # noqa: F401 (registers the environments)

NAME = "spikearm/reach/straight-v0"
GAIN = 10.0  # action per metre: full speed from 0.1 m on
NOISE = 0.1


def demonstrate(env: gymnasium.Env, rng: np.random.Generator) -> np.ndarray:
    """An action of the mode "pose": along x, y and z straight to the target, with noise on everything."""
    arm = env.unwrapped
    way = arm.target - arm.episodes.batch.position[0]
    action = NOISE * rng.standard_normal(env.action_space.shape)
    axes = np.flatnonzero(arm.episodes.arm.task_axes)
    action[axes < 3] += GAIN * way[axes[axes < 3]]
    return np.clip(action, -1.0, 1.0).astype(np.float32)


def record(env: gymnasium.Env, seed: int, rng: np.random.Generator) -> EpisodeBuffer:
    """One episode."""
    observed, _ = env.reset(seed=seed)
    episode = EpisodeBuffer(seed=seed, observations=[observed], actions=[])
    while not (episode.terminations and (episode.terminations[-1] or episode.truncations[-1])):
        action = demonstrate(env, rng)
        observed, reward, terminated, truncated, _ = env.step(action)
        episode.observations.append(observed)
        episode.actions.append(action)
        episode.rewards.append(reward)
        episode.terminations.append(terminated)
        episode.truncations.append(truncated)
    return episode


def main() -> None:
    """Record, and read back."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--arm", default="iiwa14")
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    env = gymnasium.make("spikearm/Reach-v0", arm=arguments.arm)
    episodes = [record(env, seed, rng) for seed in range(arguments.episodes)]
    if NAME in minari.list_local_datasets():
        minari.delete_dataset(NAME)
    data = minari.create_dataset_from_buffers(
        NAME,
        episodes,
        env=env,
        algorithm_name="straight to the target",
        description="Reaching with a proportional law along the straight line, with noise.",
        requirements=["spikearm"],
        author="The spikearm authors",
    )
    returns = [episode.rewards.sum() for episode in data.iterate_episodes()]
    print(f"{data.total_episodes} episodes, {data.total_steps} steps, mean return {np.mean(returns):.1f}")
    observed, _ = data.recover_environment().reset(seed=0)
    recorded = next(iter(data.iterate_episodes())).observations[0]
    print(f"the recovered environment starts where the recorded one did: {(observed == recorded).all()}")


if __name__ == "__main__":
    main()
