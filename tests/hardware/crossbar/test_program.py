from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from spikearm.errors import ClosedError, ConfigError, StateError
from spikearm.hardware.crossbar import CrossbarBackend, CrossbarConfig
from spikearm.hardware.crossbar.devices import DEVICES
from spikearm.hardware.crossbar.events import LONGEST_WINDOW
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.hardware.reference import ReferenceBackend
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import StateEncoder
from spikearm.models.scaling import StateScaling

DT_S, N_JOINTS = 0.001, 2
SCALING = StateScaling((0.0,) * 4, (1.5,) * 4)


def _encoder() -> StateEncoder:
    rng = np.random.default_rng(5)
    return StateEncoder(
        "test",
        SCALING,
        w1=rng.normal(size=(16, 4)) * 0.5,
        b1=np.full(16, 0.2),
        w2=rng.normal(size=(16, 16)) * 0.3,
        b2=np.full(16, 0.2),
        w3=rng.normal(size=(3, 16)) * 0.2,
    )


NETWORK = AdaptiveNetwork(N_JOINTS, SCALING, n_neurons=300, learning_rate=2e-3)
WITH_ENCODER = replace(NETWORK, encoder=_encoder())


def _inputs(step: int, torque=(0.0, 0.0)) -> dict[str, np.ndarray]:
    state = np.sin(step / 100 + np.arange(4))
    wanted = np.array([4.0 * np.sin(state[0]), 3.0 * state[1] * state[2]])
    return {"state": state, "error": np.asarray(torque) - wanted}


def _learn(program, n_steps: int) -> np.ndarray:
    """Error of each step in a closed loop, shape (n_steps, n_joints)."""
    errors, torque = np.zeros((n_steps, N_JOINTS)), np.zeros(N_JOINTS)
    for i in range(n_steps):
        inputs = _inputs(i, torque)
        errors[i] = inputs["error"]
        torque = program.step(inputs).outputs["torque"]
    return errors


@pytest.fixture
def compiled():
    programs = []

    def compile_(network=NETWORK, config=None, *, seed=0):
        backend = CrossbarBackend() if config is None else CrossbarBackend(config=config)
        programs.append(backend.compile(network, dt_s=DT_S, seed=seed))
        return programs[-1]

    yield compile_
    for program in programs:
        program.close()


ALIKE = PcmDevice(device_scatter=0.0, bound_scatter=(0.0, 0.0))


@pytest.mark.parametrize("network", [NETWORK, WITH_ENCODER, replace(NETWORK, n_ensembles=3)])
def test_learning_in_a_loop_comes_close_to_the_reference(compiled, network):
    reference = ReferenceBackend().compile(network, dt_s=DT_S, seed=0)
    wanted, found = _learn(reference, 6000), _learn(compiled(network), 6000)
    reference.close()
    rmse = [np.sqrt(np.mean(errors[-1500:] ** 2)) for errors in (wanted, found)]
    assert rmse[1] < np.sqrt(np.mean(found[:1500] ** 2))
    # Coarse and nonlinear pulses learn more slowly: 50 % more error on the way is the stated tolerance.
    assert rmse[1] < 1.5 * rmse[0]


def test_an_ideal_crossbar_learns_what_the_reference_does(compiled):
    reference = ReferenceBackend().compile(NETWORK, dt_s=DT_S, seed=0)
    wanted, found = _learn(reference, 1500), _learn(compiled(config=CrossbarConfig.ideal()), 1500)
    reference.close()
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.05 * np.sqrt(np.mean(wanted**2))


def _learn_constant(program) -> np.ndarray:
    """Torque while a constant is learned, means over 0.1 s, shape (15, n_joints)."""
    torques, torque = [], np.zeros(N_JOINTS)
    for _ in range(1500):
        error = torque - np.array([3.0, -2.0])
        torque = program.step({"state": np.array([0.3, -0.5, 0.2, 0.1]), "error": error}).outputs["torque"]
        torques.append(torque)
    return np.array(torques).reshape(15, 100, N_JOINTS).mean(axis=1)


@pytest.mark.parametrize(
    ("config", "within_nm", "late_within_nm"),
    [
        (CrossbarConfig.ideal(), 0.1, 0.03),
        (CrossbarConfig(digital=("learned",)), 0.1, 0.1),
        (CrossbarConfig(device=replace(ALIKE, set_step=0.003)), 0.2, 0.2),
        (CrossbarConfig(devices_per_synapse=4), 0.2, 0.2),
        (CrossbarConfig(device=ALIKE, learned_headroom=2.0), 0.4, 0.32),
        (CrossbarConfig(device=ALIKE), 0.3, 0.25),
        (CrossbarConfig(), 0.42, 0.42),
    ],
    ids=[
        "ideal",
        "encoders on PCM",
        "fine pulses",
        "4 pairs",
        "PCM with room above",
        "PCM, devices alike",
        "PCM",
    ],
)
def test_distance_to_the_reference_is_the_grain_of_learning(compiled, config, within_nm, late_within_nm):
    """A constant of 3 N m. Scatter, drift and noise of the encoders do nothing; finer pulses come closer.

    Over eight draws of network and devices, PCM whose devices are alike is up to 0.22 N m away, late 0.21,
    with deviations of 0.03; with twice the range, and so twice the size of pulses, 0.33 with 0.03 and late
    0.18 with 0.05. Devices that differ, as they do, are up to 0.27 away with 0.05, early and late.
    """
    reference = ReferenceBackend().compile(NETWORK, dt_s=DT_S, seed=0)
    expected = _learn_constant(reference)
    reference.close()
    distance = np.abs(_learn_constant(compiled(config=config)) - expected)
    assert distance.max() < within_nm
    assert distance[5:].max() < late_within_nm


def test_the_network_draws_the_same_neurons_as_on_the_reference(compiled):
    reference = ReferenceBackend().compile(NETWORK, dt_s=DT_S, seed=4)
    ours, theirs = compiled(seed=4).simulator, reference._simulator
    ensembles = [sim.model.toplevel.all_ensembles[0] for sim in (ours, theirs)]
    for name in ("gain", "bias", "encoders"):
        values = [getattr(sim.data[e], name) for sim, e in zip((ours, theirs), ensembles, strict=True)]
        np.testing.assert_array_equal(*values)
    reference.close()


def test_a_state_of_another_device_is_refused(compiled):
    program = compiled()
    other = compiled(config=CrossbarConfig(device=PcmDevice(set_step=0.02)))
    with pytest.raises(StateError):
        program.load_state_dict(other.state_dict())


def test_a_state_holds_devices_learning_clock_and_generators(compiled):
    program = compiled(WITH_ENCODER)
    names = set(program.state_dict())
    n = len(program.simulator.matrices)
    assert n == 5
    wanted = {f"crossbar/matrix{i}/{name}" for i in range(n) for name in ("g", "born_s", "z", "rng", "gain")}
    wanted |= {
        f"crossbar/learning0/{name}" for name in ("chi", "trace", "since", "history", "next_row", "rng")
    }
    assert wanted | {"crossbar/steps", "crossbar/rested_s", "in/state", "out/torque"} <= names


def test_a_resumed_run_has_rested_as_long(compiled):
    program, twin = compiled(), compiled()
    _learn(program, 50)
    program.simulator.advance_time(3600.0)
    twin.load_state_dict(program.state_dict())
    for i in range(50, 100):
        ours, theirs = program.step(_inputs(i)), twin.step(_inputs(i))
        np.testing.assert_array_equal(ours.outputs["torque"], theirs.outputs["torque"])
        assert ours.counts == theirs.counts


def test_counts_of_a_step_are_those_of_its_tiles(compiled):
    """Encoder of 4 x 300: two tiles, analog. Decoders of 300 x 2: two tiles, by spikes."""
    program = compiled()
    for i in range(300):
        counts = program.step(_inputs(i)).counts
    encode, decode = program.simulator.matrices
    assert (encode.n_row_tiles, encode.n_col_tiles) == (1, 2)
    assert (decode.n_row_tiles, decode.n_col_tiles) == (2, 1)
    spikes = counts.spikes
    assert spikes > 5
    assert counts.tile_reads == 4
    assert counts.serial_tile_reads == 2
    assert counts.serial_conversions == 16 + 1
    assert counts.row_activations == 4 * 2 + spikes
    assert counts.active_macs == 4 * 300 + spikes * 2
    assert counts.synaptic_ops == spikes * 2
    assert counts.synaptic_ops_dense == 4 * 300 + 300 * 2
    assert counts.conversions == 300 + 2 * 2
    assert counts.neuron_updates == 300


def test_learning_touches_the_rows_that_spiked(compiled):
    program = compiled()
    touched = [
        (r.counts.learning_updates, r.counts.spikes) for r in (program.step(_inputs(i)) for i in range(120))
    ]
    # Besides, every row is brought up to date once in a window.
    at_most = N_JOINTS * -(-300 // LONGEST_WINDOW)
    assert all(0 <= updates - N_JOINTS * spikes <= at_most for updates, spikes in touched)


def test_pulses_counted_are_pulses_taken(compiled):
    program = compiled()
    pulses = sum(program.step(_inputs(i)).counts.set_pulses for i in range(1000))
    (wear,) = program.simulator.wear
    assert pulses == wear.set_mean * wear.n_devices > 0


def test_reset_renews_the_devices(compiled):
    program = compiled()
    _learn(program, 500)
    assert program.simulator.wear[0].set_max > 0
    program.reset()
    assert program.simulator.wear[0].set_max == 0


def test_digital_connections_are_left_to_nengo(compiled):
    program = compiled(config=CrossbarConfig(digital=("learned", "adapt*")))
    assert program.simulator.matrices == ()
    counts = program.step(_inputs(0)).counts
    assert counts.tile_reads == counts.learning_updates == 0


def test_a_simulator_refuses_to_be_pickled(compiled):
    with pytest.raises(TypeError, match="save and load the state of a CrossbarProgram"):
        pickle.dumps(compiled().simulator)


def test_a_day_between_two_episodes_ages_the_devices_alone(compiled):
    program = compiled()
    _learn(program, 300)
    learned = program.simulator.matrices[-1].cells
    before, weights = learned.total.sum(), learned.g.copy()
    program.advance_time(86_400.0)
    assert 0.5 * before < learned.total.sum() < 0.9 * before
    np.testing.assert_array_equal(learned.g, weights)
    program.step(_inputs(300))
    program.reset()
    assert program.step(_inputs(0)).counts.set_pulses == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0, np.nan, 1e12])
def test_time_the_devices_do_not_know_is_refused(compiled, seconds):
    with pytest.raises(ConfigError, match=r"time can only advance|the device is described from"):
        compiled().advance_time(seconds)


def test_a_closed_program_does_not_age(compiled):
    program = compiled()
    program.close()
    with pytest.raises(ClosedError):
        program.advance_time(1.0)


def test_programming_is_counted_once_and_apart(compiled):
    program = compiled()
    counts = program.programming_counts
    assert counts.verify_reads == counts.set_pulses > 0
    assert counts.reset_pulses == sum(m.cells.g.size for m in program.simulator.matrices)
    assert program.step(_inputs(0)).counts.reset_pulses == 0


@pytest.mark.parametrize(
    "config",
    [
        CrossbarConfig(device=DEVICES["reram-gong2018"]),
        CrossbarConfig(devices_per_synapse=4, stuck_at_min=0.05, learning="stochastic"),
        CrossbarConfig(device=DEVICES["nb-srtio3"], learning="sign"),
    ],
    ids=["reram", "pairs", "srtio3"],
)
def test_any_substrate_resumes_exactly(compiled, config):
    program, twin = compiled(config=config), compiled(config=config)
    _learn(program, 150)
    twin.load_state_dict(program.state_dict())
    for i in range(150, 200):
        ours, theirs = program.step(_inputs(i)), twin.step(_inputs(i))
        np.testing.assert_array_equal(ours.outputs["torque"], theirs.outputs["torque"])
        assert ours.counts == theirs.counts


def test_a_committee_puts_every_copy_on_devices_of_its_own(compiled):
    one, three = compiled(WITH_ENCODER), compiled(replace(WITH_ENCODER, committee=3))
    n_encoder = 3  # w1, w2 and the features
    assert len(three.simulator.matrices) - len(one.simulator.matrices) == 2 * n_encoder
    copies = [m.cells.g for m in three.simulator.matrices if m.label == "connection encoder.w1"]
    assert len(copies) == 3
    assert (copies[0] != copies[1]).any()
