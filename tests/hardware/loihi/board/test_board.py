from __future__ import annotations

import dataclasses

import nengo
import numba
import numpy as np
import pytest
from nengo.exceptions import SimulationError

from spikearm.controller.ticklog import read_ticks
from spikearm.errors import CapacityError, ClosedError, ConfigError, PortError, StateError, UnknownNameError
from spikearm.hardware.loihi import board as board_module
from spikearm.hardware.loihi.backend import LoihiBackend
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.loihi.emulator import kernel
from spikearm.hardware.meter import EnergyMeter, Metered
from spikearm.hardware.utilisation import Describes
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.run import execute

N_STEPS = 150
UNKNOWN = ("saturated_weights", "overflows", "neuron_updates_active", "host_messages")
"""Counts that need weights and registers, which a board does not report, and one that its reports add to."""


def _learn(program, drive, n_steps=N_STEPS):
    """Torques and counts of some steps in which everything happens: spikes, errors, learning."""
    results = [program.step(drive(i, error=(-3.0 + i / 40, 2.0))) for i in range(n_steps)]
    return np.array([r.outputs["torque"] for r in results]), [r.counts for r in results]


def _known(counts):
    return counts._replace(**dict.fromkeys(UNKNOWN, 0.0))


@pytest.mark.parametrize("n_ensembles", [1, 2])
def test_a_board_gives_what_the_emulator_gives(make_network, compiled, on_board, drive, n_ensembles):
    network = make_network(n_ensembles=n_ensembles)
    expected, expected_counts = _learn(compiled(network), drive)
    found, counts = _learn(on_board(network), drive)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_array_equal(found, expected)
    assert list(map(_known, counts)) == list(map(_known, expected_counts))
    for ours, theirs in zip(counts, expected_counts, strict=True):
        # Decoders whose learned weights are not known here seem to rest.
        assert 0 <= theirs.neuron_updates_active - ours.neuron_updates_active <= 4 * n_ensembles


def test_a_board_is_loaded_with_every_axon_and_all_synapses(make_network, on_board, nxsdk):
    on_board(make_network(60))
    cores = nxsdk.opened[0].n2Chips[0].n2CoresAsList
    assert sum(len(core.axons) for core in cores) == 60  # one per neuron, to its learned decoders
    written = sum(s.n_written for core in cores for s in core.synapses.children.values())
    assert written == 8 * 60 + 60 * 4


def test_spikes_reported_cost_a_word_for_32(make_network, compiled, on_board, drive):
    program, twin = on_board(make_network(60)), compiled(make_network(60))
    board, emulator = program.step(drive()).counts, twin.step(drive()).counts
    assert board.host_messages - emulator.host_messages == 2


def test_the_boards_energy_is_metered(make_network, on_board, drive):
    program = on_board(make_network())
    assert isinstance(program, Metered)
    meter: EnergyMeter = program.meter
    assert meter.name == "NxSDK energy probe"
    for _ in range(3):
        program.step(drive())
    assert meter.read_j() == pytest.approx(3 * 121e-6)
    assert meter.read_j() == 0.0
    program.reset()
    program.step(drive())
    assert program.meter is meter  # the loop holds on to it
    assert meter.read_j() == pytest.approx(121e-6)


def test_another_telemetry_can_be_given(make_network, on_board, drive):
    seen = []

    def telemetry(nxsdk_board, n_steps):
        seen.append((nxsdk_board.started, n_steps))
        return lambda: 5.0

    program = on_board(make_network(), telemetry=telemetry)
    assert seen == [(False, board_module.STEPS_PER_RUN)]
    assert program.meter.read_j() == 5.0


def test_an_nxsdk_without_energy_probe_has_no_meter(
    make_network, on_board, nxsdk, monkeypatch, caplog, drive
):
    monkeypatch.delattr(nxsdk, "probe")
    program = on_board(make_network())
    assert isinstance(program, Metered)
    assert program.meter is None
    assert "this NxSDK gives no energy" in caplog.text
    assert np.isfinite(program.step(drive()).outputs["torque"]).all()


def test_reset_loads_the_board_anew(make_network, on_board, nxsdk, drive):
    program = on_board(make_network())
    program.reset()
    assert len(nxsdk.opened) == 1  # nothing had been learned
    first, _ = _learn(program, drive)
    program.reset()
    again, _ = _learn(program, drive)
    assert len(nxsdk.opened) == 2
    assert nxsdk.opened[0].stopped
    np.testing.assert_array_equal(again, first)


def test_a_long_run_is_made_of_several(make_network, compiled, on_board, nxsdk, drive, monkeypatch):
    monkeypatch.setattr(board_module, "STEPS_PER_RUN", 20)
    network = make_network()
    expected, _ = _learn(compiled(network), drive, 50)
    found, _ = _learn(on_board(network), drive, 50)
    assert nxsdk.opened[0].runs == [20, 20, 20]
    np.testing.assert_array_equal(found, expected)


def test_the_state_stays_on_the_board(make_network, on_board):
    program = on_board(make_network())
    with pytest.raises(StateError, match=r"cannot be read or written.*use target='sim'"):
        program.state_dict()
    with pytest.raises(StateError, match="cannot be read or written"):
        program.load_state_dict({})


def test_a_board_program_is_checked_and_closed_as_any_other(make_network, on_board, nxsdk, drive):
    program = on_board(make_network())
    assert isinstance(program, Describes)
    assert len(program.utilisation.parts) == 2
    with pytest.raises(PortError, match="missing input 'error'"):
        program.step({"state": np.zeros(4)})
    program.close()
    program.close()
    assert nxsdk.opened[0].stopped
    with pytest.raises(ClosedError, match="compile the network again"):
        program.step(drive())


def test_a_board_that_does_not_answer_is_closed(make_network, on_board, nxsdk, monkeypatch):
    monkeypatch.setattr("nengo_loihi.hardware.interface.time.sleep", lambda seconds: None)
    monkeypatch.setattr(nxsdk, "fails", 3)
    with pytest.raises(SimulationError, match="no answer from the board"):
        on_board(make_network())
    assert nxsdk.opened[0].stopped


def test_saturated_errors_are_logged_once(make_network, on_board, drive, caplog):
    program = on_board(make_network())
    for i in range(5):
        program.step(drive(i, error=(100.0, 0.0)))
    told = [record.getMessage() for record in caplog.records if "PES error" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("Loihi board: Received PES error greater than chip max (5.00e-01).")


def test_more_spikes_than_a_board_takes_are_refused(make_network, on_board, nxsdk, monkeypatch):
    monkeypatch.setattr(board_module, "MAX_HOST_SPIKES", 3)
    with pytest.raises(
        CapacityError, match=r"may send 4 spikes in a step, a board takes 3; use fewer ensembles"
    ):
        on_board(make_network())
    assert nxsdk.opened[0].stopped


def test_a_run_on_a_board_moves_the_arm_as_one_on_the_emulator(nxsdk, monkeypatch, tmp_path):
    """The command's own path: composed, measured by the board's meter, logged."""
    network = NetworkConfig(encoder="none", n_neurons=60)
    config = RunConfig(
        backend="loihi", arm="planar2", trials=1, duration_s=0.2, network=network, out=tmp_path, name="sim"
    )
    on_emulator = read_ticks(execute(config, baseline=False).folder)
    compile_ = LoihiBackend.compile

    def compile_with_twin(backend, spec, *, dt_s, seed):
        nxsdk.twin = lambda: compile_(LoihiBackend(), spec, dt_s=dt_s, seed=seed)
        return compile_(backend, spec, dt_s=dt_s, seed=seed)

    monkeypatch.setattr(LoihiBackend, "compile", compile_with_twin)
    config = dataclasses.replace(config, loihi=LoihiConfig(target="loihi"), name="board")
    finished = execute(config, baseline=False)
    on_board = read_ticks(finished.folder)
    assert on_board.num_rows == 200
    torques = [name for name in on_board.column_names if "torque" in name]
    for name in torques:
        assert on_board[name].equals(on_emulator[name]), name
    assert torques
    np.testing.assert_allclose(on_board["energy_measured_j"].to_numpy(), 121e-6)
    assert finished.summary["utilisation"].startswith("2 of 128 cores")
    nxsdk.twin = None


def test_without_nxsdk_it_is_said_what_is_missing(make_network):
    backend = LoihiBackend(LoihiConfig(target="loihi"))
    with pytest.raises(ConfigError) as caught:
        backend.compile(make_network(), dt_s=0.001, seed=0)
    assert str(caught.value) == (
        "target='loihi' runs on a board and needs Intel's NxSDK (0.9 to 1.0), but No module named 'nxsdk'; "
        "install NxSDK where the board is, or use target='sim'."
    )


def test_an_nxsdk_that_is_too_old_is_refused(make_network, nxsdk, monkeypatch):
    monkeypatch.setattr("nxsdk.__version__", "0.8.7")
    with pytest.raises(ConfigError, match=r"needs Intel's NxSDK 0.9.0 to 1.0.0, the one installed is 0.8.7"):
        LoihiBackend(LoihiConfig(target="loihi")).compile(make_network(), dt_s=0.001, seed=0)


def test_probes_of_a_network_on_a_board_keep_nothing(make_network, on_board, nxsdk, drive):
    class Probed:
        inputs, outputs = make_network().inputs, make_network().outputs

        def build(self, *, seed):
            ported = make_network().build(seed=seed)
            with ported.network:
                nengo.Probe(ported.network.all_ensembles[0].neurons[:5])
            return ported

    program = on_board(Probed())
    for i in range(20):
        spikes = program.step(drive(i)).counts.spikes
    assert spikes > 0
    kept = program._simulator.sims["loihi"].snips.probe_data.values()
    assert all(values == [] for values in kept)


def test_the_first_step_on_a_board_waits_for_no_compiler(make_network, on_board, drive, monkeypatch):
    carry = numba.njit(kernel.carry.py_func)
    monkeypatch.setattr(kernel, "carry", carry)
    program = on_board(make_network())
    compiled = list(carry.signatures)
    assert compiled
    program.step(drive())
    assert carry.signatures == compiled


def test_targets_are_checked():
    with pytest.raises(UnknownNameError, match=r"no Loihi target named 'lohi'.*Did you mean 'loihi'"):
        LoihiConfig(target="lohi")
