"""The arm as pictures show it, moved by what was measured; the simulation of the run is never touched."""

from __future__ import annotations

from typing import Any

import mujoco

from spikearm.envs.arms import load_arm
from spikearm.envs.plant import MujocoPlant
from spikearm.launch.config import RunConfig
from spikearm.records import FloatArray


class ArmScene:
    """An arm with its payload, apart from any run.

    Args:
        config: The run's configuration.

    Attributes:
        model: The ``MjModel``.
        data: Its ``MjData``, as of the last :meth:`pose`.
    """

    def __init__(self, config: RunConfig) -> None:
        self._plant = MujocoPlant(load_arm(config.arm), perturbation=config.perturbation)
        self.model: Any = self._plant.model
        self.data: Any = self._plant.data

    def pose(self, q: FloatArray) -> None:
        """Put the arm into a posture [rad], shape (n_joints,)."""
        self.data.qpos[:] = q
        mujoco.mj_forward(self.model, self.data)

    def close(self) -> None:
        """Release the plant."""
        self._plant.close()
