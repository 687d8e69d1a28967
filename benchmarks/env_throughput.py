"""How many steps per second do the environments make, beside those everyone knows?

    python benchmarks/env_throughput.py [--json FILE] [--seconds S] [--fetch PYTHON]

Single environments are made by ``gymnasium.make``, with the wrappers it adds, and reset when an episode ends.
``Reacher-v5`` (needs imageio) takes 2 physics steps per step, ``FetchReach-v4`` 20; each is compared with
an environment of ours that takes as many. ``Reacher-v5`` is timed as it comes, with MuJoCo's clock running,
which an arm of ours stops for the whole process. Gymnasium-Robotics 1.4 does not run with MuJoCo 4:
``--fetch`` names the Python of an environment that has it with an older one; without it that row is left out.

The vector environments are 64 wide. Each contest is run in turns, seven rounds. The best round of each is
shown: whatever else the machine does only ever slows a round down. Ratios are medians over the rounds, and so
is the processor time of one step, of all threads together, which other work disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

WIDTH = 64
ROUNDS = 7

FETCH = """
import gymnasium, gymnasium_robotics, sys
sys.path.insert(0, {here!r})
from env_throughput import rate, single
gymnasium.register_envs(gymnasium_robotics)
print(*rate(single("FetchReach-v4"), {seconds}))
"""


def single(env_id: str, **arguments: Any) -> Callable[[], int]:
    """Makes one step per call, of one environment."""
    import gymnasium

    env = gymnasium.make(env_id, **arguments)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(64)]
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        _, _, terminated, truncated, _ = env.step(actions[count % 64])
        if terminated or truncated:
            env.reset()
        return 1

    return step


def vector(env_id: str, mode: str, **arguments: Any) -> Callable[[], int]:
    """Makes 64 steps per call, of a vector environment."""
    import gymnasium

    env = gymnasium.make_vec(env_id, num_envs=WIDTH, vectorization_mode=mode, **arguments)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(8)]
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        env.step(actions[count % 8])
        return WIDTH

    return step


def rate(step: Callable[[], int], seconds: float) -> tuple[float, float]:
    """Steps per second, and processor time of one [us]."""
    step()
    done, start, used = 0, perf_counter(), process_time()
    while (elapsed := perf_counter() - start) < seconds:
        done += step()
    return done / elapsed, (process_time() - used) / done * 1e6


def contest(measures: dict[str, Callable[[], tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """What each comes to over rounds in which they take turns; ratios are to the first of them."""
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS)]
    first = next(iter(measures))
    return {
        name: {
            "steps_per_s": max(one[name][0] for one in rounds),
            "ratio": median(one[name][0] / one[first][0] for one in rounds),
            "processor_us": median(one[name][1] for one in rounds),
        }
        for name in measures
    }


def measure(seconds: float, fetch: str | None) -> list[dict[str, Any]]:
    """All contests: what is compared, how many physics steps per step, and steps per second."""
    import spikearm.envs  # noqa: F401 (registers the environments)

    torque = {"action_mode": "torque"}

    reacher_step = single("Reacher-v5")

    def timed(step: Callable[[], int]) -> Callable[[], tuple[float, float]]:
        return lambda: rate(step, seconds)

    reacher = {
        "Reacher-v5": lambda: _with_clock(reacher_step, seconds),
        "Reach-v0, planar2": timed(single("spikearm/Reach-v0", arm="planar2", physics_dt_s=0.01, **torque)),
        "Reach-v0, iiwa14": timed(single("spikearm/Reach-v0", physics_dt_s=0.01, **torque)),
    }
    results = [{"contest": "one environment", "physics_steps": 2, "rows": contest(reacher)}]
    robotics = {"FetchReach-v4": lambda: _fetch_rate(fetch, seconds)} if fetch else {}
    robotics["Reach-v0, iiwa14, pose"] = timed(single("spikearm/Reach-v0", control_dt_s=0.04))
    results.append({"contest": "one environment", "physics_steps": 20, "rows": contest(robotics)})
    for label, arguments in (
        ("Reach-v0, iiwa14, pose", {}),
        ("Reach-v0, iiwa14, torque", torque),
        ("Reach-v0, planar2, torque", {"arm": "planar2", **torque}),
    ):
        ways = {
            "SyncVectorEnv": timed(vector("spikearm/Reach-v0", "sync", **arguments)),
            "one": timed(single("spikearm/Reach-v0", **arguments)),
            "native": timed(vector("spikearm/Reach-v0", "vector_entry_point", **arguments)),
        }
        results.append({"contest": f"{WIDTH} of {label}", "physics_steps": 10, "rows": contest(ways)})
    return results


def _with_clock(step: Callable[[], int], seconds: float) -> tuple[float, float]:
    """As :func:`rate`, with the clock that MuJoCo's timers have unless somebody changes it."""
    import mujoco

    stopped = mujoco.get_mjcb_time()
    mujoco.set_mjcb_time(None)
    try:
        return rate(step, seconds)
    finally:
        mujoco.set_mjcb_time(stopped)


def _fetch_rate(python: str | None, seconds: float) -> tuple[float, float]:
    program = FETCH.format(here=str(Path(__file__).parent), seconds=seconds)
    # The caller names the interpreter to be timed; no shell is involved.
    child = subprocess.run(  # noqa: S603
        [str(python), "-c", program], capture_output=True, text=True, check=True, env={**os.environ}
    )
    steps_per_s, processor_us = child.stdout.split()[-2:]
    return float(steps_per_s), float(processor_us)


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of each round")
    parser.add_argument("--fetch", help="a Python that has gymnasium-robotics and a MuJoCo it works with")
    arguments = parser.parse_args()
    results = measure(arguments.seconds, arguments.fetch)
    for result in results:
        print(f"{result['contest']}, {result['physics_steps']} physics steps per step")
        for name, row in result["rows"].items():
            cells = "{steps_per_s:>10.0f} steps/s{processor_us:>9.1f} us of processor{ratio:>8.2f}"
            print(f"  {name:28}{cells.format(**row)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
