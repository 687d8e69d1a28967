"""Writes, as JSON, what is compiled in the first ticks of a robot's end of a link, and of runs on backends.

In a process of its own, since another test may have had everything compiled before.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from numba.core.dispatcher import Dispatcher

sys.path.append(str(Path(__file__).parents[1] / "hardware" / "link"))

from rig import Rig

from spikearm.envs.arms import load_arm
from spikearm.envs.plant import MujocoPlant
from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig


def kernels() -> dict[Dispatcher, int]:
    """Every kernel that has been imported, and how many versions of it there are."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("spikearm")]
    found = (value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher))
    return {kernel: len(kernel.signatures) for kernel in found}


def late(before: dict[Dispatcher, int]) -> list[str]:
    """Kernels that were compiled or loaded since then."""
    return [kernel.py_func.__name__ for kernel, n in kernels().items() if n != before.get(kernel, 0)]


def of_a_robot() -> list[str]:
    """While it holds, is armed and obeys."""
    robot = Rig(MujocoPlant(load_arm("iiwa14")))
    before = kernels()
    robot.periods(5)
    plant = robot.armed()
    for _ in range(5):
        plant.write(0.1 * plant.read().q)
        plant.next_state()
    robot.close()
    return late(before)


def of_a_run(backend: str) -> list[str]:
    """From the first tick on."""
    run = compose(RunConfig(backend=backend, duration_s=0.1))
    before = kernels()
    for target in run.control.schedule.targets[:20]:
        command = run.control.controller.update(run.plant.read(), target)
        run.control.controller.notify_applied(command.torque, run.plant.write(command.torque))
    run.close()
    return late(before)


sys.stdout.write(json.dumps({"robot": of_a_robot()} | {name: of_a_run(name) for name in sys.argv[1:]}))
