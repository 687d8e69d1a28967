"""The arguments that all environments share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spikearm.envs.batch.commands import POSE, POSITION, TORQUE
from spikearm.envs.perturbation_range import PerturbationRange, perturbation_of
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.timesteps import n_steps

ACTION_MODES = {"torque": TORQUE, "position": POSITION, "pose": POSE}
REWARD_TYPES = ("dense", "sparse")
REWARD_WEIGHTS = {"distance": 1.0, "success": 0.0, "action": 0.0, "energy": 0.0, "diverged": 100.0}
"""Weights of the reward's terms unless others are given; see :class:`~spikearm.envs.gym.rewards.Rewards`."""


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
        perturbation_range: What is drawn anew for each episode, ``{name: [low, high]}``.
        observation_noise: Standard deviation of measured angles [rad] and velocities [rad/s].
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
    observation_noise: tuple[float, float] = (0.0, 0.0)
    action_delay_s: float = 0.0
    reward_type: str = "dense"
    reward_weights: Mapping[str, float] = field(default_factory=dict)
    success_radius: float = 0.025
    start_spread_rad: float = 0.1
    target_spread_rad: float = 0.6

    def __post_init__(self) -> None:
        if self.action_mode not in ACTION_MODES:
            raise UnknownNameError("action mode", self.action_mode, ACTION_MODES)
        if self.reward_type not in REWARD_TYPES:
            raise UnknownNameError("reward type", self.reward_type, REWARD_TYPES)
        for name, weight in self.reward_weights.items():
            if name not in REWARD_WEIGHTS:
                raise UnknownNameError("reward term", name, REWARD_WEIGHTS)
            if not (math.isfinite(weight) and weight >= 0):
                raise ConfigError(f"reward weight {name} must be a number of 0 or more, not {weight!r}.")
        n_steps(self.control_dt_s, self.physics_dt_s, outer="control step", inner="physics step")
        for name in ("action_delay_s", "start_spread_rad", "target_spread_rad"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ConfigError(f"{name} must be a number of 0 or more, not {getattr(self, name)!r}.")
        if not (math.isfinite(self.success_radius) and self.success_radius > 0):
            raise ConfigError(f"success_radius must be a positive number, not {self.success_radius!r}.")
        if len(self.observation_noise) != 2:
            raise ConfigError(
                f"observation_noise is two deviations, of angles [rad] and velocities [rad/s]; "
                f"got {self.observation_noise!r}."
            )
        _ = self.perturbations  # every name and value is checked here, not in the first episode

    @property
    def perturbations(self) -> PerturbationRange:
        """What every episode's perturbation is drawn from."""
        noise_q, noise_dq = self.observation_noise
        always = dict(self.perturbation or {})
        if noise_q or noise_dq:
            always |= {"sensor_noise_q_rad": noise_q, "sensor_noise_dq_rad_s": noise_dq}
        return PerturbationRange.of(perturbation_of(always), self.perturbation_range)

    @property
    def weights(self) -> dict[str, float]:
        """Weights of all terms of the reward."""
        return REWARD_WEIGHTS | dict(self.reward_weights)
