"""The same network and seed, the same chip: in this process and in the next.

Where nengo-loihi replaces pass-through nodes by direct connections, it keeps those in a set, whose order
depends on memory addresses, and gives them no seed, which means a random one.
"""

from __future__ import annotations

from typing import Any

import nengo
from nengo_loihi.builder import Model
from nengo_loihi.passthrough import base_obj


class _Seeds(dict[Any, int]):
    """Seeds of Nengo objects, of which none is left to chance."""

    def __init__(self, fallback: int) -> None:
        super().__init__()
        self._fallback = fallback

    def __setitem__(self, key: Any, value: int | None) -> None:
        super().__setitem__(key, self._fallback if value is None else value)


def make_reproducible(model: Model, network: nengo.Network) -> None:
    """Give a model that is about to be built a fixed order and fixed seeds.

    Args:
        model: Fresh, nothing built into it yet.
        network: What will be built, seeded.
    """
    if network.seed is not None:
        model.seeds = _Seeds(network.seed)
    positions = {obj: i for i, obj in enumerate([*network.all_ensembles, *network.all_nodes])}

    def place(connection: nengo.Connection) -> tuple[int, int, str, bytes]:
        return (
            positions[base_obj(connection.pre)],
            positions[base_obj(connection.post)],
            f"{connection.pre_slice}{connection.post_slice}",
            connection.transform.init.tobytes(),
        )

    def sort(_: Any) -> None:
        passthrough = model.split.passthrough
        if isinstance(passthrough.to_add, set):
            passthrough.to_add = sorted(passthrough.to_add, key=place)

    # Called after each object is built; these connections come after all objects.
    model.build_callback = sort
