"""Forces on the end effector from outside: a constant one, and one that depends on its velocity."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from spikearm.envs.perturbation import Perturbation


class ExternalForce:
    """``F = f + B v`` at the end-effector site, mapped to the joints by ``J^T F``.

    It is evaluated before every physics step, with the kinematics of that very state.

    Args:
        model: ``MjModel`` of the plant.
        data: Its ``MjData``; ``qfrc_applied`` belongs to this object.
        site_id: The end effector's site.
    """

    def __init__(self, model: Any, data: Any, site_id: int) -> None:
        self._model, self._data, self._site_id = model, data, site_id
        self._jacobian = np.zeros((3, model.nv))
        self._constant = np.zeros(3)
        self._field = np.zeros((3, 3))
        self.active = False

    def configure(self, perturbation: Perturbation) -> None:
        """Take the forces of a perturbation."""
        self._constant = np.asarray(perturbation.force_n)
        self._field = np.asarray(perturbation.force_field)
        self.active = bool(self._constant.any() or self._field.any())
        self._data.qfrc_applied[:] = 0.0

    def apply(self) -> None:
        """Set the joint torques of the force for the state the data is in."""
        jacobian = self._jacobian
        mujoco.mj_jacSite(self._model, self._data, jacobian, None, self._site_id)
        velocity = jacobian @ self._data.qvel
        self._data.qfrc_applied[:] = (self._constant + self._field @ velocity) @ jacobian
