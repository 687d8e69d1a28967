"""Teach an arm to reach with proximal policy optimisation, on 16 arms at once.

    python examples/train_ppo.py [--steps 400000] [--arm planar2] [--out runs/ppo]

Needs ``pip install "spikearm[rl]"``. The environments step together in compiled, threaded code; the adapter
below shows them to Stable-Baselines3, which expects finished episodes to begin anew within the same step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

import spikearm.envs  # noqa: F401 (registers the environments)
from spikearm.launch.policy import evaluate

ENV = "spikearm/Reach-v0"
REWARDS = {"distance": 1.0, "success": 0.5, "action": 0.01}


class NativeVecEnv(VecEnv):
    """A native vector environment of spikearm, as Stable-Baselines3 wants it."""

    def __init__(self, env: gymnasium.vector.VectorEnv) -> None:
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> np.ndarray:
        """Begin all episodes."""
        seeds = [seed for seed in self._seeds if seed is not None]
        self._reset_seeds()
        return self.env.reset(seed=seeds[0] if seeds else None)[0]

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self.actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict]]:
        """Carry them out."""
        observed, reward, terminated, truncated, info = self.env.step(self.actions)
        done = terminated | truncated
        infos: list[dict] = [{} for _ in range(self.num_envs)]
        for e in np.flatnonzero(done):
            infos[e] = {
                "terminal_observation": info["final_obs"][e],
                "TimeLimit.truncated": bool(truncated[e] and not terminated[e]),
                "is_success": bool(info["final_info"]["is_success"][e]),
            }
        return observed, reward, done, infos

    def close(self) -> None:
        """Release the environments."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: object = None) -> list:
        """The same for all environments."""
        return [getattr(self.env, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: object, indices: object = None) -> None:
        """Set it for all environments: they are one object."""
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *args: object, indices: object = None, **kwargs: object) -> list:
        """Call it once, for all environments; such as ``compute_reward``, which takes any number of goals."""
        result = getattr(self.env.unwrapped, method_name)(*args, **kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: object = None) -> list[bool]:
        """Nothing is wrapped."""
        return [False] * self.num_envs


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
