"""What every arm asks of a torque before it sends it on."""

from __future__ import annotations

import numpy as np

from spikearm.errors import ConfigError, NotFiniteError
from spikearm.finite import all_finite
from spikearm.records import FloatArray


def checked_torque(torque: FloatArray, n_joints: int) -> FloatArray:
    """The torque as doubles [N m], shape (n_joints,).

    Raises:
        ConfigError: It has another shape.
        NotFiniteError: It is not finite.
    """
    torque = np.asarray(torque, dtype=np.float64)
    if torque.shape != (n_joints,):
        raise ConfigError(f"torque has shape {torque.shape}, not ({n_joints},): give one value per joint.")
    if not all_finite(torque):
        raise NotFiniteError(
            f"the torque must be finite, not {torque}. Nothing was sent: look for a division by zero or a "
            "diverged network upstream."
        )
    return torque
