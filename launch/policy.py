"""Agents on neuromorphic substrates: run them in an environment, and say what they achieve and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import numpy as np

from spikearm.errors import ConfigError
from spikearm.hardware.backend import Backend
from spikearm.hardware.cost import CostModel
from spikearm.hardware.host_cost import HOST_COST
from spikearm.models.policy import Layers, PolicyNetwork
from spikearm.models.sb3_actor import flat_observation
from spikearm.records import NO_COST, NO_COUNTS, Cost, FloatArray, OpCounts

NETWORK_DT_S = 0.001


class Agent(Protocol):
    """What acts: agents of Stable-Baselines3 do, and :class:`SpikingAgent`."""

    def predict(self, observation: Any, *, deterministic: bool = True) -> tuple[FloatArray, Any]:
        """The action for an observation, shape (n_actions,), and a state that is not used."""
        ...


@runtime_checkable
class CostedAgent(Protocol):
    """An agent that tells what its last decision took."""

    @property
    def counts(self) -> OpCounts:
        """Operations of the last decision."""
        ...

    @property
    def cost(self) -> Cost:
        """Their modelled cost."""
        ...


class PerceptronAgent:
    """The perceptron itself, on this computer: what a converted policy is compared with.

    Args:
        layers: The perceptron.
        cost_model: Of the processor: every weight is multiplied and every unit computed in every decision.

    Attributes:
        counts: Operations of a decision.
        cost: Their modelled cost, bottom-up.
    """

    def __init__(self, layers: Layers, cost_model: CostModel = HOST_COST) -> None:
        self._layers = layers
        self.counts = OpCounts(
            synaptic_ops_dense=float(sum(weight.size for weight in layers.weights)),
            neuron_updates=float(sum(bias.size for bias in layers.biases)),
        )
        # The figure of a whole processor is of another network, per second: it says nothing of this one.
        self.cost = replace(cost_model.estimate(self.counts, 0.0), energy_chip_j=None)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[FloatArray, Any]:
        """The mean action, shape (n_actions,), or one per row of a batch; the other arguments do nothing."""
        flat = flat_observation(observation)
        actions = self._layers(np.atleast_2d(flat))
        return actions if flat.ndim > 1 else actions[0], None


class SpikingAgent:
    """A spiking policy compiled for a substrate; it decides by running for some network steps.

    Args:
        network: The policy.
        backend: Its substrate.
        seed: Of the substrate's devices.
        steps_per_action: Network steps for each decision. More of them average more spikes. They are steps of
            the network's own time; the modelled latency says how long the substrate takes for them.
        settle_steps: How many of them pass before the average begins: synapses still hold the last decision.

    Attributes:
        counts: Operations of the last decision.
        cost: Their modelled cost.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        backend: Backend,
        *,
        seed: int = 0,
        steps_per_action: int = 80,
        settle_steps: int = 15,
    ) -> None:
        if not 0 <= settle_steps < steps_per_action:
            raise ConfigError(
                f"settle_steps must be from 0 to less than steps_per_action, {steps_per_action!r}; got "
                f"{settle_steps!r}."
            )
        self._program = backend.compile(network, dt_s=NETWORK_DT_S, seed=seed)
        self._bound = network.layers.bound
        self._cost_model = backend.cost_model
        self._n_steps, self._n_settle = steps_per_action, settle_steps
        self._n_actions = network.outputs["drive"]
        self.counts, self.cost = NO_COUNTS, NO_COST

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[FloatArray, Any]:
        """The action, shape (n_actions,): the mean drive once it has settled, bounded.

        Args:
            observation: One, or a batch of one, which gives a batch of one action.
            state: Not used.
            episode_start: Whether an episode begins: what was before is forgotten. As of ``evaluate_policy``.
            deterministic: Not used.

        Raises:
            ConfigError: The batch has more than one observation: the substrate is one arm's.
        """
        flat = flat_observation(observation)
        if flat.ndim > 1 and len(flat) != 1:
            raise ConfigError(f"a spiking policy decides for one arm at a time, not for {len(flat)}.")
        if episode_start is not None and np.any(episode_start):
            self.reset()
        action = self._decide(flat.reshape(-1))
        return action[None] if flat.ndim > 1 else action, None

    def _decide(self, observation: FloatArray) -> FloatArray:
        inputs = {"observation": observation}
        counts, drive = NO_COUNTS, np.zeros(self._n_actions)
        for step in range(self._n_steps):
            result = self._program.step(inputs)
            counts = counts + result.counts
            if step >= self._n_settle:
                drive += result.outputs["drive"]
        self.counts = counts
        self.cost = self._cost_model.estimate(counts, self._n_steps * NETWORK_DT_S)
        return self._bound(drive / (self._n_steps - self._n_settle))

    def reset(self) -> None:
        """Forget membrane potentials and synapses."""
        self._program.reset()

    def close(self) -> None:
        """Release the substrate."""
        self._program.close()


@dataclass(frozen=True)
class Evaluation:
    """What an agent achieved.

    Attributes:
        n_episodes: Episodes.
        mean_return: Mean sum of rewards.
        success_rate: Share of episodes that ended in success.
        final_distance: Mean distance at the end [m], or [rad].
        energy_j: Modelled energy of an action, bottom-up [J]; None if the agent does not tell.
        energy_terms_j: The same by term [J]; empty if the agent does not tell.
        energy_chip_j: Modelled energy of an action by a measured whole-chip figure [J]; None without one.
        latency_model_s: Modelled latency of an action [s]; None where none is modelled.
        latency_measured_s: Median measured time of an action on this computer [s].
        spikes: Spikes per action.
    """

    n_episodes: int
    mean_return: float
    success_rate: float
    final_distance: float
    energy_j: float | None
    energy_terms_j: Mapping[str, float]
    energy_chip_j: float | None
    latency_model_s: float | None
    latency_measured_s: float
    spikes: float


def evaluate(agent: Agent, env: Any, *, n_episodes: int, seed: int = 0) -> Evaluation:
    """Run an agent for some episodes, the same for the same seed.

    Args:
        agent: What acts.
        env: A Gymnasium environment that tells ``is_success`` in ``info``.
        n_episodes: Episodes.
        seed: Of the first episode; the others follow on.

    Raises:
        ConfigError: There are no episodes.
    """
    _check_episodes(n_episodes)
    returns, successes, distances, times = [], [], [], []
    costs: list[tuple[Cost, OpCounts]] = []
    for episode in range(n_episodes):
        observed, info = env.reset(seed=seed + episode)
        if isinstance(agent, SpikingAgent):
            agent.reset()
        total, done = 0.0, False
        while not done:
            start = perf_counter()
            action, _ = agent.predict(observed, deterministic=True)
            times.append(perf_counter() - start)
            if isinstance(agent, CostedAgent):
                costs.append((agent.cost, agent.counts))
            observed, reward, terminated, truncated, info = env.step(action)
            total, done = total + float(reward), bool(terminated or truncated)
        returns.append(total)
        successes.append(bool(info["is_success"]))
        distances.append(_distance(info))
    cost = _mean_cost([cost for cost, _ in costs])
    return Evaluation(
        n_episodes=n_episodes,
        mean_return=float(np.mean(returns)),
        success_rate=float(np.mean(successes)),
        final_distance=float(np.mean(distances)),
        energy_j=cost.total_j if costs else None,
        energy_terms_j=cost.energy_j,
        energy_chip_j=cost.energy_chip_j,
        latency_model_s=cost.latency_s or None,
        latency_measured_s=float(np.median(times)),
        spikes=float(np.mean([counts.spikes for _, counts in costs])) if costs else 0.0,
    )


def collect_observations(agent: Agent, env: Any, *, n_episodes: int, seed: int = 10_000) -> FloatArray:
    """Observations that an agent meets, as its actor sees them, shape (n, size).

    Take many episodes rather than long ones: a spiking policy's inputs are cut at the range seen here, and
    every episode has but one start and one target.

    Args:
        agent: What acts.
        env: A Gymnasium environment.
        n_episodes: Episodes.
        seed: Of the first episode; the others follow on.

    Raises:
        ConfigError: There are no episodes.
    """
    _check_episodes(n_episodes)
    seen: list[FloatArray] = []
    for episode in range(n_episodes):
        observed, _ = env.reset(seed=seed + episode)
        done = False
        while not done:
            seen.append(flat_observation(observed))
            action, _ = agent.predict(observed, deterministic=True)
            observed, _, terminated, truncated, _ = env.step(action)
            done = bool(terminated or truncated)
    return np.array(seen)


def _check_episodes(n_episodes: int) -> None:
    if n_episodes < 1:
        raise ConfigError(f"n_episodes must be at least 1, not {n_episodes!r}.")


def _mean_cost(costs: Sequence[Cost]) -> Cost:
    total = sum(costs, NO_COST)
    n = max(1, len(costs))
    terms = {term: joules / n for term, joules in total.energy_j.items()}
    return Cost(total.latency_s / n, terms, None if total.energy_chip_j is None else total.energy_chip_j / n)


def _distance(info: Mapping[str, Any]) -> float:
    return float(info.get("distance_m", info.get("distance_rad", np.nan)))
