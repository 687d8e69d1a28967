"""Loads all compiled functions before the first step, so that no tick of a control loop waits for one."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import product

import numpy as np

from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.events import EventTraces
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger, count_spikes
from spikearm.hardware.crossbar.matrix import CrossbarMatrix

_DT_S = 1e-3


@functools.cache
def load_compiled() -> None:
    """Run everything once, on a small matrix that is thrown away; takes effect once per process."""
    config, rng, ledger = CrossbarConfig(), np.random.default_rng(0), Ledger()
    counts = ledger.counts
    clock = DeviceClock(_DT_S)
    weights, x = rng.normal(size=(3, 8)), np.ones(8) / _DT_S
    ledger.total(count_spikes(x, 1.0 / _DT_S))
    kinds = (
        config,
        replace(config, rows_gated=False),
        replace(config, row_wire_ohm=0.0, column_wire_ohm=0.0),
        CrossbarConfig.ideal(),
    )
    for kind, per_spike, weight_range in product(kinds, (None, 1.0 / _DT_S), (None, np.ones(3))):
        matrix = CrossbarMatrix("", weights, weight_range, kind, hold_s=0.256, per_spike=per_spike, rng=rng)
        matrix.calibrate(np.ones((1, 8)))
        matrix.read(x, counts)
        matrix.visit(0, 1, 0.0, 0)
        matrix.compensate(ledger)
    traces = EventTraces(8, 3, tau_s=0.01, dt_s=_DT_S, per_spike=1.0 / _DT_S)
    for learned in (None, traces):
        matrix = CrossbarMatrix("", weights, np.ones(3), config, hold_s=0.256, per_spike=1.0 / _DT_S, rng=rng)
        learning = PulseLearning(matrix, clock, rng, learned)
        learning.pes(x, np.ones(3), 1.0, counts)
        learning.add(weights, counts)
        learning.settle(counts)
        learning.refresh(counts)
        matrix.cells.g[:] = config.device.g_max_siemens
        learning.refresh(counts)
        learning.wear()
    sign = replace(config, learning="sign", rows_gated=False, half_select_disturb=1e-3)
    matrix = CrossbarMatrix("", weights, np.ones(3), sign, hold_s=0.256, per_spike=1.0 / _DT_S, rng=rng)
    learning = PulseLearning(matrix, clock, rng)
    learning.pes(x, np.ones(3), 1.0, counts)
    learning.add(weights, counts)
