"""Lesson 7: an arm in a process of its own, driven across a wire.

    python examples/07_hardware_loopback.py

The robot has its own clock, limits and watchdog, and knows nothing of the controller; the controller knows a
plant, and not that it is far away. In lock step the arm moves only when commanded: the torques are then those
of a run in one process, bit for bit. Read docs/safety.md before the arm is a real one.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.launch.config import RunConfig
from spikearm.launch.hardware_run import LinkConfig, execute_on_robot
from spikearm.launch.run import execute

N_REACHES = 2
REACH_S = 0.8

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    address = f"unix:{folder}/robot.sock"  # or udp://HOST:PORT; other machines need a key
    config = RunConfig(trials=N_REACHES, duration_s=N_REACHES * REACH_S, out=folder)

    # The robot, as it is started in a terminal: `spikearm robot serve --lock-step --listen ADDRESS`.
    # Without --lock-step it keeps real time, and stops by itself when commands stay away.
    serve = [sys.executable, "-m", "spikearm.launch.robot_serve", "--lock-step", "--listen", address]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as robot:  # noqa: S603 - ours
        print(robot.stderr.readline().strip())  # it says when it is ready
        try:
            # The controller: `spikearm hardware run --robot ADDRESS --trials 2`.
            summary, across = execute_on_robot(config, LinkConfig(robot=address))
        finally:
            robot.terminate()  # the arm holds itself until its process is gone

    # The same run without a wire.
    at_home = execute(config, baseline=False).folder
    torque = {f: column_matrix(read_ticks(f), "torque_applied", "nm") for f in (across, at_home)}

wire = summary["link"]
round_trip_ms = 1e3 * wire["round_trip_s"]["p50"]
print("distance from the path [mm rms]:", [round(1e3 * e, 2) for e in summary["rmse_m_by_trial"]])
print(
    f"commands in time: {100 * wire['success_rate']:.1f} %, round trip {round_trip_ms:.2f} ms in the median"
)
print("the same torques as without a wire:", np.array_equal(torque[across], torque[at_home]))
