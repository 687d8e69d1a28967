"""Training from the command line: tiny, but the whole way from perturbations to weights that run."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.families import HELD_OUT, TRAINED, draw_from
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.crossbar.devices import make_device
from spikearm.launch.train_encoder import TrainEncoderCommand, settings
from spikearm.models.encoder import load_encoder

TINY = (
    *("train", "encoder", "--arm", "planar2", "--n-sessions", 12, "--n-samples", 12),
    *("--n-steps", 4, "--n-hidden", 6, "--n-features", 3, "--n-neurons", 32, "--batch-tasks", 4),
    *("--check-trials", 0),
)
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="training is an extra; torch is not installed"
)


@needs_torch
def test_trained_weights_are_used_by_a_run(spikearm, tmp_path):
    ended = spikearm(*TINY, "--out", tmp_path, "--json")
    assert ended.code == 0
    document = ended.document
    path = tmp_path / "encoder-planar2.npz"
    assert document["path"] == str(path)
    for name in ("train_loss", "validation_loss", "raw_state_loss"):
        assert 0 < document[name] < 10
    words = ("run", "--arm", "planar2", "--trials", 1, "--duration-s", 0.02, "--encoder", path)
    assert spikearm(*words, "--out", tmp_path / "runs", "--json").code == 0


@needs_torch
def test_same_seed_same_weights(spikearm, tmp_path):
    encoders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert spikearm(*TINY, "--seed", seed, "--out", tmp_path / name).code == 0
        encoders.append(load_encoder(tmp_path / name / "encoder-planar2.npz"))
    np.testing.assert_array_equal(encoders[0].w1, encoders[1].w1)
    np.testing.assert_array_equal(encoders[0].w3, encoders[1].w3)
    assert not np.array_equal(encoders[0].w1, encoders[2].w1)


@pytest.mark.parametrize("name", ["pcm", "reram-gong2018", "neurram"])
def test_noise_of_training_is_the_scatter_of_the_named_device(name):
    device = make_device(name)
    training = settings(TrainEncoderCommand(noise_aware=True, device=name))
    for place in (0.0, 0.3, 1.0):
        g = device.g_min_siemens + place * device.range_siemens
        wanted = device.scatter_siemens(np.array(g)) / device.range_siemens
        assert np.polynomial.polynomial.polyval(place, training.weight_noise) == pytest.approx(float(wanted))
    nothing = device.g_min_siemens + training.weight_noise_floor * device.range_siemens
    assert nothing == pytest.approx(0.0, abs=1e-18)


def test_training_for_an_unknown_device_is_refused():
    with pytest.raises(UnknownNameError, match=r"no crossbar device named 'pmc'.*Did you mean 'pcm'"):
        TrainEncoderCommand(device="pmc")


@needs_torch
def test_model_card_says_how_to_make_the_weights_again(spikearm, tmp_path):
    assert spikearm(*TINY, "--seed", 3, "--out", tmp_path).code == 0
    card = (tmp_path / "encoder-planar2.md").read_text()
    for words in (
        "State encoder for planar2",
        "seed | 3",
        "validation loss",
        "12 sessions of reaches",
        "date",
    ):
        assert words in card
    for option in (
        "--arm planar2",
        "--seed 3",
        "--n-sessions 12",
        "--n-samples 12",
        "--n-steps 4",
        "--n-hidden 6",
    ):
        assert option in card


@needs_torch
def test_place_that_cannot_be_written_is_refused_before_training(spikearm, tmp_path):
    (tmp_path / "file").touch()
    ended = spikearm(*TINY, "--out", tmp_path / "file" / "weights")
    assert (ended.code, ended.out) == (2, "")
    assert "RunFolderError: cannot make" in ended.complaint
    assert "drawing" not in ended.err


@needs_torch
def test_unknown_arm_gets_a_suggestion(spikearm, tmp_path):
    ended = spikearm("train", "encoder", "--arm", "planer2", "--out", tmp_path)
    assert ended.code == 2
    assert "Did you mean 'planar2'?" in ended.complaint


@needs_torch
def test_tasks_are_finite_and_of_every_size():
    from spikearm.launch.encoder_data import draw_tasks

    arm = ARMS["planar3"]
    size = {"n_sessions": 8, "n_samples": 10, "n_perturbations": 3}
    tasks = draw_tasks(arm, np.random.default_rng(0), **size)
    assert tasks.states.shape == (8, 10, 6)
    assert tasks.mobility.shape == (8, 10, 3, 3)
    assert tasks.torques.shape == (8, 3, 10, 3)
    assert np.isfinite(tasks.states).all()
    assert np.isfinite(tasks.torques).all()
    sizes = np.sqrt((tasks.torques**2).mean(axis=(2, 3)))
    assert 0.02 * arm.torque_scale_nm < np.median(sizes) < 2.0 * arm.torque_scale_nm
    again = draw_tasks(arm, np.random.default_rng(0), **size)
    np.testing.assert_array_equal(again.torques, tasks.torques)


@needs_torch
def test_training_sees_no_family_that_is_held_out(monkeypatch):
    from spikearm.launch import encoder_data

    seen: set[str] = set()

    def watched(arm, rng, *families):
        seen.update(families)
        return draw_from(arm, rng, *families)

    monkeypatch.setattr(encoder_data, "draw_from", watched)
    rng = np.random.default_rng(0)
    encoder_data.draw_tasks(
        ARMS["planar2"], rng, n_sessions=30, n_samples=2, n_perturbations=3, random_fields=0.0
    )
    assert seen == set(TRAINED)
    assert not seen & set(HELD_OUT)


class NoTorch:
    """Stands before all other finders and finds no torch."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(name)


def test_training_without_torch_says_what_to_install(spikearm, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoTorch, *sys.meta_path])
    ended = spikearm(*TINY, "--out", tmp_path / "weights")
    assert (ended.code, ended.out) == (2, "")
    assert 'pip install ".[train]"' in ended.complaint
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("settings", [{"n_sessions": 9}, {"n_samples": 9}, {"n_perturbations": 0}])
def test_too_few_sessions_samples_or_perturbations_are_refused(settings):
    with pytest.raises(ConfigError, match="n_sessions and n_samples must be at least 10 and n_perturbations"):
        TrainEncoderCommand(**settings)
