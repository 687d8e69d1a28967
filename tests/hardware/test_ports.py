from __future__ import annotations

import numpy as np
import pytest

from spikearm.errors import PortError
from spikearm.hardware.ports import Ports


@pytest.fixture
def ported(small_network):
    return small_network.build(seed=0)


def test_ports_write_what_they_are_given(ported, inputs):
    Ports(ported).write(inputs)
    np.testing.assert_array_equal(ported.inputs["state"].value, inputs["state"])
    np.testing.assert_array_equal(ported.inputs["error"].value, inputs["error"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error": None}, r"missing input 'error'; every step needs all of \['error', 'state'\]"),
        ({"eror": np.zeros(2)}, r"no input port named 'eror'.*Did you mean 'error'\?"),
        ({"error": np.zeros(3)}, r"input 'error' has shape \(3,\), the network takes \(2,\)"),
        ({"error": np.array([0.0, np.nan])}, r"input 'error' is not finite"),
        ({"error": np.array([0.0, np.inf])}, r"input 'error' is not finite"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(ported, inputs, change, message):
    ports = Ports(ported)
    given = {name: value for name, value in {**inputs, **change}.items() if value is not None}
    with pytest.raises(PortError, match=message):
        ports.write(given)
    for port in ported.inputs.values():
        np.testing.assert_array_equal(port.value, 0.0)


def test_outputs_are_copies(ported):
    ports = Ports(ported)
    read = ports.read()["torque"]
    ported.outputs["torque"].value[:] = 7.0
    np.testing.assert_array_equal(read, 0.0)
    np.testing.assert_array_equal(ports.read()["torque"], 7.0)


def test_clear_puts_zero_on_every_port(ported, inputs):
    ports = Ports(ported)
    ports.write(inputs)
    ported.outputs["torque"].value[:] = 7.0
    ports.clear()
    for port in (*ported.inputs.values(), *ported.outputs.values()):
        np.testing.assert_array_equal(port.value, 0.0)
