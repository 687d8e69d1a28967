"""A simulated robot that is registered with LeRobot, or with what stands in for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lerobot_library import Robot, RobotConfig

from spikearm.envs.arms import ARMS
from spikearm.envs.plant import MujocoPlant

JOINTS = ("shoulder", "elbow")
DEGREES = 180.0 / np.pi


@RobotConfig.register_subclass("simulated_planar")
@dataclass(kw_only=True)
class SimulatedPlanarConfig(RobotConfig):
    """Settings of :class:`SimulatedPlanar`."""

    arm: str = "planar2"


class SimulatedPlanar(Robot):
    """A registered robot with MuJoCo behind it, in degrees."""

    config_class = SimulatedPlanarConfig
    name = "simulated_planar"

    def __init__(self, config: SimulatedPlanarConfig) -> None:
        super().__init__(config)
        self.arm = MujocoPlant(ARMS[config.arm])
        self._connected = False
        self.lacks: str | None = None

    @property
    def observation_features(self):
        return {f"{joint}.{what}": float for joint in JOINTS for what in ("pos", "vel")}

    @property
    def action_features(self):
        return {f"{joint}.torque": float for joint in JOINTS}

    @property
    def is_connected(self):
        return self._connected

    @property
    def is_calibrated(self):
        return True

    def calibrate(self):
        pass

    def configure(self):
        pass

    def connect(self, calibrate=True):
        assert not self._connected
        self._connected = True

    def get_observation(self):
        assert self._connected
        state = self.arm.read()
        seen = {}
        for joint, q, dq in zip(JOINTS, state.q, state.dq, strict=True):
            seen |= {f"{joint}.pos": q * DEGREES, f"{joint}.vel": dq * DEGREES}
        seen.pop(self.lacks, None)
        return seen

    def send_action(self, action):
        assert self._connected
        sent = self.arm.write(np.array([action[f"{joint}.torque"] for joint in JOINTS]))
        return dict(zip(action, sent.tolist(), strict=True))

    def disconnect(self):
        assert self._connected
        self._connected = False
