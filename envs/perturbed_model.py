"""The part of a perturbation that changes the arm's model: payload, friction, damping, gravity."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from spikearm.envs.payload import set_payload
from spikearm.envs.perturbation import Perturbation
from spikearm.records import FloatArray

_STIFF = 0.999
"""Impedance of added friction (MuJoCo's ``solimp``): with the default 0.9 a joint that friction should hold
creeps by about 1e-2 rad/s, with this by 1e-4."""


class PerturbedModel:
    """Writes perturbations into an ``MjModel``, always starting from its nominal figures.

    Args:
        model: ``MjModel`` compiled with a payload body, as yet unperturbed.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._scratch = mujoco.MjData(model)
        self._friction = model.dof_frictionloss.copy()
        self._solimp = model.dof_solimp[:, :2].copy()
        self._damping = model.dof_damping.copy()
        self._gravity = model.opt.gravity.copy()

    def apply(self, perturbation: Perturbation) -> None:
        """Make the model that of the perturbed arm; nothing of an earlier perturbation remains."""
        n_joints = self._model.nv
        friction = perturbation.per_joint("joint_friction", n_joints)
        self._model.dof_frictionloss[:] = self._friction + friction
        self._model.dof_solimp[:, :2] = np.where(friction[:, None] > 0, _STIFF, self._solimp)
        self._model.dof_damping[:] = self._damping + perturbation.per_joint("joint_damping", n_joints)
        self._model.opt.gravity[:] = tilt(self._gravity, perturbation.gravity_tilt_rad)
        set_payload(self._model, self._scratch, perturbation.payload_kg, perturbation.payload_offset_m)


def tilt(vector: FloatArray, angles_rad: tuple[float, float]) -> FloatArray:
    """A vector turned about the world's y axis, then about its x axis.

    Args:
        vector: Shape (3,).
        angles_rad: Angles about x and about y [rad].

    Returns:
        ``Rx Ry vector``, shape (3,).
    """
    (sx, sy), (cx, cy) = np.sin(angles_rad), np.cos(angles_rad)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
    about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    turned: FloatArray = about_x @ about_y @ vector
    return turned
