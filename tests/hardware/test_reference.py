from __future__ import annotations

from typing import ClassVar

import nengo
import numpy as np
import pytest

from spikearm.errors import ClosedError, TimeStepError
from spikearm.hardware.reference import ReferenceBackend
from spikearm.models.network import InputPort, OutputPort, PortedNetwork

DT_S = 0.001


@pytest.fixture
def compiled():
    """Compiles for the reference and closes at the end, as Nengo wants its simulators closed."""
    programs = []

    def compile_(spec, *, dt_s=DT_S, seed=0):
        programs.append(ReferenceBackend().compile(spec, dt_s=dt_s, seed=seed))
        return programs[-1]

    yield compile_
    for program in programs:
        program.close()


def test_reference_is_nengo_step_by_step(compiled, small_network, inputs):
    program = compiled(small_network)
    ported = small_network.build(seed=0)
    for name, value in inputs.items():
        ported.inputs[name].value[:] = value
    with nengo.Simulator(ported.network, dt=DT_S, progress_bar=False) as simulator:
        for _ in range(200):
            ours = program.step(inputs).outputs["torque"]
            simulator.step()
            np.testing.assert_allclose(ours, ported.outputs["torque"].value, rtol=1e-9, atol=1e-12)


class _TwoLayers:
    """Known numbers of spikes and synapses: 5 units that fire every step, 3 that never do."""

    inputs: ClassVar = {"x": 2}
    outputs: ClassVar = {"y": 4}

    def build(self, *, seed):
        x, y = InputPort(2), OutputPort(4)
        with nengo.Network(seed=seed) as network:
            source = nengo.Node(x, size_out=2)
            sink = nengo.Node(y, size_in=4)
            fires = nengo.Ensemble(
                5, 2, neuron_type=nengo.SpikingRectifiedLinear(), gain=np.ones(5), bias=np.full(5, 1000.0)
            )
            silent = nengo.Ensemble(
                3, 1, neuron_type=nengo.SpikingRectifiedLinear(), gain=np.ones(3), bias=np.full(3, -1.0)
            )
            nengo.Connection(source, fires)
            nengo.Connection(fires.neurons, silent.neurons, transform=-np.ones((3, 5)))
            nengo.Connection(silent.neurons, sink, transform=np.ones((4, 3)))
        return PortedNetwork(network, {"x": x}, {"y": y})


def test_counts_are_those_of_a_network_counted_by_hand(compiled):
    program = compiled(_TwoLayers())
    for _ in range(5):
        counts = program.step({"x": np.array([0.0, 1e-9])}).counts
    assert counts.spikes == 5
    # 5 spikes x 3 weights; of the real values, one of two inputs is not zero and meets 5 encoders.
    assert counts.synaptic_ops == 5 * 3
    assert counts.active_macs == 5 * 3 + 5 * 1
    assert counts.synaptic_ops_dense == 3 * 5 + 4 * 3 + 5 * 2 + 3 * 1
    assert counts.neuron_updates == 8
    assert counts.learning_updates == 0


def test_learning_visits_every_weight_in_every_step(compiled, small_network, inputs):
    counts = compiled(small_network).step(inputs).counts
    assert counts.learning_updates == small_network.n_neurons * small_network.n_joints
    assert counts.neuron_updates == small_network.n_neurons


def test_any_positive_time_step_is_accepted(compiled, small_network, inputs):
    program = compiled(small_network, dt_s=0.0005)
    assert program.dt_s == 0.0005
    program.step(inputs)


@pytest.mark.parametrize("dt_s", [0.0, -0.001, float("nan")])
def test_an_impossible_time_step_is_refused(small_network, dt_s):
    with pytest.raises(TimeStepError, match="network step must be a positive number of seconds"):
        ReferenceBackend().compile(small_network, dt_s=dt_s, seed=0)


def test_the_network_learns_a_constant(compiled, small_network):
    program = compiled(small_network)
    state, wanted, torque = np.array([0.3, -0.5, 0.2, 0.1]), np.array([4.0, -2.0]), np.zeros(2)
    for _ in range(3000):
        torque = program.step({"state": state, "error": torque - wanted}).outputs["torque"]
    np.testing.assert_allclose(torque, wanted, atol=0.5)


def test_a_closed_program_says_what_to_do(compiled, small_network, inputs):
    program = compiled(small_network)
    program.close()
    for use in (lambda: program.step(inputs), program.reset, program.state_dict):
        with pytest.raises(ClosedError, match="this program is closed; compile the network again to go on"):
            use()
