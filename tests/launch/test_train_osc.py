"""Training from the command line: tiny, but the whole way from reaches to weights that run."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from spikearm.models.osc_weights import NEURONS, load_osc

TINY = (
    *("train", "osc", "--n-reaches", 2, "--n-check-reaches", 2, "--n-steps", 5, "--n-hidden1", 8),
    *("--n-hidden2", 10, "--n-modes", 2, "--n-per-diagonal", 4, "--batch", 16),
)
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="training is an extra; torch is not installed"
)


@needs_torch
def test_trained_weights_are_used_by_a_run(spikearm, tmp_path):
    ended = spikearm(*TINY, "--out", tmp_path, "--json")
    assert ended.code == 0
    path = tmp_path / "osc-iiwa14.npz"
    assert ended.document["path"] == str(path)
    for kind in NEURONS:
        checked, known = (
            document["pose_error"][kind]
            for document in (ended.document, ended.document["on_training_states"])
        )
        assert 0 < max(checked) < 1
        assert checked != known
    assert all(0 < share <= 1 for share in ended.document["linear_share"])
    card = (tmp_path / "osc-iiwa14.md").read_text()
    for words in (
        *("Spiking operational-space controller for iiwa14", "--n-reaches 2", "seed | 1"),
        *("on 2 reaches of the same kind that nothing was trained on", "round the neurons"),
    ):
        assert words in card
    words = ("run", "--controller", "spiking-osc", "--weights", path, "--trials", 1)
    ended = spikearm(*words, "--duration-s", 0.01, "--out", tmp_path / "runs", "--json")
    assert ended.code == 0


@needs_torch
def test_same_seed_same_weights(spikearm, tmp_path):
    first, again, other = (
        load_osc_of(spikearm, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    np.testing.assert_array_equal(first.w2, again.w2)
    np.testing.assert_array_equal(first.readout("published, spikes"), again.readout("published, spikes"))
    assert first.w1.shape != other.w1.shape or not np.array_equal(first.w1, other.w1)


def load_osc_of(spikearm, folder, seed):
    assert spikearm(*TINY, "--seed", seed, "--out", folder).code == 0
    return load_osc(folder / "osc-iiwa14.npz")


@needs_torch
def test_arm_that_cannot_turn_is_refused(spikearm, tmp_path):
    ended = spikearm("train", "osc", "--arm", "planar2", "--out", tmp_path)
    assert ended.code != 0
    assert "does not control position and orientation in all axes" in ended.complaint
