"""Families of perturbation, of random size in proportion to the arm; and which of them no training sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from spikearm.envs.arms import STANDARD_GRAVITY, ArmSpec
from spikearm.envs.perturbation import Perturbation, Vector
from spikearm.errors import UnknownNameError
from spikearm.records import FloatArray

Family: TypeAlias = Callable[[ArmSpec, np.random.Generator], dict[str, Any]]
"""Draws one member: the settings of a :class:`Perturbation` that are not its defaults."""


def _payload(arm: ArmSpec, rng: np.random.Generator) -> dict[str, Any]:
    """A mass up to 2.2 times the arm's payload, its centre some centimetres off the end effector."""
    return {
        "payload_kg": rng.uniform(0.0, 2.2 * arm.payload_kg),
        "payload_offset_m": _vector(rng.normal(0.0, 0.05, 3)),
    }


def _friction(arm: ArmSpec, rng: np.random.Generator) -> dict[str, Any]:
    """Coulomb friction in every joint."""
    return {"joint_friction": tuple(rng.uniform(0.0, 0.15 * arm.torque_scale_nm, arm.n_joints))}


def _damping(arm: ArmSpec, rng: np.random.Generator) -> dict[str, Any]:
    """Viscous friction in every joint."""
    return {"joint_damping": tuple(rng.uniform(0.0, 0.2 * arm.torque_scale_nm, arm.n_joints))}


def _gain(arm: ArmSpec, rng: np.random.Generator) -> dict[str, Any]:
    """Motors that give more or less than they are told."""
    return {"actuator_gain": tuple(1.0 + rng.uniform(-0.2, 0.15, arm.n_joints))}


def _force(arm: ArmSpec, rng: np.random.Generator) -> dict[str, Any]:
    """A constant force on the end effector, about as large as the payload's weight."""
    return {"force_n": _vector(rng.normal(0.0, 0.6 * _weight_n(arm), 3))}


def _curl_field(arm: ArmSpec, rng: np.random.Generator) -> dict[str, Any]:
    """A force across the end effector's velocity, in proportion to it (Shadmehr and Mussa-Ivaldi 1994)."""
    axis = rng.standard_normal(3)
    x, y, z = rng.uniform(1.5, 2.5) * _weight_n(arm) / np.linalg.norm(axis) * axis
    return {"force_field": ((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0))}


def _gravity_tilt(_: ArmSpec, rng: np.random.Generator) -> dict[str, Any]:
    """A base that is not level: 0.05 to 0.2 rad out of the vertical, to any side."""
    size, side = rng.uniform(0.05, 0.2), rng.uniform(0.0, 2.0 * np.pi)
    return {"gravity_tilt_rad": (size * np.cos(side), size * np.sin(side))}


FAMILIES: Mapping[str, Family] = {
    "payload": _payload,
    "friction": _friction,
    "damping": _damping,
    "gain": _gain,
    "force": _force,
    "curl-field": _curl_field,
    "gravity-tilt": _gravity_tilt,
}
"""All families by name."""

HELD_OUT = ("curl-field", "gravity-tilt")
"""Families that no state encoder is trained on: one of the velocity, one of the posture."""

TRAINED = tuple(name for name in FAMILIES if name not in HELD_OUT)
"""Families that state encoders are trained on."""


def draw_from(arm: ArmSpec, rng: np.random.Generator, *families: str) -> Perturbation:
    """One perturbation that is a member of each of these families at once.

    Args:
        arm: The arm it is in proportion to.
        rng: Source of randomness.
        families: Keys of :data:`FAMILIES`; none of them gives no perturbation.

    Raises:
        UnknownNameError: There is no such family.
    """
    settings: dict[str, Any] = {}
    for family in families:
        if family not in FAMILIES:
            raise UnknownNameError("family of perturbations", family, FAMILIES)
        settings |= FAMILIES[family](arm, rng)
    return Perturbation(**settings)


def _weight_n(arm: ArmSpec) -> float:
    """Weight of the arm's payload [N]."""
    return STANDARD_GRAVITY * arm.payload_kg


def _vector(values: FloatArray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
