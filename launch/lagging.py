"""Ticks whose torque lagged behind what was commanded, worked out again from a log."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spikearm.controller.delay import ModelledDelay
from spikearm.controller.protocols import Command
from spikearm.controller.ticklog import column_matrix
from spikearm.controller.torque_rate import TorqueRate
from spikearm.launch.config import RunConfig
from spikearm.records import Cost


def lagging_ticks(table: pa.Table, config: RunConfig) -> int:
    """How many ticks lagged: learning stood still in them, see :mod:`spikearm.controller.torque_rate`.

    What the loop held back follows from what was commanded, so the log needs no column for it: torques go
    once more through the loop's own delay and rate. It is exact where no tick is missing.

    Args:
        table: The ticks.
        config: The run's configuration.
    """
    torques = column_matrix(table, "torque_commanded", "nm")
    latencies_s = table["latency_model_s"].to_numpy()
    # Loops that follow one another on one log begin with a tick before which no record was timed.
    begins = np.isnan(table["latency_log_s"].to_numpy(zero_copy_only=False).astype(np.float64))
    delayed, dt_s = config.actuation_delay == "modelled", config.control_dt_s
    delay, rate, n_lagging = ModelledDelay(dt_s), TorqueRate(config.torque_rate_nm_s, dt_s), 0
    for torque, latency_s, first in zip(torques, latencies_s, begins, strict=True):
        if first:
            delay, rate = ModelledDelay(dt_s), TorqueRate(config.torque_rate_nm_s, dt_s)
        due = torque
        if delayed:
            due = delay.torque(Command(torque, torque, torque, saturated=False, cost=Cost(float(latency_s))))
        rate.torque(due)
        n_lagging += rate.lags
    return n_lagging
