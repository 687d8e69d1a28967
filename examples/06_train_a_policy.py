"""Lesson 6: an arm teaches itself to reach; then its policy runs on spiking neurons, on every substrate.

    python examples/06_train_a_policy.py

Soft actor-critic, for a minute or two, on an arm of two joints. The actor is small and rectified-linear, so
that each of its units can become a spiking neuron. Needs the extra `rl`.
"""

import argparse

import gymnasium

import spikearm.envs  # noqa: F401 (registers the environments)
from spikearm.hardware.registry import BACKENDS, make_backend
from spikearm.launch.policy import PerceptronAgent, SpikingAgent, collect_observations, evaluate
from spikearm.models.policy import spiking_policy
from spikearm.models.sb3_actor import actor_layers

try:
    import torch
    from stable_baselines3 import SAC
except ImportError:
    raise SystemExit('This lesson needs Stable-Baselines3 and PyTorch: pip install ".[rl]"') from None

STEP_S = 0.04  # 25 decisions a second
MAX_STEPS = 50  # of an episode: 2 s
SLIDE_M = 0.04  # what an action of 1 moves the set point by, along x and z
UNITS = [32, 32]
DISCOUNT = 0.9  # the future that counts: 10 steps, 0.4 s

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=5000, help="of training")
parser.add_argument("--episodes", type=int, default=20, help="of each evaluation")
arguments = parser.parse_args()

torch.set_num_threads(1)  # matrices this small are not worth two
env = gymnasium.make(
    "spikearm/Reach-v0",
    arm="planar2",
    control_dt_s=STEP_S,
    action_scale=[SLIDE_M, SLIDE_M],
    reward_weights={"distance": 1.0, "success": 0.5},
    max_episode_steps=MAX_STEPS,
)

# The agent sees joint angles, velocities and the target, and moves the arm's set point.
agent = SAC(
    "MlpPolicy",
    env,
    policy_kwargs={"net_arch": {"pi": UNITS, "qf": [64, 64]}},
    learning_rate=2e-3,
    gamma=DISCOUNT,
    learning_starts=200,
    seed=0,
)
agent.learn(arguments.steps)

# From units to neurons: activations are scaled by what they are in episodes of the task.
layers = actor_layers(agent)
perceptron = PerceptronAgent(layers)
seen = collect_observations(perceptron, env, n_episodes=arguments.episodes)
network = spiking_policy(layers, seen)

print(f"{'policy on':12} {'success':>8} {'distance':>10} {'spikes':>8} {'energy per action, bottom-up':>30}")
results = {"perceptron": evaluate(perceptron, env, n_episodes=arguments.episodes)}
for name in BACKENDS:
    spiking = SpikingAgent(network, make_backend(name), seed=0)
    results[name] = evaluate(spiking, env, n_episodes=arguments.episodes)
    spiking.close()
for name, result in results.items():
    energy = "" if result.energy_j is None else f"{1e6 * result.energy_j:.3g} uJ"
    distance_mm = 1e3 * result.final_distance
    print(f"{name:12} {result.success_rate:8.2f} {distance_mm:7.1f} mm {result.spikes:8.0f} {energy:>30}")
