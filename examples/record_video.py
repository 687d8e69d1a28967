"""Record an episode without a display.

    MUJOCO_GL=egl python examples/record_video.py [--env spikearm/Track-v0] [--out runs/video]

``MUJOCO_GL=osmesa`` where there is no graphics card. Writes an animated GIF with Matplotlib, which spikearm
needs anyway; ``gymnasium.wrappers.RecordVideo`` writes MP4 where moviepy is installed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import ArtistAnimation, PillowWriter

import spikearm.envs  # noqa: F401 (registers the environments)


def towards_target(env: gymnasium.Env, gain: float = 10.0) -> np.ndarray:
    """An action of the mode "pose" that moves straight to the target, full speed from 0.1 m on."""
    arm = env.unwrapped
    way = arm.target - arm.episodes.batch.position[0]
    axes = np.flatnonzero(arm.episodes.arm.task_axes)
    moves = [gain * way[axis] if axis < 3 else 0.0 for axis in axes]
    return np.clip(np.array(moves), -1.0, 1.0)


def main() -> None:
    """Run one episode and write it down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="spikearm/Track-v0")
    parser.add_argument("--arm", default="iiwa14")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--out", type=Path, default=Path("runs/video"))
    arguments = parser.parse_args()

    env = gymnasium.make(arguments.env, arm=arguments.arm, render_mode="rgb_array")
    env.reset(seed=1)
    frames = []
    for _ in range(arguments.steps):
        _, _, terminated, truncated, _ = env.step(towards_target(env))
        frames.append(env.render()[::2, ::2])
        if terminated or truncated:
            break
    height, width = frames[0].shape[:2]
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    film = ArtistAnimation(figure, [[axes.imshow(frame)] for frame in frames[::2]])
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"{arguments.env.split('/')[-1]}-{arguments.arm}.gif"
    film.save(path, writer=PillowWriter(fps=env.metadata["render_fps"] // 2))
    print(f"{len(frames)} steps in {path}")
    env.close()


if __name__ == "__main__":
    main()
