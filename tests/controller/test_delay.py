import numpy as np
import pytest

from spikearm.controller.delay import ModelledDelay
from spikearm.controller.protocols import Command
from spikearm.records import Cost


def command(number: float, latency_s: float) -> Command:
    torque = np.array((number,))
    return Command(torque, torque, torque, saturated=False, cost=Cost(latency_s=latency_s))


def arrivals(latencies_s) -> list[float]:
    delay = ModelledDelay(1e-3)
    return [float(delay.torque(command(k, latency_s))[0]) for k, latency_s in enumerate(latencies_s)]


@pytest.mark.parametrize(
    ("latency_s", "n_ticks"),
    [(0.0, 0), (1e-6, 1), (9.99e-4, 1), (1e-3, 1), (3 * 1e-3, 3), (0.0031, 4), (0.1 + 0.2, 300)],
)
def test_latency_is_rounded_up_to_whole_ticks(latency_s, n_ticks):
    got = arrivals([latency_s] * (n_ticks + 5))
    assert got[n_ticks:] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_first_torque_is_held_until_it_arrives():
    assert arrivals([0.003] * 6) == [0, 0, 0, 0, 1, 2]


def test_newer_torque_overtakes_an_older_one():
    assert arrivals([0.0, 0.005, 0.001, 0.0, 0.0, 0.0, 0.0]) == [0, 0, 0, 3, 4, 5, 6]


def test_older_torque_never_replaces_a_newer_one():
    assert arrivals([0.0, 0.004, 0.001, 0.004, 0.004, 0.004]) == [0, 0, 0, 2, 2, 2]


def test_queue_is_bounded_by_the_latency():
    delay = ModelledDelay(1e-3)
    for k in range(1000):
        delay.torque(command(k, 0.02))
        assert len(delay._travelling) <= 20
