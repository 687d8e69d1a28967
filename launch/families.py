"""Families of perturbation that protocols draw from, and which of them encoder training never sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikearm.envs.arms import ArmSpec
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import UnknownNameError
from spikearm.records import FloatArray

HELD_OUT = ("force_field", "gravity_tilt_rad")
"""Fields of :class:`Perturbation` that no encoder is trained on: one family that depends on the velocity,
one that depends on the posture. ``spikearm.launch.encoder_data`` must leave them at their defaults."""

CURL_NS_M = 20.0
"""Strength of the curl field [N s/m]: at 0.47 m/s, the peak of a reach of 0.2 m in 0.8 s, it pushes with
9.4 N, close to the weight of 0.907 kg."""

TILT_RAD = 0.15
"""Tilt of the base [rad], 8.6 degrees."""


@dataclass(frozen=True)
class Family:
    """A kind of perturbation of which every session meets another member.

    Attributes:
        field: The field of :class:`Perturbation` that it sets.
        text: What it is, for people.
        draw: Makes a member for an arm.
    """

    field: str
    text: str
    draw: Callable[[ArmSpec, np.random.Generator], Perturbation]

    @property
    def held_out(self) -> bool:
        """Whether no encoder has seen its like."""
        return self.field in HELD_OUT


def _payload(arm: ArmSpec, _rng: np.random.Generator) -> Perturbation:
    """The published weight, always the same."""
    return Perturbation(payload_kg=arm.payload_kg)


def _curl(arm: ArmSpec, rng: np.random.Generator) -> Perturbation:
    """Force ``B v`` with ``B v = strength (axis x v)`` (Shadmehr and Mussa-Ivaldi 1994), axis at random."""
    x, y, z = (float(c) for c in CURL_NS_M * _curl_axis(arm, rng))
    return Perturbation(force_field=((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)))


def _curl_axis(arm: ArmSpec, rng: np.random.Generator) -> FloatArray:
    """Unit vector; for an arm in a plane its normal, about which alone forces stay in the plane."""
    moves = np.array(arm.task_axes[:3])
    axis = rng.standard_normal(3)
    if not moves.all():
        axis *= ~moves
    return _unit(axis)


def _tilt(_arm: ArmSpec, rng: np.random.Generator) -> Perturbation:
    """Base tilted about a horizontal axis of random direction."""
    angle = rng.uniform(-np.pi, np.pi)
    return Perturbation(gravity_tilt_rad=(float(TILT_RAD * np.cos(angle)), float(TILT_RAD * np.sin(angle))))


FAMILIES: dict[str, Family] = {
    "payload": Family("payload_kg", "a weight fixed to the end effector", _payload),
    "curl": Family("force_field", "a force field across the velocity", _curl),
    "tilt": Family("gravity_tilt_rad", "a base that is not level", _tilt),
}
"""The families by name."""


def draw_perturbation_of(family: str, arm: ArmSpec, rng: np.random.Generator) -> Perturbation:
    """A member of a family.

    Raises:
        UnknownNameError: There is no such family.
    """
    if family not in FAMILIES:
        raise UnknownNameError("family", family, FAMILIES)
    return FAMILIES[family].draw(arm, rng)


def _unit(vector: FloatArray) -> FloatArray:
    unit: FloatArray = vector / np.linalg.norm(vector)
    return unit
