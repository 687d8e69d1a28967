"""Teach an arm to reach with soft actor-critic and hindsight, then run the policy on spiking neurons.

    python examples/train_sac_her.py [--steps 20000] [--arm iiwa14] [--out runs/sac-her]

Needs ``pip install "spikearm[rl]"``. The reward is sparse: -1 until the end effector is within 2.5 cm of its
target, 0 there. Hindsight (Andrychowicz et al. 2017) makes every place the arm has been a target it might
have had; it learns within minutes. The actor is small and rectified-linear: it fits on neuromorphic
substrates.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import perf_counter, process_time

import gymnasium
import numpy as np
import torch
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback

import spikearm.envs  # noqa: F401 (registers the environments)
from spikearm.envs.arms import load_arm
from spikearm.hardware.registry import BACKENDS, make_backend
from spikearm.launch.policy import PerceptronAgent, SpikingAgent, collect_observations, evaluate
from spikearm.models.policy import spiking_policy
from spikearm.models.policy_training import GoalFeatures
from spikearm.models.sb3_actor import actor_layers

ENV = "spikearm/ReachGoal-v0"
STEP_S = 0.04  # 25 decisions a second
MAX_STEPS = 50  # 2 s
SLIDE_M, TURN_RAD = 0.04, 0.002  # of an action of 1; targets are points, so the hand hardly turns
DISCOUNT = 0.95  # the future that counts: 20 steps, 0.8 s
COPIES = 4  # neurons for each of the actor's units: the errors of a crossbar's devices average out
TARGET_SUCCESS = 0.95
EVALUATE_EVERY = 2500  # steps
N_EPISODES = 20  # of each evaluation while training


class Progress(BaseCallback):
    """Evaluates now and then, keeps the curve, and stops when the arm can do it."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__()
        self.env, self.curve, self.start = env, [], (perf_counter(), process_time())

    def _on_step(self) -> bool:
        if self.num_timesteps % EVALUATE_EVERY:
            return True
        result = evaluate(self.model, self.env, n_episodes=N_EPISODES, seed=50_000)
        wall_min, processor_min = (perf_counter() - self.start[0]) / 60, (process_time() - self.start[1]) / 60
        row = (self.num_timesteps, wall_min, processor_min, result.success_rate, result.final_distance)
        self.curve.append(row)
        line = "{:7d} steps {:6.1f} min, {:.1f} of the processor   success {:.2f}   {:.3f} m at the end"
        print(line.format(*self.curve[-1]), flush=True)
        return [rate >= TARGET_SUCCESS for *_, rate, _ in self.curve[-2:]] != [True, True]


def main() -> None:
    """Train, convert, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--arm", default="iiwa14")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--episodes", type=int, default=100, help="of the last evaluation, per substrate")
    parser.add_argument("--calibration", type=int, default=200, help="episodes that scale the spiking units")
    parser.add_argument("--out", type=Path, default=Path("runs/sac-her"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # matrices this small are not worth two

    axes = np.flatnonzero(load_arm(arguments.arm).task_axes)
    scale = [SLIDE_M if axis < 3 else TURN_RAD for axis in axes]
    settings = {"arm": arguments.arm, "control_dt_s": STEP_S, "action_scale": scale}
    env, other = (gymnasium.make(ENV, max_episode_steps=MAX_STEPS, **settings) for _ in range(2))
    agent = SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        policy_kwargs={
            "features_extractor_class": GoalFeatures,
            "net_arch": {"pi": [64, 64], "qf": [128, 128]},
        },
        learning_rate=1e-3,
        gamma=DISCOUNT,
        batch_size=256,
        learning_starts=500,
        seed=arguments.seed,
    )
    progress = Progress(other)
    agent.learn(arguments.steps, callback=progress)
    arguments.out.mkdir(parents=True, exist_ok=True)
    agent.save(arguments.out / "agent.zip")

    layers = actor_layers(agent)
    seen = collect_observations(PerceptronAgent(layers), other, n_episodes=arguments.calibration)
    network = spiking_policy(layers, seen, copies=COPIES)
    results = {"perceptron": evaluate(PerceptronAgent(layers), other, n_episodes=arguments.episodes)}
    for name in BACKENDS:
        spiking = SpikingAgent(network, make_backend(name), seed=arguments.seed)
        results[name] = evaluate(spiking, other, n_episodes=arguments.episodes)
        spiking.close()
    for name, result in results.items():
        print(f"{name:12} success {result.success_rate:.2f}  return {result.mean_return:7.1f}  {result}")
    document = {"curve": progress.curve, "results": {name: vars(r) for name, r in results.items()}}
    (arguments.out / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
