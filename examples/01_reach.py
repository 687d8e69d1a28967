"""Lesson 1: one reach, from the parts: arm, path, law, loop, log.

    python examples/01_reach.py

An iiwa14 moves its hand 0.2 m along a minimum-jerk path under operational-space control. Everything the loop
did stands in the tick log afterwards; this lesson reads it.
"""

import tempfile
from pathlib import Path

import numpy as np

from spikearm.controller.clock import FreeRunning
from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.osc import OperationalSpace
from spikearm.controller.loop import Loop
from spikearm.controller.path import out_and_back, sample
from spikearm.controller.ticklog import TickLog, read_ticks
from spikearm.controller.tickschema import TickSchema
from spikearm.controller.torque import TorqueController
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.plant import MujocoPlant

CONTROL_DT_S = 0.001
DISTANCE_M = 0.2
DURATION_S = 0.8
GAINS = Gains(kp=150.0)  # [1/s^2]; critically damped unless kd is given

# The arm, and what the controller believes about it.
arm = load_arm("iiwa14")
dynamics = MujocoDynamics(arm)
plant = MujocoPlant(arm, control_dt_s=CONTROL_DT_S)

# Where the hand should be in every tick: out along y, and back.
dynamics.update(np.asarray(arm.home), np.zeros(arm.n_joints))
reaches = out_and_back(
    dynamics.pose(), np.array([0.0, 1.0, 0.0]), DISTANCE_M, n_reaches=2, duration_s=DURATION_S
)
schedule = sample(reaches, CONTROL_DT_S)

# From states to torques, clipped to what the motors can give.
law = OperationalSpace(
    dynamics, GAINS, dt_s=CONTROL_DT_S, posture=np.asarray(arm.home), task_axes=arm.task_axes
)
controller = TorqueController(law, dynamics.torque_limits)

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    with TickLog(folder, TickSchema(arm.n_joints)) as log:
        loop = Loop(plant, controller, schedule, log, clock=FreeRunning(), measure=plant.ee_pose)
        result = loop.run()
    ticks = read_ticks(folder)

error_mm = 1e3 * ticks["position_error_m"].to_numpy()
tick_us = 1e6 * ticks["latency_tick_s"].to_numpy()
print(f"{result.n_ticks} ticks, {result.deadline_misses} of them late")
print(f"distance from the path: {np.sqrt(np.mean(error_mm**2)):.3f} mm rms, {error_mm.max():.3f} mm at most")
print(f"a tick takes {np.median(tick_us):.0f} us, 99 % of them less than {np.percentile(tick_us, 99):.0f} us")
plant.close()
