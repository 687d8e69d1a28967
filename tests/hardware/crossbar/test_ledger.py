from __future__ import annotations

import numpy as np

from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.ledger import COUNTS, Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.records import COUNT_NAMES, OpCounts


def test_total_has_every_count_under_its_name():
    ledger = Ledger()
    every_step = OpCounts(neuron_updates=5.0, verify_reads=2.0)
    ledger.prepare(2, every_step)
    ledger.start()
    for level, reads, conversions, bits in (
        (0, 1.0, 3.0, 8.0),
        (0, 3.0, 2.0, 6.0),
        (1, 2.0, 4.0, 6.0),
        (1, 1.0, 1.0, 16.0),
    ):
        ledger.wait(level, reads, conversions, bits)
    ledger.counts["set_pulses"] += 7
    total = ledger.total()
    waits = OpCounts(serial_tile_reads=5.0, serial_conversions=7.0, serial_decisions=24.0 + 24.0)
    assert total == every_step + waits + OpCounts(set_pulses=7.0)
    assert all(type(getattr(total, name)) is float for name in COUNT_NAMES)


def test_compiled_functions_count_by_name_whatever_the_order():
    """The order is that of ``OpCounts``; what was compiled for another must not be used after a change."""
    weights = np.random.default_rng(0).normal(size=(3, 8))
    found = []
    for names in (COUNT_NAMES, COUNT_NAMES[::-1]):
        counts = np.zeros(1, dtype=[(name, np.float64) for name in names])
        rng = np.random.default_rng(0)
        matrix = CrossbarMatrix(
            "test", weights, None, CrossbarConfig.ideal(), hold_s=0.256, per_spike=1.0, rng=rng
        )
        matrix.read(np.ones(8), counts)
        found.append({name: float(counts[name][0]) for name in COUNT_NAMES})
    assert found[0] == found[1]
    assert found[0]["active_macs"] == 24
    assert COUNTS.names == COUNT_NAMES
