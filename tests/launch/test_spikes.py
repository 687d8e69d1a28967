from __future__ import annotations

import numpy as np
import pytest

from spikearm.errors import JournalError
from spikearm.hardware.spikes import Population
from spikearm.launch.spikes import SPIKES_NAME, SpikeRecorder, Spikes


@pytest.fixture
def recorded(tmp_path, rng):
    """Two populations, one larger than the sample; what they really did; what came back."""
    small, large = np.zeros(5), np.zeros(100, dtype=bool)
    recorder = SpikeRecorder((Population("a", small), Population("b", large)), 7, 0.001)
    truth = []
    for _ in range(30):
        small[:] = 1000.0 * (rng.random(5) < 0.3)
        large[:] = rng.random(100) < 0.2
        recorder.on_tick()
        truth.append(np.concatenate([small != 0, large]))
    recorder.save(tmp_path)
    return np.array(truth), Spikes.load(tmp_path)


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_spikes_of_the_sample_come_back_as_they_were(recorded):
    truth, spikes = recorded
    assert spikes.labels == ("a", "b")
    assert spikes.sizes == (5, 100)
    assert list(spikes.sample[:5]) == [0, 1, 2, 3, 4]
    assert len(np.unique(spikes.sample)) == 5 + 48
    assert np.array_equal(spikes.fired, truth[:, spikes.sample])


def test_rates_are_of_all_neurons(recorded):
    truth, spikes = recorded
    assert spikes.rates_hz == pytest.approx(truth.sum(axis=0) / 0.030)


def test_run_folder_without_spikes_has_none(tmp_path):
    assert Spikes.load(tmp_path) is None


def test_damaged_file_says_what_to_do(tmp_path):
    (tmp_path / SPIKES_NAME).write_bytes(b"not a zip")
    with pytest.raises(JournalError, match=r"cannot be read: .*; delete it to do without spikes"):
        Spikes.load(tmp_path)


def test_run_keeps_as_many_spikes_as_it_counted(short_run):
    spikes = Spikes.load(short_run.folder)
    n_ticks = short_run.summary["n_ticks"]
    assert spikes.fired.shape[0] == n_ticks
    total = spikes.rates_hz.sum() * 0.001 * n_ticks
    assert total == pytest.approx(short_run.summary["spikes_per_tick"] * n_ticks)
