"""Episodes of many arms at once: what single and vector environments have in common, which is nearly all."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from spikearm.envs.arms import ArmSpec
from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.gym.actions import Commands
from spikearm.envs.gym.config import EnvConfig
from spikearm.envs.gym.options import Fault, ResetOptions, changed, parse_faults, parse_options
from spikearm.envs.gym.rewards import Rewards
from spikearm.envs.gym.tasks import JointSpaceDraw, Task
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.sensors import JointSensors
from spikearm.records import FloatArray, JointState
from spikearm.timesteps import n_steps

DIVERGED = "diverged"
_PER_JOINT = ("joint_friction", "joint_damping", "actuator_gain")


class Episodes:
    """Physics, sensors, task and reward of some arms, each in an episode of its own.

    A single environment is this with one arm, so that it equals its place in a vector environment bit by bit.

    Args:
        arm: The arm.
        config: Arguments of the environment.
        batch: The arms' physics.
        make_task: Makes the task, given the physics and the postures near home.
        on_reset: Called with arm and generator before anything else of an episode is drawn: random plants.
    """

    def __init__(
        self,
        arm: ArmSpec,
        config: EnvConfig,
        batch: ArmBatch,
        make_task: Callable[[ArmBatch, JointSpaceDraw], Task],
        on_reset: Callable[[int, np.random.Generator], None] | None = None,
    ) -> None:
        self.arm, self.config, self.batch = arm, config, batch
        self.n_arms = batch.n_arms
        self._ranges = batch.joint_ranges
        home = np.asarray(arm.home)
        self._draw_start = JointSpaceDraw(home, self._ranges, config.start_spread_rad)
        self.task = make_task(batch, JointSpaceDraw(home, self._ranges, config.target_spread_rad))
        self.commands = Commands(arm, config, batch, self._ranges)
        self.rewards = Rewards(config, self.task.unit, self.task.goal.shape[1])
        self._perturbations = config.perturbations
        for end in (self._perturbations.low, self._perturbations.high):
            self._check_fit(end)
        for fault in parse_faults(config.faults, NO_PERTURBATION):
            self._check_fit(fault.perturbation)
        self._on_reset = on_reset
        self.perturbation = [NO_PERTURBATION] * self.n_arms
        nominal = self._told_of(NO_PERTURBATION)
        self._told = {name: np.repeat(value[None], self.n_arms, axis=0) for name, value in nominal.items()}
        self._faults: list[deque[Fault]] = [deque() for _ in range(self.n_arms)]
        self._n_faults = 0
        self._sensors = [JointSensors(np.random.default_rng(0)) for _ in range(self.n_arms)]
        self._imperfect, self._any_imperfect = np.zeros(self.n_arms, dtype=np.bool_), False
        self._measured = (np.zeros_like(batch.q), np.zeros_like(batch.q))
        self._seen = (np.zeros((self.n_arms, 3)), np.zeros((self.n_arms, 4)))
        for e in range(self.n_arms):
            batch.place(e, home)

    def observation_size(self, *, goal: bool) -> int:
        """Numbers in an observation; without the goal itself for goal environments."""
        n, g = self.batch.n_joints, int(self.task.goal.shape[1])
        return 2 * n + 3 + n * self.commands.is_servo + g * self.task.moving + (0 if goal else 2 * g)

    def observation_box(self, *, goal: bool) -> Box:
        """The space of :meth:`observe`."""
        return Box(-np.inf, np.inf, (self.observation_size(goal=goal),), np.float64)

    def goal_box(self) -> Box:
        """The space of achieved and desired goals."""
        return Box(-np.inf, np.inf, (self.task.goal.shape[1],), np.float64)

    def check(self, options: Mapping[str, Any] | None) -> ResetOptions:
        """Options of ``reset``, before anything is drawn or changed: what is refused loses nothing.

        Raises:
            SpikearmError: An option is unknown or out of its range, or the environment was closed.
        """
        self.batch.check_open()
        chosen = parse_options(options, self._ranges)
        for settings in (chosen.settings, *(settings for _, settings in chosen.faults)):
            self._check_fit(changed(NO_PERTURBATION, settings))
        return dataclasses.replace(chosen, target=self.task.check_target(chosen.target))

    def reset(self, e: int, rng: np.random.Generator, chosen: ResetOptions) -> None:
        """Begin an episode of one arm; call :meth:`look` when all are done.

        Everything is drawn, in a fixed order, before what was chosen takes its place: choosing one thing
        changes nothing else.

        Args:
            e: The arm.
            rng: Its generator.
            chosen: What :meth:`check` returned.
        """
        perturbation = changed(self._draw_perturbation(rng), chosen.settings)
        start = self._draw_start(rng)
        self.task.reset(e, rng, chosen.target)
        if self._on_reset is not None:
            self._on_reset(e, rng)
        faults = parse_faults([*self.config.faults, *chosen.faults], perturbation)
        self._n_faults += len(faults) - len(self._faults[e])
        self._faults[e] = deque(faults)
        q = start if chosen.start is None else chosen.start
        # Noise has a generator of its own: how much of it is drawn must not change the next episode.
        self._sensors[e].seed(np.random.default_rng(rng.integers(2**63)))
        self._perturb(e, perturbation)
        self.batch.place(e, q)
        self.commands.reset(e, q)
        self._sensors[e].reset(q, np.zeros_like(q))

    def _draw_perturbation(self, rng: np.random.Generator) -> Perturbation:
        return self._perturbations.draw(rng, delay_step_s=self.config.control_dt_s)

    def step(self, actions: NDArray[np.floating], live: NDArray[np.bool_] | None = None) -> None:
        """One step of all arms.

        Args:
            actions: Shape (n_arms, n_actions).
            live: Which arms are in an episode; sensors of others take no sample. None means all.

        Raises:
            SpikearmError: The actions have the wrong shape or are not finite; nothing was changed.
        """
        self.commands.give(actions)
        if self._n_faults:
            self._apply_faults()
        self.batch.step()
        self._sample(live)
        self.look()

    def look(self) -> None:
        """Bring targets and end effectors up to the present states."""
        self.task.update(self.batch.time_s)
        self.batch.locate()

    def measured(self) -> tuple[FloatArray, FloatArray]:
        """Joint angles and velocities as the sensors report them, shape (n_arms, n_joints) each."""
        if not self._any_imperfect:
            return self.batch.q, self.batch.dq
        q, dq = self._measured
        for e, sensors in enumerate(self._sensors):
            q[e], dq[e] = sensors.read() if self._imperfect[e] else (self.batch.q[e], self.batch.dq[e])
        return q, dq

    def joint_state(self, e: int) -> JointState:
        """What one arm's sensors report now."""
        q, dq = self.measured()
        return JointState(q[e].copy(), dq[e].copy(), float(self.batch.time_s[e]))

    def observe(self, *, goal: bool) -> FloatArray:
        """Observations of all arms, shape (n_arms, observation_size); a new array."""
        q, dq = self.measured()
        position = self.batch.position
        if self._any_imperfect:
            self.batch.locate_at(np.ascontiguousarray(q), *self._seen)
            position = self._seen[0]
        parts = [q, dq, position]
        if self.commands.is_servo:
            parts.append(self.commands.current - q)
        task = self.task
        if task.moving:
            parts.append(task.goal_rate)
        if not goal:
            parts += [task.goal, task.goal - (q if task.achieved is self.batch.q else position)]
        observed: FloatArray = np.concatenate(parts, axis=1)
        return observed

    def outcome(self, actions: NDArray[np.floating]) -> tuple[FloatArray, dict[str, Any]]:
        """Rewards of the last step, shape (n_arms,), and what ``info`` says of it, arrays of n_arms rows."""
        batch = self.batch
        info = self.rewards.of_goals(self.task.achieved, self.task.goal)
        reward: FloatArray = info["reward_goal"]
        for name, term in self.rewards.of_effort(actions, batch).items():
            info[name] = term
            reward = reward + term
        info["energy_j"] = batch.work_j.copy()
        info["torque_nm"] = batch.torque.copy()
        info["saturated"] = batch.saturated.copy()
        return reward, info

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of all that ``info`` says of a step in one number."""
        return (*self.rewards.names, "energy_j", "saturated")

    def goal_info(self) -> dict[str, Any]:
        """What ``info`` says after a reset, arrays of n_arms rows."""
        terms = self.rewards.of_goals(self.task.achieved, self.task.goal)
        terms.pop("reward_goal")
        return terms | {name: values.copy() for name, values in self._told.items()}

    def close(self) -> None:
        """Release the physics."""
        self.batch.close()

    def _apply_faults(self) -> None:
        for e, faults in enumerate(self._faults):
            while faults and faults[0].time_s <= self.batch.time_s[e] + 1e-9:
                self._perturb(e, faults.popleft().perturbation)
                self._n_faults -= 1

    def _perturb(self, e: int, perturbation: Perturbation) -> None:
        if perturbation == self.perturbation[e] and self._on_reset is None:
            return
        delay_ticks = self._check_fit(perturbation)
        self.batch.perturb(e, perturbation)
        for name, value in self._told_of(perturbation).items():
            self._told[name][e] = value
        self.perturbation[e] = perturbation
        noise = perturbation.sensor_noise_q_rad, perturbation.sensor_noise_dq_rad_s
        self._imperfect[e] = bool(delay_ticks or any(noise))
        self._any_imperfect = bool(self._imperfect.any())
        self._sensors[e].configure(std_q_rad=noise[0], std_dq_rad_s=noise[1], delay_ticks=delay_ticks)

    def _told_of(self, perturbation: Perturbation) -> dict[str, FloatArray]:
        """All settings of a perturbation as ``info`` tells them, those of joints one per joint."""
        told = {name: np.asarray(value, dtype=np.float64) for name, value in vars(perturbation).items()}
        return told | {name: perturbation.per_joint(name, self.batch.n_joints) for name in _PER_JOINT}

    def _check_fit(self, perturbation: Perturbation) -> int:
        """Refuse what does not fit arm or time step; returns the age of measurements in steps."""
        for name in _PER_JOINT:
            perturbation.per_joint(name, self.batch.n_joints)
        if not perturbation.delay_s:
            return 0
        return n_steps(
            perturbation.delay_s, self.config.control_dt_s, outer="sensor delay", inner="control step"
        )

    def _sample(self, live: NDArray[np.bool_] | None) -> None:
        if not self._any_imperfect:
            return
        for e in np.flatnonzero(self._imperfect if live is None else self._imperfect & live):
            self._sensors[e].sample(self.batch.q[e], self.batch.dq[e])


def settings_of(perturbation: Perturbation) -> dict[str, Any]:
    """A perturbation as settings by name: what of it is not nominal."""
    all_of_it = dataclasses.asdict(perturbation)
    nominal = dataclasses.asdict(NO_PERTURBATION)
    return {name: value for name, value in all_of_it.items() if value != nominal[name]}
