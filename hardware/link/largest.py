"""The robot's own account of the torque that it gave its arm."""

from __future__ import annotations

import numpy as np

from spikearm.compiled import kernel
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
        # Its own arrays, whatever a plant returns: for another kind of array a kernel is compiled anew.
        self._applied, self._before = np.zeros(n_joints), np.zeros(n_joints)
        self._follows = False
        _take(self.torque, self.step, self._applied, self._before, self._follows)  # compiled here

    def take(self, applied: FloatArray) -> None:
        """Take note of what was applied in a tick [N m], shape (n_joints,)."""
        self._applied[:] = applied
        _take(self.torque, self.step, self._applied, self._before, self._follows)
        self._follows = True

    def begin_anew(self) -> None:
        """The next torque follows none: the arm was let go, or put somewhere else."""
        self._follows = False


@kernel
def _take(
    torque: FloatArray, step: FloatArray, applied: FloatArray, before: FloatArray, follows: bool
) -> None:
    for i in range(len(applied)):
        torque[i] = max(torque[i], abs(applied[i]))
        if follows:
            step[i] = max(step[i], abs(applied[i] - before[i]))
        before[i] = applied[i]
