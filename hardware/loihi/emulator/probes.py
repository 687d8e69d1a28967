"""Probes on the chip: recorded by the kernel, collected as the stock emulator does."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from nengo_loihi.emulator.interface import ProbeState
from numpy.typing import NDArray

from spikearm.hardware.loihi.emulator.kernel import Records

_KEYS = ("current", "voltage", "spiked")
_MAX_RECORDED = 1 << 20  # values of one key between two visits to Python


class RecordedProbes(ProbeState):
    """Probes whose outputs are lists of arrays of several steps each, instead of one array per step.

    Args:
        block_info: Where the compartments of each block are.
        probes: The probes of the model.
        dt_s: Time step [s].

    Attributes:
        max_steps: So many steps may pass before :meth:`keep` must be called.
    """

    def __init__(self, block_info: Any, probes: list[Any], dt_s: float) -> None:
        super().__init__(block_info, probes, dt_s)
        self._dtype = block_info.dtype
        self._columns: list[tuple[Any, list[NDArray[Any]], str, slice]] = []
        self._others = [probe for probe in self.probes if probe.key not in _KEYS]
        chosen: dict[str, list[NDArray[np.int64]]] = {key: [np.zeros(0, np.int64)] for key in _KEYS}
        self._sizes: dict[Any, list[int]] = {}
        for probe, blocks in self.probes.items():
            own = [
                np.arange(block_slice.start, block_slice.stop)[part]
                for block_slice, part in zip(blocks.values(), probe.slice, strict=True)
            ]
            self._sizes[probe] = [compartments.size for compartments in own]
            if probe.key in _KEYS:
                for output, compartments in zip(self.outputs[probe], own, strict=True):
                    start = sum(part.size for part in chosen[probe.key])
                    chosen[probe.key].append(compartments)
                    self._columns.append((probe, output, probe.key, slice(start, start + compartments.size)))
        self._of = {key: np.concatenate(parts) for key, parts in chosen.items()}
        widest = max(of.size for of in self._of.values())
        self.max_steps = 1 if self._others else max(1, min(1024, _MAX_RECORDED // max(1, widest)))
        self._records = self._allocate(1)

    def records(self, n_steps: int) -> Records:
        """Room for ``n_steps`` steps."""
        if len(self._records.current) < n_steps:
            self._records = self._allocate(n_steps)
        return self._records

    def _allocate(self, n_steps: int) -> Records:
        def room(key: str, dtype: Any) -> NDArray[Any]:
            return np.zeros((n_steps, self._of[key].size), dtype=dtype)

        return Records(
            current_of=self._of["current"],
            voltage_of=self._of["voltage"],
            spiked_of=self._of["spiked"],
            current=room("current", self._dtype),
            voltage=room("voltage", self._dtype),
            spiked=room("spiked", np.bool_),
        )

    def keep(self, n_steps: int, compartment: Any) -> None:
        """Take over what the kernel recorded in ``n_steps`` steps."""
        for _, output, key, columns in self._columns:
            output.append(getattr(self._records, key)[:n_steps, columns].copy())
        for probe in self._others:
            values = getattr(compartment, probe.key)
            for k, block_slice in enumerate(self.probes[probe].values()):
                self.outputs[probe][k].append(values[block_slice][probe.slice[k]].copy()[np.newaxis])

    def keep_only(self, probes: Collection[Any]) -> None:
        """From now on, keep nothing of any other probe."""
        self._columns = [column for column in self._columns if column[0] in probes]
        self._others = [probe for probe in self._others if probe in probes]

    def collect_probe_output(self, probe: Any) -> Any:
        """All steps since the last call, weighted and filtered."""
        return self.probe_filter(probe, self._take(probe))

    def send(self, t: int, probe: Any, receiver: Any) -> int:
        """Hand the steps since the last call to a node on the host; returns how many.

        Raises:
            ValueError: The probe has a filter, which belongs on the host's side.
        """
        if probe.synapse is not None:
            raise ValueError(f"a probe that sends to the host must have synapse=None, not {probe.synapse!r}.")
        if not self.outputs[probe][0]:
            return 0
        values = self._take(probe)
        first = t - len(values) + 2  # the host sees a value two steps after the chip computed it
        for j, value in enumerate(values):
            receiver.receive(self.dt * (first + j), value)
        return len(values)

    def _take(self, probe: Any) -> NDArray[Any]:
        """Outputs of all blocks, one row per step, weighted, and forgotten here."""
        outputs = [
            parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros((0, n))
            for parts, n in zip(self.outputs[probe], self._sizes[probe], strict=True)
        ]
        self.clear_probe(probe)
        if len(outputs) == 1 and probe.reindexing is None and probe.weights[0] is not None:
            # What `weight_outputs` does for one block, without its checks: this runs in every step.
            weighted: NDArray[Any] = 0 + outputs[0].dot(probe.weights[0])
            return weighted
        values: NDArray[Any] = probe.weight_outputs(outputs)
        return values
