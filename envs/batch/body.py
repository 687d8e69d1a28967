"""An arm's model in MuJoCo, and what perturbs it."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np

from spikearm.envs.batch.drives import PerturbedDrives
from spikearm.envs.mjcf import CompiledArm
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.perturbed_model import PerturbedModel, tilt


class Body:
    """A model of its own, which perturbations change; at first it is nominal.

    Args:
        compiled: The arm, with payload, sensors and drives; it is copied.
        physics_dt_s: Physics time step [s].

    Attributes:
        model: The ``MjModel``.
        limits: Torque limits [N m], shape (n_joints,).
        tilt: Gravity less what the drives take it to be [m/s^2], shape (3,).
    """

    def __init__(self, compiled: CompiledArm, physics_dt_s: float) -> None:
        self.model = copy.copy(compiled.model)
        self.model.opt.timestep = physics_dt_s
        self._level = self.model.opt.gravity.copy()
        self._perturbed = PerturbedModel(self.model)
        self._drives = PerturbedDrives(self.model, compiled.torque_limits, compiled.actuator_of_joint)
        self.perturb(NO_PERTURBATION)

    def perturb(self, perturbation: Perturbation) -> None:
        """Replace what differs from the nominal arm.

        Raises:
            ConfigError: A list has not one value per joint.
        """
        self.limits = self._drives.apply(perturbation)
        self.tilt = np.zeros(3)
        if self.model.body_gravcomp[1] > 0:
            # MuJoCo's compensation carries whatever gravity its model has; drives do not know of a tilt. So
            # the model stays level, and the tilt pulls from outside.
            self.tilt = tilt(self._level, perturbation.gravity_tilt_rad) - self._level
            perturbation = dataclasses.replace(perturbation, gravity_tilt_rad=(0.0, 0.0))
        self._perturbed.apply(perturbation)
