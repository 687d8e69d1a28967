"""Teach an arm to reach with proximal policy optimisation, on 16 arms at once.

    python examples/train_ppo.py [--steps 400000] [--arm planar2] [--out runs/ppo]

Needs ``pip install "spikearm[rl]"``. The environments step together in compiled, threaded code;
``NativeVecEnv`` shows them to Stable-Baselines3, which wants finished episodes to begin anew within the step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

import spikearm.envs  # noqa: F401 (registers the environments)
from spikearm.envs.gym.stable_baselines import NativeVecEnv
from spikearm.launch.policy import evaluate

ENV = "spikearm/Reach-v0"
REWARDS = {"distance": 1.0, "success": 0.5, "action": 0.01}


def main() -> None:
    """Train and evaluate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=400_000)
    parser.add_argument("--arm", default="planar2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/ppo"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    settings = {"arm": arguments.arm, "reward_weights": REWARDS}
    arms = gymnasium.make_vec(ENV, num_envs=16, autoreset_mode="SameStep", **settings)
    agent = PPO(
        "MlpPolicy",
        VecMonitor(NativeVecEnv(arms)),
        n_steps=256,
        batch_size=512,
        gamma=0.95,
        learning_rate=1e-3,
        policy_kwargs={"net_arch": [64, 64], "activation_fn": torch.nn.ReLU},
        seed=arguments.seed,
        verbose=1,
    )
    agent.learn(arguments.steps)
    arguments.out.mkdir(parents=True, exist_ok=True)
    agent.save(arguments.out / "agent.zip")
    print(evaluate(agent, gymnasium.make(ENV, **settings), n_episodes=50))


if __name__ == "__main__":
    main()
