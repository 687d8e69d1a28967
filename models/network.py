"""The description of a network: what a spec promises, and the ports it is spoken to through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import nengo
import numpy as np

from spikearm.records import FloatArray


class InputPort:
    """The output function of the node through which numbers enter a network.

    Attributes:
        value: What the network reads at its next step, shape (size,); written in place by a program.
    """

    def __init__(self, size: int) -> None:
        self.value: FloatArray = np.zeros(size)

    def __call__(self, t: float) -> FloatArray:
        """Nengo's side: the present value, whatever the time."""
        return self.value


class OutputPort:
    """The function of the node at which a network's result arrives.

    Attributes:
        value: What the network wrote at its last step, shape (size,).
    """

    def __init__(self, size: int) -> None:
        self.value: FloatArray = np.zeros(size)

    def __call__(self, t: float, x: FloatArray) -> None:
        """Nengo's side: keep the value; a node, unlike a probe, keeps no history and so no memory."""
        self.value[:] = x


@dataclass(frozen=True)
class PortedNetwork:
    """A fresh Nengo network together with the ports it was built with.

    Attributes:
        network: The network; its nodes hold the ports.
        inputs: Input ports by name.
        outputs: Output ports by name.
        host_macs: Multiply-accumulates of each step that functions of nodes carry out in place of neurons,
            on the host of a chip; scaling of units at the ports is none.
    """

    network: nengo.Network
    inputs: Mapping[str, InputPort]
    outputs: Mapping[str, OutputPort]
    host_macs: int = 0


class NetworkSpec(Protocol):
    """What to compute: a frozen, printable description that any backend can compile."""

    @property
    def inputs(self) -> Mapping[str, int]:
        """Size of each input port by name."""
        ...

    @property
    def outputs(self) -> Mapping[str, int]:
        """Size of each output port by name."""
        ...

    def build(self, *, seed: int) -> PortedNetwork:
        """A fresh ``nengo.Network`` seeded with ``seed``, and its port objects."""
        ...
