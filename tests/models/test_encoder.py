from __future__ import annotations

import dataclasses
from contextlib import suppress

import nengo
import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.errors import WeightsError
from spikearm.launch.compose import state_scaling
from spikearm.models.encoder import SHIPPED_FOR, load_encoder, save_encoder, shipped_encoder_path

ARRAYS = ("w1", "b1", "w2", "b2", "w3")


def decoded_features(encoder, state: np.ndarray, rate_hz: float, seconds: float = 1.0) -> np.ndarray:
    """Mean of what the spiking layers say about a constant state."""
    with nengo.Network(seed=1) as network:
        source = nengo.Node(encoder.scaling(state))
        last = encoder.build(source, tau_s=0.01, rate_hz=rate_hz)
        sink = nengo.Node(size_in=encoder.n_features)
        nengo.Connection(last.neurons, sink, transform=encoder.w3, synapse=0.03)
        probe = nengo.Probe(sink)
    with nengo.Simulator(network, progress_bar=False) as simulator:
        simulator.run(seconds)
    return simulator.data[probe][len(simulator.data[probe]) // 2 :].mean(axis=0)


@pytest.mark.parametrize(
    ("rate_hz", "tolerance"),
    [
        (200.0, 0.05),  # single spikes ripple through the second layer's rectification
        (1000.0, 0.015),
        (10000.0, 0.002),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_spiking_layers_decode_to_the_perceptrons_features(encoder, seed, rate_hz, tolerance):
    state = np.random.default_rng(seed).uniform(-0.8, 0.8, 4)
    decoded = decoded_features(encoder, state, rate_hz)
    np.testing.assert_allclose(decoded, encoder.features(state), atol=tolerance)


def test_units_fire_in_proportion_to_their_activation(encoder):
    state = np.array([0.3, 0.2, -0.4, 0.5])
    with nengo.Network(seed=1) as network:
        source = nengo.Node(encoder.scaling(state))
        encoder.build(source, tau_s=0.01, rate_hz=100.0)
        probe = nengo.Probe(network.ensembles[0].neurons)
    with nengo.Simulator(network, progress_bar=False) as simulator:
        simulator.run(2.0)
    # The amplitude of a spike is 1 / rate: the mean of the output is the activation itself.
    activation = np.maximum(encoder.w1 @ encoder.scaling(state) + encoder.b1, 0)
    np.testing.assert_allclose(simulator.data[probe].mean(axis=0), activation, atol=0.01)


def test_batches_are_encoded_row_by_row(encoder, rng):
    states = rng.normal(size=(3, 5, 4))
    features = encoder.features(states)
    assert features.shape == (3, 5, encoder.n_features)
    np.testing.assert_allclose(features[1, 2], encoder.features(states[1, 2]), rtol=1e-12)


def test_saved_weights_come_back_bit_by_bit(encoder, tmp_path):
    path = tmp_path / "encoder.npz"
    save_encoder(path, encoder)
    loaded = load_encoder(path)
    assert loaded.arm == encoder.arm
    assert loaded.scaling == encoder.scaling
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(encoder, name))


def test_weights_are_saved_in_single_precision(encoder, tmp_path):
    path = tmp_path / "encoder.npz"
    save_encoder(path, dataclasses.replace(encoder, w1=encoder.w1 + 1e-12))
    np.testing.assert_array_equal(load_encoder(path).w1, encoder.w1)


def saved(folder, encoder, **changed):
    """A file with some of its arrays replaced; None leaves one out."""
    path = folder / "encoder.npz"
    save_encoder(path, encoder)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | changed
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_missing_file_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(WeightsError, match=r"no encoder weights at .*none\.npz; `spikearm train encoder`"):
        load_encoder(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and then nothing"])
def test_file_that_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "encoder.npz"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"cannot be read .*make them anew with `spikearm train encoder`"):
        load_encoder(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_file_is_refused(encoder, tmp_path, share):
    path = saved(tmp_path, encoder)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match="cannot be read"):
        load_encoder(path)


def test_flipped_bits_are_noticed(encoder, tmp_path):
    path = saved(tmp_path, encoder)
    content = bytearray(path.read_bytes())
    start = content.find(b"w1.npy") + 200
    content[start] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_encoder(path)


def test_no_flipped_byte_gets_past_unexplained(encoder, tmp_path, rng):
    path = saved(tmp_path, encoder)
    content = path.read_bytes()
    for position in rng.choice(len(content), size=400, replace=False):
        damaged = bytearray(content)
        damaged[position] ^= rng.integers(1, 256)
        path.write_bytes(bytes(damaged))
        with suppress(WeightsError):  # a byte that means nothing may also go unnoticed
            load_encoder(path)


def test_single_array_is_no_encoder(tmp_path):
    path = tmp_path / "array.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_encoder(path)


@pytest.mark.parametrize("name", [*ARRAYS, "center", "half_range", "arm"])
def test_missing_array_is_refused(encoder, tmp_path, name):
    with pytest.raises(WeightsError, match=f"cannot be read .*{name}"):
        load_encoder(saved(tmp_path, encoder, **{name: None}))


def test_pickled_objects_are_not_loaded(encoder, tmp_path):
    path = saved(tmp_path, encoder, w1=np.array([{"a": 1}], dtype=object))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_encoder(path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("w1", np.zeros((12, 5))),
        ("w1", np.zeros(12)),
        ("b1", np.zeros(11)),
        ("b1", np.zeros((12, 1))),
        ("b1", np.float64(0.0)),
        ("w2", np.zeros((10, 13))),
        ("b2", np.zeros(9)),
        ("w3", np.zeros((3, 9))),
        ("w3", np.zeros((3, 10, 2))),
        ("w3", np.zeros((0, 10))),
        ("center", np.float64(0.0)),
        ("center", np.zeros((4, 1))),
        ("half_range", np.ones(3)),
        ("half_range", np.ones((4, 1))),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(encoder, tmp_path, name, array):
    with pytest.raises(WeightsError, match=r"do not fit together: .*train them again"):
        load_encoder(saved(tmp_path, encoder, **{name: array}))


@pytest.mark.parametrize("name", [*ARRAYS, "center", "half_range"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(encoder, tmp_path, name, value):
    path = saved(tmp_path, encoder)
    with np.load(path) as file:
        array = file[name].copy()
    array.flat[-1] = value
    with pytest.raises(WeightsError, match=f"{name} is not finite; train them again"):
        load_encoder(saved(tmp_path, encoder, **{name: array}))


def test_scale_of_zero_is_refused(encoder, tmp_path):
    with pytest.raises(WeightsError, match="half_range"):
        load_encoder(saved(tmp_path, encoder, half_range=np.zeros(4)))


def test_weights_of_words_are_refused(encoder, tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        load_encoder(saved(tmp_path, encoder, b1=np.array(["a"] * 12)))


def test_place_that_is_not_there_is_refused(encoder, tmp_path):
    with pytest.raises(WeightsError, match=r"cannot write weights .*choose another place"):
        save_encoder(tmp_path / "none" / "encoder.npz", encoder)


def test_shipped_weights_fit_their_arm():
    arm = ARMS["iiwa14"]
    encoder = load_encoder(shipped_encoder_path("iiwa14"))
    assert encoder.arm == "iiwa14"
    assert encoder.scaling.size == 2 * arm.n_joints
    wanted = state_scaling(arm)
    np.testing.assert_allclose(encoder.scaling.center, wanted.center, atol=1e-6)
    np.testing.assert_allclose(encoder.scaling.half_range, wanted.half_range, atol=1e-6)


@pytest.mark.parametrize("arm", SHIPPED_FOR)
def test_shipped_weights_are_small(arm):
    assert 0 < shipped_encoder_path(arm).stat().st_size < 1_000_000
