from __future__ import annotations

import sys

import pytest
from numba.core.dispatcher import Dispatcher

from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig


def _kernels():
    """Every kernel that has been imported."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("spikearm")]
    found = (value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher))
    return {id(kernel): kernel for kernel in found}.values()


@pytest.mark.parametrize("backend", ["reference", "loihi", "crossbar"])
def test_no_tick_waits_for_a_compiler(backend):
    """Compiling takes as long as hundreds of ticks: an arm would have stopped."""
    run = compose(RunConfig(backend=backend, duration_s=0.1))
    before = {kernel: len(kernel.signatures) for kernel in _kernels()}
    assert sum(before.values()) > 5
    try:
        for target in run.control.schedule.targets[:20]:
            command = run.control.controller.update(run.plant.read(), target)
            run.control.controller.notify_applied(command.torque, run.plant.write(command.torque))
    finally:
        run.close()
    assert [k.py_func.__name__ for k in _kernels() if len(k.signatures) != before.get(k, 0)] == []
