"""What an arm's sensors say in one look, in numbers of the server's own kind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spikearm.errors import DriveError
from spikearm.hardware.link.served_plant import MeasuresTorque, ServedPlant
from spikearm.records import FloatArray, JointState


class Sensed(NamedTuple):
    """One look at an arm.

    Attributes:
        reading: Where its joints are.
        measured: Torque that they measure then [N m], shape (n_joints,); None if they measure none.
    """

    reading: JointState
    measured: FloatArray | None


class Senses:
    """Asks an arm for its reading and its measured torque together: either may fail, and then both are lost.

    Args:
        plant: The arm.
        n_joints: Number of its joints.
    """

    def __init__(self, plant: ServedPlant, n_joints: int) -> None:
        self._plant = plant
        self._n_joints = n_joints
        # Asked once: a structural check takes longer than all the rest of a state.
        self._measuring = plant if isinstance(plant, MeasuresTorque) else None

    def read(self) -> Sensed:
        """What the sensors say now.

        Raises:
            DriveError: It is of other joints than the arm's; besides, whatever the arm raises.
        """
        return self._sensed(self._plant.read())

    def reset(self, *, seed: int | None) -> Sensed:
        """What they say of an arm that was brought to its starting state.

        Raises:
            DriveError: As for :meth:`read`.
        """
        return self._sensed(self._plant.reset(seed=seed))

    def torque(self) -> FloatArray | None:
        """Torque that the joints measured at the last reading [N m], shape (n_joints,); None if they do not.

        Raises:
            DriveError: As for :meth:`read`.
        """
        if self._measuring is None:
            return None
        return torque_of_joints(self._measuring.torque_measured, self._n_joints)

    def _sensed(self, reading: JointState) -> Sensed:
        if not reading.q.shape == reading.dq.shape == (self._n_joints,):
            raise DriveError(
                f"the arm gives its joints' angles and speeds in shapes {reading.q.shape} and "
                f"{reading.dq.shape}, not ({self._n_joints},); its driver has to give one value per joint."
            )
        return Sensed(reading, self.torque())


def torque_of_joints(said: ArrayLike, n_joints: int) -> FloatArray:
    """What an arm says of its torque, in any kind of numbers, as doubles [N m], shape (n_joints,).

    Raises:
        DriveError: It has another shape.
    """
    torque = np.asarray(said, dtype=np.float64)
    if torque.shape != (n_joints,):
        raise DriveError(
            f"the arm gives its torque in shape {torque.shape}, not ({n_joints},); its driver has to give "
            "one value per joint."
        )
    return torque
