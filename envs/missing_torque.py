"""The torque that a perturbation adds to what the nominal arm needs: the truth an adaptive network seeks."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np

from spikearm.envs.arms import ArmSpec
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.external import ExternalForce
from spikearm.envs.mjcf import compile_arm
from spikearm.envs.payload import add_payload_body
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.perturbed_model import PerturbedModel
from spikearm.records import FloatArray

_SLIP_RAD_S = 0.05
"""Velocity over which Coulomb friction changes its sign: at rest it is no function of the state."""


class MissingTorque:
    """Inverse dynamics of the perturbed arm minus those of the nominal one, joint limits aside.

    Args:
        arm: The arm.
    """

    def __init__(self, arm: ArmSpec) -> None:
        compiled = compile_arm(arm.path, ee_site=arm.ee_site, extend=add_payload_body)
        self._model = compiled.model
        # Joint limits are no perturbation; friction is a function of the velocity below.
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONSTRAINT
        self._own_friction = self._model.dof_frictionloss.copy()
        self._data = mujoco.MjData(self._model)
        self._nominal = MujocoDynamics(arm)
        self._perturbed = PerturbedModel(self._model)
        self._external = ExternalForce(self._model, self._data, compiled.site_id)
        self.perturb(NO_PERTURBATION)

    def perturb(self, perturbation: Perturbation) -> None:
        """Choose the perturbation; sensor noise and delay add no torque and are ignored."""
        n = self._nominal.n_joints
        self._friction = self._own_friction + perturbation.per_joint("joint_friction", n)
        self._gain = perturbation.per_joint("actuator_gain", n)
        self._perturbed.apply(dataclasses.replace(perturbation, joint_friction=0.0))
        self._external.configure(perturbation)

    def __call__(self, q: FloatArray, dq: FloatArray, ddq: FloatArray) -> FloatArray:
        """Torque to add to the nominal inverse dynamics for this motion [N m], shape (n_joints,).

        Args:
            q: Joint angles [rad], shape (n_joints,).
            dq: Joint velocities [rad/s].
            ddq: Joint accelerations [rad/s^2].
        """
        self._nominal.update(q, dq)
        nominal = self._nominal.mass_matrix() @ ddq + self._nominal.bias()
        data = self._data
        data.qpos[:], data.qvel[:], data.qacc[:] = q, dq, ddq
        mujoco.mj_inverse(self._model, data)
        self._external.apply()
        needed = data.qfrc_inverse - data.qfrc_applied + self._friction * np.tanh(dq / _SLIP_RAD_S)
        missing: FloatArray = needed / self._gain - nominal
        return missing
