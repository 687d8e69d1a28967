"""What moves the joints of a simulated arm: torque, or a servo for angles, with gravity compensated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from spikearm.envs.payload import add_payload_body
from spikearm.envs.perturbation import Perturbation
from spikearm.records import FloatArray

BANDWIDTH_RAD_S = 20.0
"""Natural frequency of a joint's servo at home: 3 Hz, about 1200 N m/rad at the iiwa14's second joint,
within what the makers of torque-controlled arms offer as joint impedance."""


@dataclass(frozen=True)
class Drive:
    """Elements that are added to an arm's model before it is compiled.

    The servo is MuJoCo's: ``torque = kp (command - q) - kd dq``, integrated implicitly, with ``kp`` and
    ``kd`` chosen for each joint from its inertia at home, critically damped. Limits cut the sum of servo
    and gravity compensation.

    Attributes:
        home: Joint angles at which the servo is tuned [rad].
        servo: Whether the command is an angle [rad]; else it is a torque [N m].
        gravity_compensation: Whether the drives carry the nominal arm's weight.
    """

    home: tuple[float, ...]
    servo: bool
    gravity_compensation: bool

    def extend(self, spec: Any, model: Any, ee_site: str) -> None:
        """Add payload and drives to an ``MjSpec``, and sensors in place of its own; for ``compile_arm``."""
        inertia = _inertia_at(model, self.home)
        for sensor in list(spec.sensors):  # the batch reads the torques added below, and nothing else
            spec.delete(sensor)
        for body in spec.bodies:
            body.gravcomp = float(self.gravity_compensation)
        add_payload_body(spec, model, ee_site)  # after it: nobody compensates the payload
        dof_of_joint = {model.joint(i).name: i for i in range(model.njnt)}
        for joint in spec.joints:
            joint.actgravcomp = self.gravity_compensation
            spec.add_sensor(
                name=f"torque.{joint.name}",
                type=mujoco.mjtSensor.mjSENS_JOINTACTFRC,
                objtype=mujoco.mjtObj.mjOBJ_JOINT,
                objname=joint.name,
            )
        for actuator in spec.actuators:
            actuator.gear = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
            if self.servo:
                m = inertia[dof_of_joint[actuator.target]]
                _make_servo(actuator, BANDWIDTH_RAD_S**2 * m, 2.0 * BANDWIDTH_RAD_S * m)


def _inertia_at(model: Any, q: tuple[float, ...]) -> FloatArray:
    """Diagonal of the joint-space inertia [kg m^2], shape (n_joints,)."""
    data = mujoco.MjData(model)
    data.qpos[:] = q
    mujoco.mj_forward(model, data)
    full = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, full)
    diagonal: FloatArray = np.diag(full).copy()
    return diagonal


def _make_servo(actuator: Any, kp: float, kd: float) -> None:
    actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.gainprm[0] = kp
    actuator.biasprm[:3] = (0.0, -kp, -kd)


class PerturbedDrives:
    """Writes actuator gains and torque limits into a model, always from its nominal figures.

    A gain turns the servo's (or commanded) torque, and the limit with it, as in :class:`MujocoPlant`;
    gravity compensation is exact whatever the gain.

    Args:
        model: ``MjModel`` compiled with a :class:`Drive`.
        torque_limits: Largest torque of each joint [N m], shape (n_joints,).
        actuator_of_joint: Actuator of each joint.
    """

    def __init__(self, model: Any, torque_limits: FloatArray, actuator_of_joint: Any) -> None:
        self._model = model
        self._limits = torque_limits
        self._actuator_of_joint = actuator_of_joint
        self._gain = model.actuator_gainprm[:, 0].copy()
        self._bias = model.actuator_biasprm[:, :3].copy()
        model.jnt_actfrclimited[:] = 1

    def apply(self, perturbation: Perturbation) -> FloatArray:
        """Make the drives those of the perturbed arm; returns their limits [N m], shape (n_joints,)."""
        gain = perturbation.per_joint("actuator_gain", len(self._limits))
        by_actuator = np.empty_like(gain)
        by_actuator[self._actuator_of_joint] = gain
        self._model.actuator_gainprm[:, 0] = self._gain * by_actuator
        self._model.actuator_biasprm[:, :3] = self._bias * by_actuator[:, None]
        limits = self._limits * gain
        self._model.jnt_actfrcrange[:, 0], self._model.jnt_actfrcrange[:, 1] = -limits, limits
        return limits
