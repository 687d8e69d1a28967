"""What a robot is not served as: who may serve it, and what its arm has to say of itself first."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import AddressError, ConfigError
from spikearm.hardware.link.address import parse_address, require_safe
from spikearm.hardware.link.key import load_key
from spikearm.hardware.link.limits import Limits
from spikearm.hardware.link.served_plant import LimitsTorque, ServedPlant, reading_is_finite
from spikearm.hardware.link.session import AT_REST_RAD_S
from spikearm.hardware.link.wire import Trait
from spikearm.launch.robot_config import RobotConfig
from spikearm.records import FloatArray, JointState

_SUNK_RAD = 0.5
"""Further than an arm sinks whose drives are off, from when it was opened until it is served [rad]."""
_WORTH_A_WORD_RAD = 0.01
"""Likewise, but said only [rad]."""
_LOG = logging.getLogger(__name__)


def drive_limits_of(plant: ServedPlant, n_joints: int) -> FloatArray | None:
    """Largest torques that the arm's drives give [N m], shape (n_joints,); None if they do not say.

    Raises:
        ConfigError: They say nothing that can be a limit.
    """
    if not isinstance(plant, LimitsTorque):
        return None
    limits = np.asarray(plant.torque_limits, dtype=np.float64)
    if limits.shape != (n_joints,) or not (limits > 0.0).all():
        raise ConfigError(
            f"the drives' torque_limits are {limits}, not {n_joints} positive torques [N m]; mend the "
            "plant, or leave them out where nothing is known."
        )
    return limits


def require_allowed(config: RobotConfig, traits: Trait) -> None:
    """Whoever can command a real arm, and whoever switches it on, has to be somebody who may.

    Raises:
        AddressError: Others can reach its address.
        ConfigError: Nobody has acknowledged that it may be energised, faults are to be injected, or it shall
            move in lock step, in which there is no watchdog.
    """
    address, has_key = parse_address(config.listen), bool(load_key(config.key_file))
    require_safe(address, has_key=has_key)
    if not traits & Trait.REAL:
        return
    if config.lock_step or traits & Trait.LOCK_STEP:
        raise ConfigError("a real arm does not wait for its commands; leave --lock-step out.")
    config.session.require_watchful()
    if config.faults.any:
        raise ConfigError("faults are for simulated arms; leave them out for a real one.")
    if address.path is None and not has_key:
        raise AddressError(
            f"every user of this machine could command a real arm at {address}; give --listen unix:PATH, or "
            "a 32-byte key with --key-file (`spikearm robot key FILE` makes one)."
        )
    if not config.acknowledge_real_arm:
        raise ConfigError(
            "this arm is real, and will be held by torque as soon as it is served. Clear its surroundings, "
            "keep a hand on its emergency stop, read docs/safety.md, and say so with --acknowledge-real-arm."
        )


@dataclass(frozen=True)
class FirstLook:
    """What is asked of the reading that an arm is first held by: when it is opened, and when serving begins.

    Attributes:
        dynamics: The arm's model.
        limits: What its session lets through.
        drive_limits: Largest torques that its drives give [N m], shape (n_joints,); None: not known.
        real: Whether the arm can hurt.
    """

    dynamics: MujocoDynamics
    limits: Limits
    drive_limits: FloatArray | None
    real: bool

    def require(self, reading: JointState, measured: FloatArray) -> None:
        """Refuse an arm that cannot be held from there.

        Args:
            reading: Where it is.
            measured: Torque of its joints [N m], shape (n_joints,); zeros where they measure none.

        Raises:
            ConfigError: The reading is not finite, the arm moves, is outside its range or too heavy there.
        """
        _require_finite(reading, measured)
        if self.real:
            _require_at_rest(reading)
        _require_inside(self.dynamics.joint_ranges, reading)
        _require_carried(self.dynamics, self.limits, self.drive_limits, reading)

    def require_near(self, reading: JointState, opened: JointState) -> None:
        """Say how far an arm has moved since it was opened; refuse one that did not get there by sinking.

        Raises:
            ConfigError: It is further than 0.5 rad from there.
        """
        moved = np.abs(reading.q - opened.q)
        joint = int(np.argmax(moved))
        if moved[joint] > _SUNK_RAD:
            raise ConfigError(
                f"since it was opened, joint {joint} went from {opened.q[joint]:.3f} to "
                f"{reading.q[joint]:.3f} rad, more than {_SUNK_RAD:g} rad: somebody moved it, or an encoder "
                "lost its count. Look at it (`spikearm robot look`), and serve it again."
            )
        if moved[joint] > _WORTH_A_WORD_RAD:
            _LOG.warning(
                "the arm moved by up to %.3f rad (joint %d) since it was opened; it is held from where it "
                "stands now.",
                moved[joint],
                joint,
            )


def _require_finite(reading: JointState, measured: FloatArray) -> None:
    """An arm of which nothing is known would be held by nothing.

    Raises:
        ConfigError: Its first reading is not finite.
    """
    if not reading_is_finite(reading, measured):
        raise ConfigError(
            f"the arm's first reading is q = {reading.q} rad, dq = {reading.dq} rad/s at {reading.t_s} s, "
            f"torque {measured} N m; every number has to be finite. Look at its sensors (`spikearm robot "
            "look`), and serve it again."
        )


def _require_at_rest(reading: JointState) -> None:
    """An arm that somebody else moves, or that falls, would be taken over in motion.

    Raises:
        ConfigError: It moves.
    """
    speed_rad_s = float(np.abs(reading.dq).max())
    if speed_rad_s > AT_REST_RAD_S:
        raise ConfigError(
            f"this arm is real and moves, by up to {speed_rad_s:.2f} rad/s. End what moves it, wait until it "
            f"is at rest (below {AT_REST_RAD_S:g} rad/s), and serve it again."
        )


def _require_inside(q_range: FloatArray, reading: JointState) -> None:
    """An arm that reads outside its range would be moved as soon as it is held.

    Raises:
        ConfigError: A servo is a turn off after a power cycle, the homing or the model is wrong, or it is so.
    """
    outside = (reading.q < q_range[:, 0]) | (reading.q > q_range[:, 1])
    if outside.any():
        joint = int(np.flatnonzero(outside)[0])
        low, high = q_range[joint]
        raise ConfigError(
            f"joint {joint} reads {reading.q[joint]:.3f} rad, outside its range of {low:.3f} to {high:.3f} "
            "rad. Check homing, zero and model (--arm), or move it inside by hand, and serve it again."
        )


def _require_carried(
    dynamics: MujocoDynamics, limits: Limits, drive_limits: FloatArray | None, reading: JointState
) -> None:
    """An arm that its allowed torque, or its drives, cannot carry would fall as soon as it is held.

    Raises:
        ConfigError: It is one.
    """
    dynamics.update(reading.q, np.zeros_like(reading.dq))
    weight = np.abs(dynamics.bias())
    if drive_limits is not None and (weight > drive_limits).any():
        joint = int(np.argmax(weight / drive_limits))
        raise ConfigError(
            f"where it stands, the arm's own weight takes {weight[joint]:.3f} N m at joint {joint}, and its "
            f"drive gives {drive_limits[joint]:.3f} N m at most: it would fall. Let the drive give more (of "
            "Dynamixel servos: --servo-limit-a), or move the arm elsewhere."
        )
    if (weight > limits.torque).any():
        needed = (weight / dynamics.torque_limits).max()
        raise ConfigError(
            f"where it stands, the arm's own weight takes {needed:.3f} of its torque limits, more than it is "
            f"allowed: it would fall. Give a --torque-share above {needed:.3f}, or move it elsewhere."
        )
