from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.loihi import compiler


@pytest.mark.parametrize("n_ensembles", [1, 2])
def test_learning_in_one_piece_is_the_stock_emulator_bit_by_bit(
    make_network, compiled, drive, monkeypatch, n_ensembles
):
    network = make_network(60, n_ensembles=n_ensembles)
    ours = compiled(network)
    monkeypatch.setattr(compiler, "learn_in_one_piece", lambda emulator: None)
    stock = compiled(network)
    for i in range(300):
        inputs = drive(i, error=(-6.0 * np.cos(i / 50), 4.0 * np.sin(i / 30)))
        np.testing.assert_array_equal(
            ours.step(inputs).outputs["torque"], stock.step(inputs).outputs["torque"]
        )
    expected = stock.state_dict()
    assert np.abs(expected["chip/weights0"]).max() > 0
    for name, array in ours.state_dict().items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_spikes_see_the_weights_that_learn(make_network, compiled, drive):
    program = compiled(make_network(10))
    synapses = program._simulator.sims["emulator"].synapses
    synapse = next(s for s in synapses.slices if s.learning)
    for i in range(100):
        program.step(drive(i, error=(-5.0, 5.0)))
    learned = program.state_dict()["chip/weights0"].reshape(10, 4)
    for axon in range(10):
        np.testing.assert_array_equal(synapse.axon_weights_indices(axon)[0], learned[axon])
    assert np.abs(learned).max() > 0
