"""Lesson 3: the same network on a processor, on Loihi, and on memristive crossbars.

    python examples/03_compare_substrates.py

Nothing changes but the name of the backend. Two kinds of energy come out, which are never added: published
figures per operation (bottom-up), and the measured power of a chip, scaled (chip-anchored).
"""

import dataclasses
import tempfile
from pathlib import Path

from spikearm.hardware.registry import BACKENDS
from spikearm.launch.config import RunConfig
from spikearm.launch.report.command import write_report
from spikearm.launch.run import execute

N_REACHES = 3
REACH_S = 0.8

with tempfile.TemporaryDirectory() as out:
    base = RunConfig(trials=N_REACHES, duration_s=N_REACHES * REACH_S, out=Path(out))
    runs = [execute(dataclasses.replace(base, backend=name), baseline=False) for name in BACKENDS]
    report = write_report([run.folder for run in runs], Path(out) / "report.html")
    size_mb = report.stat().st_size / 1e6

print(f"{'substrate':10}  {'last reach':>10}  {'bottom-up':>12}  {'chip-anchored':>14}")
for run in runs:
    summary = run.summary
    error_mm = 1e3 * summary["rmse_m_by_trial"][-1]
    bottom_up_uj = 1e6 * summary["energy_model_j_per_tick"]["total"]
    chip_uj = 1e6 * summary["energy_chip_j_per_tick"]
    same_uj = 1e6 * summary["energy_model_of_chip_scope_j_per_tick"]
    print(
        f"{summary['backend']:10}  {error_mm:7.2f} mm  {bottom_up_uj:9.3g} uJ  {chip_uj:11.3g} uJ"
        f"   ({chip_uj / same_uj:.3g} times the same part)"
    )
print("What the chip figures include differs: see energy_chip_scope in summary.json.")
print(f"The page that compares them took {size_mb:.1f} MB; `spikearm report RUN RUN RUN` makes it.")
