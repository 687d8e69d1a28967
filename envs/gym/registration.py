"""The names under which ``gymnasium.make`` finds the environments."""

from __future__ import annotations

import gymnasium

_HERE = "spikearm.envs.gym"

STEPS = {"Reach": 100, "Track": 200, "CenterOut": 160, "PayloadReach": 100, "PlantFamily": 200}
"""Steps until an episode is truncated, by environment; all but the last also exist as goal environments."""

_MODULES = {
    "Reach": "reach",
    "Track": "track",
    "CenterOut": "center_out",
    "PayloadReach": "payload_reach",
    "PlantFamily": "plant_family",
}

IDS = tuple(
    f"spikearm/{name}{kind}-v0"
    for name in STEPS
    for kind in ("", "Goal")
    if (name, kind) != ("PlantFamily", "Goal")
)
"""All environments."""


def register_environments() -> None:
    """Tell Gymnasium of all environments; again is not an error."""
    for env_id in IDS:
        if env_id in gymnasium.registry:
            continue
        name = env_id.removeprefix("spikearm/").removesuffix("-v0")
        base = name.removesuffix("Goal")
        module = f"{_HERE}.{_MODULES[base]}"
        gymnasium.register(
            id=env_id,
            entry_point=f"{module}:{name}Env",
            vector_entry_point=f"{module}:{name}VectorEnv",
            max_episode_steps=STEPS[base],
        )
