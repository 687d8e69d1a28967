"""Lesson 5: your own memristive device, and what it does to learning.

    python examples/05_your_own_device.py

A device is a frozen record: range of conductance, scatter, steps of a pulse, endurance. Here is the shipped
phase-change memory beside a fictitious one with coarse steps that wears out soon.
"""

import dataclasses
import tempfile
from pathlib import Path

from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.devices import make_device
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute

N_REACHES = 4
REACH_S = 0.8

pcm = make_device("pcm")
coarse = dataclasses.replace(
    pcm,
    source="made up for this lesson: four times coarser than the phase-change memory it is derived from",
    set_step=0.12,  # mean change by one pulse, relative to the range
    set_scatter=1.0,  # from pulse to pulse, relative to the step
    endurance_cycles=1e6,
)

with tempfile.TemporaryDirectory() as out:
    for name, device in (("pcm", pcm), ("coarse", coarse)):
        config = RunConfig(
            backend="crossbar",
            trials=N_REACHES,
            duration_s=N_REACHES * REACH_S,
            crossbar=CrossbarConfig(device=device),
            out=Path(out),
            name=name,
        )
        summary = execute(config, baseline=False).summary
        (wear,) = summary["wear"]
        errors = "  ".join(f"{1e3 * e:5.2f}" for e in summary["rmse_m_by_trial"])
        print(f"{name:7} {errors} mm rms")
        print(
            f"        {wear['set_mean']:.2f} pulses per device, at most {wear['set_max']}; "
            f"worn out after {wear['lifetime_h']:.3g} h at this rate"
        )
