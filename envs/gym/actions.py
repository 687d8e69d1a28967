"""What an action means: its box, its scale, and the commands it becomes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from spikearm.envs.arms import ArmSpec
from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.batch.commands import POSE, POSITION, TORQUE, next_commands, spread
from spikearm.envs.gym.checks import floats
from spikearm.envs.gym.config import ACTION_MODES, EnvConfig
from spikearm.errors import ConfigError, NotFiniteError
from spikearm.records import FloatArray

POSE_SPEED_M_S = 0.5
POSE_SPIN_RAD_S = 1.5
"""Speeds of the end effector's set point at an action of 1: half a reach in 0.2 s, brisk and within what the
makers of such arms allow."""


def default_scale(arm: ArmSpec, config: EnvConfig, limits: FloatArray) -> FloatArray:
    """What an action of 1 means unless it is said.

    Torque: the arm's ``torque_scale_nm`` at its strongest joint, less at others in proportion to their limits
    [N m]. Position: ``dq_half_range_rad_s`` for one step [rad]. Pose: 0.5 m/s and 1.5 rad/s for one step.

    Returns:
        Shape (n_actions,).
    """
    scale: FloatArray
    if config.action_mode == "torque":
        scale = np.minimum(limits, arm.torque_scale_nm * limits / limits.max())
    elif config.action_mode == "position":
        scale = np.full(arm.n_joints, arm.dq_half_range_rad_s * config.control_dt_s)
    else:
        speeds = np.array([POSE_SPEED_M_S] * 3 + [POSE_SPIN_RAD_S] * 3)
        scale = speeds[np.flatnonzero(arm.task_axes)] * config.control_dt_s
    return scale


class Commands:
    """Turns actions into what the drives are told, late if they are to be.

    A servo's command moves from one set point to the next within a step; a torque jumps.

    Args:
        arm: The arm.
        config: Mode, scale and delay.
        batch: The arms; actions of the "pose" mode are resolved with their kinematics.
        joint_ranges: Lowest and highest angle of each joint [rad], shape (n_joints, 2).

    Attributes:
        scale: What an action of 1 means, shape (n_actions,).
        is_servo: Whether commands are angles.
        current: The newest command of each arm [N m] or [rad], shape (n_arms, n_joints); a view.
    """

    def __init__(self, arm: ArmSpec, config: EnvConfig, batch: ArmBatch, joint_ranges: FloatArray) -> None:
        self._mode = ACTION_MODES[config.action_mode]
        self.is_servo = self._mode in (POSITION, POSE)
        self._batch = batch
        limits = batch.limits[0]
        self.scale = _scale_of(arm, config, limits)
        low, high = (-limits, limits) if self._mode == TORQUE else joint_ranges.T
        self._low, self._high = np.ascontiguousarray(low), np.ascontiguousarray(high)
        self._shape = (batch.n_arms, len(self.scale))
        self._axes = np.flatnonzero(arm.task_axes)
        self._rate_limit = arm.dq_half_range_rad_s * config.control_dt_s
        # 1e-6 of a step: a delay of exactly k steps is k steps, whatever its last bit.
        self._delay = math.ceil(config.action_delay_s / config.physics_dt_s - 1e-6)
        depth = 2 + math.ceil(self._delay / batch.n_substeps) + 1
        self._history = np.zeros((batch.n_arms, depth, batch.n_joints))
        e, n = batch.n_arms, batch.n_joints
        self._at = (np.zeros((e, 3)), np.zeros((e, 4)), np.zeros((e, 6, n)))

    @property
    def current(self) -> FloatArray:
        """The newest command of each arm, shape (n_arms, n_joints); a view."""
        newest: FloatArray = self._history[:, 0]
        return newest

    def space(self) -> Box:
        """Actions of one arm."""
        return Box(-1.0, 1.0, (len(self.scale),), np.float32)

    def reset(self, e: int, q: FloatArray) -> None:
        """One arm rests at these angles [rad], and has for longer than the delay."""
        self._history[e] = q if self.is_servo else 0.0

    def give(self, actions: NDArray[np.floating]) -> None:
        """Write the commands of these actions, shape (n_arms, n_actions), for the next step of the batch.

        Raises:
            ConfigError: The actions have another shape.
            NotFiniteError: One is NaN or infinite. In either case nothing was changed.
        """
        wanted = self._shape
        if actions.shape != wanted:
            what = "action" if wanted[0] == 1 else "actions"
            shapes = [s[1:] if wanted[0] == 1 and len(s) > 1 else s for s in (actions.shape, wanted)]
            raise ConfigError(f"{what} of shape {shapes[0]}, this environment takes {shapes[1]}.")
        if actions.dtype.kind not in "fiub":
            raise ConfigError(
                f"actions must be real numbers, not {actions.dtype.name}: {actions.tolist()!r}."
            )
        values = np.ascontiguousarray(actions, dtype=np.float64)
        if self._mode == POSE:
            self._batch.locate_at(self._history[:, 0], *self._at)
        if not next_commands(
            self._mode,
            values,
            self.scale,
            self._low,
            self._high,
            self._at[2],
            self._axes,
            self._rate_limit,
            self._history,
        ):
            raise NotFiniteError(_what_is_not_finite(values))
        spread(self._history, self._delay, self.is_servo, self._batch.actuator_of_joint, self._batch.control)


def as_array(action: Any) -> NDArray[Any]:
    """An action, or many, as an array; it is checked by :meth:`Commands.give`.

    Raises:
        ConfigError: Its rows have different lengths.
    """
    try:
        return np.asarray(action)
    except ValueError as error:
        raise ConfigError(f"actions must be an array of numbers, not {action!r}.") from error


def _what_is_not_finite(actions: FloatArray) -> str:
    row, column = np.argwhere(~np.isfinite(actions))[0]
    where = f"action {column}" + (f" of environment {row}" if len(actions) > 1 else "")
    return (
        f"{where} is {actions[row, column]}; actions must be finite numbers in [-1, 1]. Nothing was applied: "
        "look for a diverged policy."
    )


def _scale_of(arm: ArmSpec, config: EnvConfig, limits: FloatArray) -> FloatArray:
    own = default_scale(arm, config, limits)
    if config.action_scale is None:
        return own
    given = floats("action_scale", config.action_scale)
    if given.ndim > 1 or (given.ndim and given.shape != own.shape):
        raise ConfigError(
            f"action_scale is one number or {len(own)}, one per action; got {config.action_scale!r}."
        )
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise ConfigError(f"action_scale must be positive and finite, not {config.action_scale!r}.")
    return np.broadcast_to(given, own.shape).copy()
