"""The arguments that all environments share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikearm.envs.batch.commands import POSE, POSITION, TORQUE
from spikearm.envs.gym.checks import check_choice, check_number
from spikearm.envs.perturbation_range import PerturbationRange, perturbation_of
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.timesteps import n_steps

ACTION_MODES = {"torque": TORQUE, "position": POSITION, "pose": POSE}
REWARD_TYPES = ("dense", "sparse")
REWARD_WEIGHTS = {"distance": 1.0, "success": 0.0, "action": 0.0, "energy": 0.0, "diverged": 100.0}
"""Weights of the reward's terms unless others are given; see :class:`~spikearm.envs.gym.rewards.Rewards`."""

_NOISES = ("sensor_noise_q_rad", "sensor_noise_dq_rad_s")

LEAST_STEP_S = 1e-5
"""Shortest time step [s]; commands of all physics steps of a control step are kept in memory."""
MOST_STEP_S = 10.0
"""Longest time step [s]."""
MAX_DELAY_S = 10.0
"""Greatest delay of actions [s]: longer than any episode."""


@dataclass(frozen=True)
class EnvConfig:
    """How an environment is set up, whatever its task.

    Attributes:
        arm: A shipped arm or the path of an MJCF file.
        action_mode: "torque" [N m], "position" (moves each joint's set point) or "pose" (moves the set point
            of the end effector along the arm's task axes).
        control_dt_s: Time of one step [s].
        physics_dt_s: Physics time step [s], which divides it.
        gravity_compensation: Whether the drives carry the nominal arm's weight.
        action_scale: What an action of 1 means: [N m], or [rad] or [m, rad] per step; one number or one per
            action. None takes the mode's own, see :func:`~spikearm.envs.gym.actions.default_scale`.
        perturbation: What differs from the nominal arm in every episode, by name.
        perturbation_range: What is drawn anew for each episode, ``{name: [low, high]}``: uniformly,
            ``delay_s`` in whole steps.
        faults: What changes in the course of every episode: pairs of a time [s] and settings by name, as of
            ``reset``, whose own come on top.
        observation_noise: Standard deviation of measured angles [rad] and velocities [rad/s]; a short form of
            ``sensor_noise_q_rad`` and ``sensor_noise_dq_rad_s`` of the perturbation.
        action_delay_s: Age of an action when it reaches the drives [s], rounded up to whole physics steps.
        reward_type: "dense" (weighted distance) or "sparse" (-1 until the target is reached, then 0).
        reward_weights: Weights of the reward's terms; those not given keep their default.
        success_radius: Distance that counts as reached [m]; [rad] where the target is an angle.
        start_spread_rad: Greatest distance of a joint from home at the start [rad].
        target_spread_rad: Greatest distance of a joint from home where a target is drawn [rad].
    """

    arm: str = "iiwa14"
    action_mode: str = "pose"
    control_dt_s: float = 0.02
    physics_dt_s: float = 0.002
    gravity_compensation: bool = True
    action_scale: float | Sequence[float] | None = None
    perturbation: Mapping[str, Any] | None = None
    perturbation_range: Mapping[str, Any] | None = None
    faults: Sequence[tuple[float, Mapping[str, Any]]] = ()
    observation_noise: tuple[float, float] = (0.0, 0.0)
    action_delay_s: float = 0.0
    reward_type: str = "dense"
    reward_weights: Mapping[str, float] = field(default_factory=dict)
    success_radius: float = 0.025
    start_spread_rad: float = 0.1
    target_spread_rad: float = 0.6

    def __post_init__(self) -> None:
        if self.action_mode not in tuple(ACTION_MODES):  # a tuple: what cannot be hashed is unknown too
            raise UnknownNameError("action mode", str(self.action_mode), ACTION_MODES)
        if self.reward_type not in REWARD_TYPES:
            raise UnknownNameError("reward type", str(self.reward_type), REWARD_TYPES)
        self._check_weights()
        check_number("success_radius", self.success_radius, zero=False)
        for name in ("control_dt_s", "physics_dt_s"):
            check_number(name, getattr(self, name), zero=False, least=LEAST_STEP_S, most=MOST_STEP_S)
        for name in ("start_spread_rad", "target_spread_rad"):
            check_number(name, getattr(self, name))
        check_number("action_delay_s", self.action_delay_s, most=MAX_DELAY_S)
        n_steps(self.control_dt_s, self.physics_dt_s, outer="control step", inner="physics step")
        check_choice("gravity_compensation", self.gravity_compensation)
        if np.shape(self.observation_noise) != (2,):
            raise ConfigError(
                f"observation_noise is two deviations, of angles [rad] and velocities [rad/s]; "
                f"got {self.observation_noise!r}."
            )
        _ = self.perturbations  # every name and value is checked here, not in the first episode

    def _check_weights(self) -> None:
        if not isinstance(self.reward_weights, Mapping):
            raise ConfigError(
                f"reward_weights must be a mapping such as {{'energy': 0.1}}, not {self.reward_weights!r}."
            )
        for name, weight in self.reward_weights.items():
            if name not in REWARD_WEIGHTS:
                raise UnknownNameError("reward term", str(name), REWARD_WEIGHTS)
            check_number(f"reward weight {name}", weight)

    @property
    def perturbations(self) -> PerturbationRange:
        """What every episode's perturbation is drawn from."""
        always = perturbation_of(self.perturbation)
        noises = {n: value for n, value in zip(_NOISES, self.observation_noise, strict=True) if value}
        for name in noises:
            if getattr(always, name) or name in (self.perturbation_range or {}):
                raise ConfigError(
                    f"observation_noise and {name} of the perturbation say the same thing twice; give one."
                )
        return PerturbationRange.of(
            perturbation_of({**(self.perturbation or {}), **noises}), self.perturbation_range
        )

    @property
    def weights(self) -> dict[str, float]:
        """Weights of all terms of the reward."""
        return REWARD_WEIGHTS | dict(self.reward_weights)
