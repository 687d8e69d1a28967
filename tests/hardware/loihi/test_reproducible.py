from __future__ import annotations

from typing import ClassVar

import nengo
import numpy as np
from nengo.solvers import LstsqDrop

from spikearm.models.network import InputPort, OutputPort, PortedNetwork


class _ThroughNodes:
    """Three ensembles, a pass-through node, two ensembles: six connections that nengo-loihi makes itself."""

    inputs: ClassVar = {"x": 3}
    outputs: ClassVar = {"y": 2}

    def build(self, *, seed):
        x, y = InputPort(3), OutputPort(2)
        with nengo.Network(seed=seed, label="through") as network:
            source, sink = nengo.Node(x, size_out=3), nengo.Node(y, size_in=2)
            middle = nengo.Node(size_in=3)
            for i in range(3):
                ensemble = nengo.Ensemble(20, 1)
                nengo.Connection(source[i], ensemble)
                # This solver draws random numbers from the connection's seed.
                nengo.Connection(ensemble, middle[i], synapse=None, solver=LstsqDrop(drop=0.3))
            for i in range(2):
                ensemble = nengo.Ensemble(20, 1)
                nengo.Connection(middle, ensemble, transform=np.full((1, 3), 0.3))
                nengo.Connection(ensemble, sink[i])
        return PortedNetwork(network, {"x": x}, {"y": y})


def test_connections_around_pass_through_nodes_are_the_same_every_time(compiled):
    clutter, states, outputs = [], [], []
    for i in range(4):
        clutter.append([object() for _ in range(997 * i)])  # moves what follows to other addresses
        program = compiled(_ThroughNodes(), seed=1)
        outputs.append([program.step({"x": np.array([0.5, -0.2, 0.9])}).outputs["y"] for _ in range(40)])
        states.append(program.state_dict())
    assert np.abs(outputs[0]).max() > 0
    for output, state in zip(outputs, states, strict=True):
        np.testing.assert_array_equal(output, outputs[0])
        for name in state:
            np.testing.assert_array_equal(state[name], states[0][name])
