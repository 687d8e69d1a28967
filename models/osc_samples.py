"""What the spiking operational-space controller learns from, and the torque it should give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikearm.records import FloatArray


@dataclass(frozen=True, eq=False)
class OscSamples:
    """States of an arm with all that operational-space control makes of them.

    Poses are displacements from a centre (position, rotation vector), and matrices belong to these
    coordinates. Shapes with n samples and n_joints joints.

    Attributes:
        q: Joint angles [rad], shape (n, n_joints).
        dq: Joint velocities [rad/s], shape (n, n_joints).
        x: Displacement [m, rad], shape (n, 6).
        jacobian: Of the displacement, shape (n, 6, n_joints).
        task: ``J^T Mx``, shape (n, n_joints, 6).
        support: Gravity and the pull to the posture [N m], shape (n, n_joints).
        null_inertia: ``(1 - J^T Jbar^T) M`` [kg m^2], shape (n, n_joints, n_joints).
        coriolis: Coriolis and centrifugal torque, ``-A dJ dq`` included [N m], shape (n, n_joints).
        passive: Torque against the arm's own damping [N m], shape (n, n_joints).
        inertia: Diagonal of the inertia matrix [kg m^2], shape (n, n_joints).
    """

    q: FloatArray
    dq: FloatArray
    x: FloatArray
    jacobian: FloatArray
    task: FloatArray
    support: FloatArray
    null_inertia: FloatArray
    coriolis: FloatArray
    passive: FloatArray
    inertia: FloatArray

    def __len__(self) -> int:
        return len(self.q)

    @property
    def state(self) -> FloatArray:
        """Joint angles and velocities, shape (n, 2 n_joints)."""
        state: FloatArray = np.concatenate((self.q, self.dq), axis=1)
        return state

    def __getitem__(self, index: NDArray[np.int64] | slice) -> OscSamples:
        return OscSamples(**{name: array[index] for name, array in vars(self).items()})

    def moving(self, factor: FloatArray) -> OscSamples:
        """The same postures with velocities times a factor each, shape (n,)."""
        linear = factor[:, None]
        changed = {
            "dq": self.dq * linear,
            "coriolis": self.coriolis * linear**2,
            "passive": self.passive * linear,
        }
        return OscSamples(**{**vars(self), **changed})

    def arm_share(self, kp: float, damping: float) -> FloatArray:
        """Acceleration ``kp x + kd dx`` [m/s^2, rad/s^2], shape (n, 6)."""
        share: FloatArray = kp * self.x + damping * np.einsum("nij,nj->ni", self.jacobian, self.dq)
        return share

    def support_torque(self, *, feedforward: bool, damping: float, null_damping: float) -> FloatArray:
        """Torque that does not depend on the target [N m], shape (n, n_joints).

        Args:
            feedforward: Which form of the law: with Coriolis torque and the posture's own damping, or
                without and with the damping of the task.
            damping: Of the task [1/s].
            null_damping: Of the posture [1/s].
        """
        drag: FloatArray = np.einsum("nij,nj->ni", self.null_inertia, self.dq)
        if feedforward:
            return self.support - null_damping * drag + self.coriolis + self.passive
        return self.support - damping * drag
