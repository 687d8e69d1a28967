"""The robot's own account of the torque that it gave its arm."""

from __future__ import annotations

import numpy as np

from spikearm.records import FloatArray


class LargestTorque:
    """The largest torque of each joint, and its largest change from one tick to the next.

    Args:
        n_joints: Number of joints.

    Attributes:
        torque: Largest torque, either way [N m], shape (n_joints,).
        step: Largest change, either way [N m], shape (n_joints,).
    """

    def __init__(self, n_joints: int) -> None:
        self.torque, self.step = np.zeros(n_joints), np.zeros(n_joints)
        self._before: FloatArray | None = None

    def take(self, applied: FloatArray) -> None:
        """Take note of what was applied in a tick [N m], shape (n_joints,)."""
        np.maximum(self.torque, np.abs(applied), out=self.torque)
        if self._before is not None:
            np.maximum(self.step, np.abs(applied - self._before), out=self.step)
        self._before = applied

    def begin_anew(self) -> None:
        """The next torque follows none: the arm was let go, or put somewhere else."""
        self._before = None
