from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from spikearm.hardware.loihi.numpy2 import NumPy1Array, install


def test_copy_false_copies_only_if_needed():
    old = NumPy1Array()
    array = np.zeros(3)
    assert old.array(array, copy=False) is array
    assert old.array(array, copy=False, dtype=np.float32).dtype == np.float32
    assert old.array(array) is not array
    assert old.array(array, copy=False, ndmin=2).base is array


def test_bytes_become_an_array_of_its_own():
    array = NumPy1Array().fromstring(b"\x01\x02\xff", np.uint8)
    array += 1
    assert array.tolist() == [2, 3, 0]


def test_everything_else_is_numpy():
    old = NumPy1Array()
    assert old.zeros is np.zeros
    assert old.float32 is np.float32
    with pytest.raises(AttributeError):
        _ = old.no_such_function


def test_install_mends_nengo_loihi_once_and_leaves_numpy_alone():
    import nengo_loihi.block
    import nengo_loihi.neurons

    install()
    first = nengo_loihi.block.np
    install()
    assert nengo_loihi.block.np is first
    assert isinstance(nengo_loihi.neurons.np, NumPy1Array)
    with pytest.raises(ValueError, match="copy"):
        np.array([1, 2], copy=False)


def test_import_is_silent_and_keeps_other_warnings():
    code = (
        "import warnings; warnings.simplefilter('error');"
        "warnings.filterwarnings('ignore', message='numpy.core');"
        "import spikearm.hardware.loihi, nengo_loihi; print(nengo_loihi.__version__)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 our own code
    assert done.returncode == 0, done.stderr
