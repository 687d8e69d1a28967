"""The controller's own model of an arm, in its own MuJoCo data."""

from __future__ import annotations

import mujoco
import numpy as np

from spikearm.envs.arms import ArmSpec
from spikearm.envs.mjcf import compile_arm
from spikearm.records import FloatArray, Pose


class MujocoDynamics:
    """Inertia, bias, Jacobians and pose of the nominal arm at a state that the caller gives.

    It shares no memory with any plant: payloads and other perturbations of a plant never reach it.

    Only the steps of MuJoCo's pipeline that are needed are run, not ``mj_forward``: constraints, contacts
    and sensors play no part in a model-based control law.

    Args:
        arm: The arm.

    Raises:
        ModelError: The arm's model cannot be used.
    """

    def __init__(self, arm: ArmSpec) -> None:
        compiled = compile_arm(arm.path, ee_site=arm.ee_site)
        model = compiled.model
        self._model = model
        self._data = mujoco.MjData(model)
        self._site_id = compiled.site_id
        self._body_id = int(model.site_bodyid[compiled.site_id])
        self._torque_limits = compiled.torque_limits
        n = compiled.n_joints
        self._mass_matrix = np.zeros((n, n))
        self._bias = np.zeros(n)
        self._jacobian = np.zeros((6, n))
        self._jacobian_dot = np.zeros((6, n))
        self._jacobian_dot_dq = np.zeros(6)
        self._quaternion = np.zeros(4)
        # Views into the data, taken once: the attribute look-up costs as much as a small product.
        self._qpos, self._qvel = self._data.qpos, self._data.qvel
        self._qfrc_passive = self._data.qfrc_passive
        self._site_xpos = self._data.site_xpos[compiled.site_id]
        self._site_xmat = self._data.site_xmat[compiled.site_id]
        self.update(np.asarray(arm.home), np.zeros(n))

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self._bias)

    @property
    def torque_limits(self) -> FloatArray:
        """Largest torque of each joint, both ways [N m], shape (n_joints,)."""
        return self._torque_limits.copy()

    @property
    def joint_ranges(self) -> FloatArray:
        """Lowest and highest angle of each joint [rad], shape (n_joints, 2); infinite without a stop."""
        limited = self._model.jnt_limited.astype(bool)[:, None]
        ranges: FloatArray = np.where(limited, self._model.jnt_range, (-np.inf, np.inf))
        return ranges

    def update(self, q: FloatArray, dq: FloatArray) -> None:
        """Compute everything below for this state.

        Args:
            q: Joint angles [rad], shape (n_joints,).
            dq: Joint velocities [rad/s], shape (n_joints,).
        """
        model, data = self._model, self._data
        self._qpos[:] = q
        self._qvel[:] = dq
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_makeM(model, data)
        mujoco.mj_comVel(model, data)
        mujoco.mj_passive(model, data)
        mujoco.mj_fullM(model, data, self._mass_matrix)
        mujoco.mj_rne(model, data, 0, self._bias)
        self._bias -= self._qfrc_passive
        jacobian, rate = self._jacobian, self._jacobian_dot
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], self._site_id)
        mujoco.mj_jacDot(model, data, rate[:3], rate[3:], self._site_xpos, self._body_id)
        np.dot(rate, self._qvel, out=self._jacobian_dot_dq)
        mujoco.mju_mat2Quat(self._quaternion, self._site_xmat)

    def mass_matrix(self) -> FloatArray:
        """Joint-space inertia, armature included [kg m^2], shape (n_joints, n_joints)."""
        return self._mass_matrix

    def bias(self) -> FloatArray:
        """Torque that keeps the nominal arm from accelerating [N m], shape (n_joints,).

        Gravity, Coriolis and centrifugal forces, and the passive forces the nominal model states (viscous
        damping, springs, gravity compensation): a model-based law compensates what its model knows.
        Coulomb friction is left out, because it is no function of the state at rest.
        """
        return self._bias

    def jacobian(self) -> FloatArray:
        """End effector's Jacobian, linear rows first, in the world frame, shape (6, n_joints)."""
        return self._jacobian

    def jacobian_dot_dq(self) -> FloatArray:
        """Acceleration of the end effector at zero joint acceleration [m/s^2, rad/s^2], shape (6,)."""
        return self._jacobian_dot_dq

    def pose(self) -> Pose:
        """Pose of the end effector."""
        return Pose(self._site_xpos.copy(), self._quaternion.copy())
