"""What happens to an arm that its controller does not know of."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray

PerJoint: TypeAlias = float | tuple[float, ...]
"""One value for all joints, or one for each."""

Vector: TypeAlias = tuple[float, float, float]

_AT_LEAST_0 = (
    "payload_kg",
    "joint_friction",
    "joint_damping",
    "actuator_gain",
    "sensor_noise_q_rad",
    "sensor_noise_dq_rad_s",
    "delay_s",
)
MOST_PAYLOAD_KG = 1000.0
"""Far beyond what any arm carries; much more and physics steps of milliseconds say nothing."""
_SHAPES: dict[str, tuple[int, ...]] = {
    "payload_kg": (),
    "payload_offset_m": (3,),
    "gravity_tilt_rad": (2,),
    "force_n": (3,),
    "force_field": (3, 3),
    "sensor_noise_q_rad": (),
    "sensor_noise_dq_rad_s": (),
    "delay_s": (),
}


@dataclass(frozen=True)
class Perturbation:
    """Differences between the real arm and the nominal one. The default is none.

    Attributes:
        payload_kg: Mass fixed to the end effector [kg].
        payload_offset_m: Centre of the payload in the frame of the end-effector site [m].
        joint_friction: Coulomb friction on top of the model's own [N m], one value or one per joint.
        joint_damping: Viscous damping on top of the model's own [N m s/rad], one value or one per joint.
        actuator_gain: Torque given per torque commanded, one value or one per joint.
        gravity_tilt_rad: Turns gravity about the world's y, then about its x axis [rad], order (x, y): an
            arm whose base is not level.
        force_n: Constant force on the end effector, in the world frame [N].
        force_field: Matrix B of a force ``B v`` on the end effector with velocity v, in the world frame
            [N s/m]; antisymmetric for a curl field (Shadmehr and Mussa-Ivaldi 1994).
        sensor_noise_q_rad: Standard deviation of the measured joint angles [rad].
        sensor_noise_dq_rad_s: Standard deviation of the measured joint velocities [rad/s].
        delay_s: Age of what the sensors report [s]; a whole number of control steps.

    Raises:
        ConfigError: A value is not finite, has the wrong shape, or is negative where it must not be.
    """

    payload_kg: float = 0.0
    payload_offset_m: Vector = (0.0, 0.0, 0.0)
    joint_friction: PerJoint = 0.0
    joint_damping: PerJoint = 0.0
    actuator_gain: PerJoint = 1.0
    gravity_tilt_rad: tuple[float, float] = (0.0, 0.0)
    force_n: Vector = (0.0, 0.0, 0.0)
    force_field: tuple[Vector, Vector, Vector] = ((0.0,) * 3, (0.0,) * 3, (0.0,) * 3)
    sensor_noise_q_rad: float = 0.0
    sensor_noise_dq_rad_s: float = 0.0
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = _as_array(field.name, getattr(self, field.name))
            _check(field.name, value)
            # Lists, as configuration files give them, become tuples: the record stays hashable.
            object.__setattr__(self, field.name, _as_tuple(value.tolist()))

    def per_joint(self, field: str, n_joints: int) -> FloatArray:
        """One of the per-joint settings as an array, in its own unit.

        Args:
            field: Its name.
            n_joints: Number of joints.

        Returns:
            Shape (n_joints,); a single number holds for all joints.

        Raises:
            ConfigError: It was given as a list of another length.
        """
        value = np.asarray(getattr(self, field), dtype=np.float64)
        if value.ndim and len(value) != n_joints:
            raise ConfigError(
                f"{field} has {len(value)} values, the arm has {n_joints} joints; give one value per joint, "
                "or a single one for all."
            )
        return np.broadcast_to(value, (n_joints,)).copy()


def _as_array(field: str, value: object) -> FloatArray:
    try:
        given = np.asarray(value)
    except (TypeError, ValueError):
        given = np.asarray(None)
    if given.dtype.kind not in "fiu":  # text and truth values are mistakes
        raise ConfigError(f"{field} must be a number or a list of numbers, not {value!r}.")
    return given.astype(np.float64)


def _check(field: str, value: FloatArray) -> None:
    shape = _SHAPES.get(field)
    if shape is None:
        if value.ndim > 1 or value.size == 0:
            raise ConfigError(f"{field} must be one number or one per joint, not {value.tolist()!r}.")
    elif value.shape != shape:
        wanted = "one number" if shape == () else f"{' x '.join(map(str, shape))} numbers"
        raise ConfigError(f"{field} must be {wanted}, not {value.tolist()!r}.")
    if not np.isfinite(value).all():
        raise ConfigError(f"{field} must be finite, not {value.tolist()!r}; give 0 for none.")
    if field == "payload_kg" and value > MOST_PAYLOAD_KG:
        raise ConfigError(f"payload_kg must be at most {MOST_PAYLOAD_KG:g} kg, not {value.tolist()!r}.")
    if field in _AT_LEAST_0 and (value < 0).any():
        raise ConfigError(f"{field} must be 0 or more, not {value.tolist()!r}.")


def _as_tuple(value: object) -> object:
    return tuple(_as_tuple(v) for v in value) if isinstance(value, list) else value


NO_PERTURBATION = Perturbation()
"""The arm as its model says."""
