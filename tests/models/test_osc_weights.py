import dataclasses

import numpy as np
import pytest

from spikearm.errors import WeightsError
from spikearm.models.osc_weights import load_osc, save_osc


def test_weights_survive_their_file(osc_weights, tmp_path):
    path = tmp_path / "osc.npz"
    save_osc(path, osc_weights)
    loaded = load_osc(path)
    for field in dataclasses.fields(osc_weights):
        ours, theirs = getattr(osc_weights, field.name), getattr(loaded, field.name)
        if field.name in ("readouts", "reductions"):
            assert ours.keys() == theirs.keys()
            for name, values in ours.items():
                np.testing.assert_array_equal(theirs[name], values)
        elif isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(theirs, ours.astype(np.float32))
        else:
            assert theirs == ours


def test_missing_weights_are_told(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights of a spiking controller at .*; `spikearm train osc`"):
        load_osc(tmp_path / "none.npz")


def test_damaged_weights_are_told(osc_weights, tmp_path):
    path = tmp_path / "osc.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_osc(path)
    save_osc(path, osc_weights)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(WeightsError, match="cannot be read"):
        load_osc(path)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"b2": np.zeros(3)}, "do not fit together"),
        ({"readouts": {"rate": np.zeros((2, 3))}}, "do not fit together"),
        ({"reductions": {"spikes": np.zeros((2, 3))}}, "do not fit together"),
        ({"b1": np.full(12, np.nan)}, "b1 is not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(osc_weights, tmp_path, changes, text):
    path = tmp_path / "osc.npz"
    save_osc(path, dataclasses.replace(osc_weights, **changes))
    with pytest.raises(WeightsError, match=text):
        load_osc(path)


def test_weights_that_cannot_be_written_are_told(osc_weights, tmp_path):
    with pytest.raises(WeightsError, match="cannot write weights to"):
        save_osc(tmp_path / "nowhere" / "osc.npz", osc_weights)
