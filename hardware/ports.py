"""Checks every program makes on its inputs before it steps, so that bad input loses nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikearm.errors import PortError, UnknownNameError
from spikearm.finite import all_finite
from spikearm.models.network import InputPort, OutputPort, PortedNetwork
from spikearm.records import FloatArray


class Ports:
    """The checked way in and out of a ported network."""

    def __init__(self, ported: PortedNetwork) -> None:
        self._inputs: Mapping[str, InputPort] = ported.inputs
        self._outputs: Mapping[str, OutputPort] = ported.outputs

    def write(self, inputs: Mapping[str, FloatArray]) -> None:
        """Check all inputs, then write them; either all are written or none.

        Raises:
            PortError: A port is missing, unknown, of the wrong shape, or holds a NaN or an infinity.
        """
        if inputs.keys() != self._inputs.keys():
            self._refuse_names(inputs)
        for name, port in self._inputs.items():
            value = np.asarray(inputs[name], dtype=np.float64)
            if value.shape != port.value.shape:
                raise PortError(
                    f"input {name!r} has shape {value.shape}, the network takes {port.value.shape}."
                )
            if not all_finite(value):
                raise PortError(f"input {name!r} is not finite: {value!r}; check what feeds it.")
        for name, port in self._inputs.items():
            port.value[:] = inputs[name]

    def read(self) -> dict[str, FloatArray]:
        """Copies of all outputs, by name."""
        return {name: port.value.copy() for name, port in self._outputs.items()}

    def clear(self) -> None:
        """Zero on every port, as before the first step."""
        for source in self._inputs.values():
            source.value[:] = 0.0
        for sink in self._outputs.values():
            sink.value[:] = 0.0

    def _refuse_names(self, inputs: Mapping[str, FloatArray]) -> None:
        for name in inputs:
            if name not in self._inputs:
                raise PortError(str(UnknownNameError("input port", name, self._inputs)))
        missing = sorted(set(self._inputs) - set(inputs))
        raise PortError(
            f"missing input {', '.join(map(repr, missing))}; every step needs all of {sorted(self._inputs)}."
        )
