from __future__ import annotations

import numpy as np

from spikearm.hardware.loihi import compiler


def test_programs_do_what_nengo_loihis_own_simulator_does_bit_by_bit(
    make_network, compiled, drive, monkeypatch
):
    """The same chip and host, once as a program, once stepped by nengo-loihi on its own emulator."""
    ours = compiled(make_network(60, n_ensembles=2))
    built = []
    original = compiler.Simulator

    def stock(*args, **options):
        built.append(original(*args, emulator="stock", **options))
        return built[-1]

    monkeypatch.setattr(compiler, "Simulator", stock)
    ported = make_network(60, n_ensembles=2).build(seed=0)
    with compiler.build_simulator(ported.network, compiler.LoihiConfig()) as theirs:
        for i in range(300):
            inputs = drive(i, error=(-6.0 * np.cos(i / 50), 4.0 * np.sin(i / 30)))
            for name, values in inputs.items():
                ported.inputs[name].value[:] = values
            theirs.step()
            np.testing.assert_array_equal(ours.step(inputs).outputs["torque"], ported.outputs["torque"].value)
        synapses = [s for s in theirs.sims["emulator"].synapses.slices if s.learning]
        learned = [np.concatenate(synapse.weights) for synapse in synapses]
    state = ours.state_dict()
    for i, weights in enumerate(learned):
        np.testing.assert_array_equal(state[f"chip/weights{i}"], weights.ravel())
        assert np.abs(weights).max() > 0


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
