"""Lesson 2: a weight the controller knows nothing of, without and with neurons that learn.

    python examples/02_adapt_to_payload.py

A run is one frozen configuration. `execute` carries it out and leaves a run folder; an adaptive run is
preceded by the same reaches without the network, so that there is something to compare with.
"""

import tempfile
from pathlib import Path

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.envs.perturbation import Perturbation
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.run import execute

PAYLOAD_KG = 0.907  # 2 lb, as in DeWolf, Jaworski, Eliasmith 2020
N_REACHES = 4
REACH_S = 0.8

with tempfile.TemporaryDirectory() as out:
    config = RunConfig(
        trials=N_REACHES,
        duration_s=N_REACHES * REACH_S,
        perturbation=Perturbation(payload_kg=PAYLOAD_KG),
        network=NetworkConfig(n_neurons=1000),
        out=Path(out),
    )
    finished = execute(config)
    ticks = read_ticks(finished.folder)

with_mm = [1e3 * e for e in finished.summary["rmse_m_by_trial"]]
without_mm = [1e3 * e for e in finished.summary["rmse_m_by_trial_without_adaptation"]]
print("reach  without  with adaptation [mm rms]")
for reach, (a, b) in enumerate(zip(without_mm, with_mm, strict=True), start=1):
    print(f"{reach:5d}  {a:7.2f}  {b:5.2f}")

# What the neurons have learned to add, in the last tick: mostly what holds the weight up.
torque = column_matrix(ticks, "torque_adaptive", "nm")[-1]
print("added to each joint at the end [N m]:", torque.round(2))
