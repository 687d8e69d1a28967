"""nengo-loihi's exchange between host and chip, for decoders that are spread over several cores, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nengo_loihi.simulator import StepRunner

from spikearm.hardware.loihi.decoders import error_targets, summing_receivers


class PartsRunner(StepRunner):
    """Sends errors to all parts of a learned connection, and adds up what the parts answer.

    Attributes:
        host_receivers: For each probe of a whole connection, its receiver on the host.
        probes_receivers: For each probe on the chip, what adds up its values with those of other parts and
            hands them to the receiver on the host.

    Args:
        model: The built ``nengo_loihi.builder.Model``.
        sims: The simulators of host and chip, by name.
        precompute: Whether the host runs ahead.
        timers: nengo-loihi's clocks.
    """

    def __init__(self, model: Any, sims: Mapping[str, Any], precompute: bool, timers: Any) -> None:
        super().__init__(model, sims, precompute, timers)
        learned = [
            model.nengo_probe_conns[receiver.error_target]
            for receiver in model.host2chip_pes_senders.values()
        ]
        self._parts = {model.objs[c]["decoders"]: error_targets(model, c) for c in learned}

    def _extract_probes_receivers(self) -> dict[Any, Any]:
        self.host_receivers: dict[Any, Any] = super()._extract_probes_receivers()
        return summing_receivers(self.model, self.host_receivers)

    def _host2chip(self, sim: Any) -> None:
        super()._host2chip(_AllParts(sim, self._parts))


class _AllParts:
    """A chip as nengo-loihi knows it: with one group of synapses for each learned connection."""

    def __init__(self, chip: Any, parts: Mapping[Any, tuple[Any, ...]]) -> None:
        self._chip = chip
        self._parts = parts

    def host2chip(self, spikes: list[tuple[Any, int, Any]], errors: list[tuple[Any, int, Any]]) -> None:
        """Send spikes on as they are, and each error to all parts of its connection."""
        self._chip.host2chip(
            spikes,
            [(part, t, values) for synapse, t, values in errors for part in self._parts[synapse]],
        )
