"""How many steps per second do the environments make, beside those everyone knows?

    python benchmarks/env_throughput.py [--json FILE] [--seconds S] [--fetch PYTHON]

Single environments are made by ``gymnasium.make``, with the wrappers it adds, and reset when an episode ends.
``Reacher-v5`` (needs imageio) takes 2 physics steps per step, ``FetchReach-v4`` 20; each is compared with
an environment of ours that takes as many. Gymnasium-Robotics 1.4 does not run with MuJoCo 4: ``--fetch``
names the Python of an environment that has it with an older one; without it that row is left out.

The vector environments are 64 wide. Each contest is run in turns, five rounds, and the best round of each
counts: whatever else the machine does only ever slows a round down.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

WIDTH = 64
ROUNDS = 5

FETCH = """
import gymnasium, gymnasium_robotics, sys
sys.path.insert(0, {here!r})
from env_throughput import rate, single
gymnasium.register_envs(gymnasium_robotics)
print(rate(single("FetchReach-v4"), {seconds}))
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


def rate(step: Callable[[], int], seconds: float) -> float:
    """Steps per second."""
    step()
    done, start = 0, perf_counter()
    while (elapsed := perf_counter() - start) < seconds:
        done += step()
    return done / elapsed


def contest(steppers: dict[str, Callable[[], int]], seconds: float) -> dict[str, float]:
    """Best rate of each, over rounds in which they take turns."""
    best = dict.fromkeys(steppers, 0.0)
    for _ in range(ROUNDS):
        for name, step in steppers.items():
            best[name] = max(best[name], rate(step, seconds))
    return best


def measure(seconds: float, fetch: str | None) -> list[dict[str, Any]]:
    """All contests: what is compared, how many physics steps per step, and steps per second."""
    import spikearm.envs  # noqa: F401 (registers the environments)

    torque = {"action_mode": "torque"}
    reacher = {
        "Reacher-v5": single("Reacher-v5"),
        "Reach-v0, planar2": single("spikearm/Reach-v0", arm="planar2", physics_dt_s=0.01, **torque),
        "Reach-v0, iiwa14": single("spikearm/Reach-v0", physics_dt_s=0.01, **torque),
    }
    results = [{"contest": "one environment", "physics_steps": 2, "rates": contest(reacher, seconds)}]
    ours = {"Reach-v0, iiwa14, pose": single("spikearm/Reach-v0", control_dt_s=0.04)}
    rates = contest(ours, seconds)
    if fetch:
        rates = {"FetchReach-v4": max(_fetch_rate(fetch, seconds) for _ in range(2)), **rates}
    results.append({"contest": "one environment", "physics_steps": 20, "rates": rates})
    for label, arguments in (
        ("Reach-v0, iiwa14, pose", {}),
        ("Reach-v0, iiwa14, torque", torque),
        ("Reach-v0, planar2, torque", {"arm": "planar2", **torque}),
    ):
        steppers = {
            "one": single("spikearm/Reach-v0", **arguments),
            "SyncVectorEnv": vector("spikearm/Reach-v0", "sync", **arguments),
            "native": vector("spikearm/Reach-v0", "vector_entry_point", **arguments),
        }
        rates = contest(steppers, seconds)
        results.append({"contest": f"{WIDTH} of {label}", "physics_steps": 10, "rates": rates})
    return results


def _fetch_rate(python: str, seconds: float) -> float:
    program = FETCH.format(here=str(Path(__file__).parent), seconds=seconds)
    # The caller names the interpreter to be timed; no shell is involved.
    child = subprocess.run(  # noqa: S603
        [python, "-c", program], capture_output=True, text=True, check=True, env={**os.environ}
    )
    return float(child.stdout.split()[-1])


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
        first = next(iter(result["rates"].values()))
        for name, steps_per_s in result["rates"].items():
            cells = f"{steps_per_s:>10.0f} steps/s{1e6 / steps_per_s:>9.1f} us{steps_per_s / first:>8.2f}"
            print(f"  {name:28}{cells}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
