"""Kinds of crossbar to compare: devices, their age, pairs per weight, faults, learning schemes.

One list for ``spikearm compare --devices`` and for ``benchmarks/crossbar_physics.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.device import UNAGED_S, Device
from spikearm.hardware.crossbar.devices import make_device
from spikearm.launch.config import RunConfig

DAY_S = 86_400.0


@dataclass(frozen=True)
class DeviceVariant:
    """One kind of crossbar, as changes to the settings of a run.

    Attributes:
        label: What it is called in tables.
        crossbar: Settings of the substrate that it changes.
        committee: Copies of the encoder, or None to leave that to the run.
        rest_s: Time that passes half-way for the devices [s], or None to leave that to the run.
    """

    label: str
    crossbar: Mapping[str, Any] = field(default_factory=dict)
    committee: int | None = None
    rest_s: float | None = None

    def of(self, config: RunConfig) -> RunConfig:
        """The run, adaptive, on this kind of crossbar; what the variant does not name stays as it is.

        Raises:
            ConfigError: The run cannot be made on it; the message names the variant.
        """
        network = config.network
        if self.committee is not None:
            network = dataclasses.replace(network, committee=self.committee)
        try:
            return dataclasses.replace(
                config,
                controller="adaptive",
                backend="crossbar",
                crossbar=dataclasses.replace(config.crossbar, **self.crossbar),
                network=network,
                rest_s=config.rest_s if self.rest_s is None else self.rest_s,
            )
        except ConfigError as error:
            raise ConfigError(f"{self.label}: {error}") from error


def make_variant(name: str) -> DeviceVariant:
    """The variant of this name.

    Raises:
        UnknownNameError: There is none; the message lists those there are.
    """
    if name not in DEVICE_VARIANTS:
        raise UnknownNameError("device variant", name, DEVICE_VARIANTS)
    return DEVICE_VARIANTS[name]


def _on(
    device: str, label: str, *, committee: int | None = None, rest_s: float | None = None, **settings: Any
) -> DeviceVariant:
    return DeviceVariant(label, _made_of(make_device(device)) | settings, committee, rest_s)


def _intact(device: str, label: str) -> DeviceVariant:
    """Devices of this name of which none is corrupt."""
    whole: Device = dataclasses.replace(make_device(device), corrupt=0.0)
    return DeviceVariant(label, _made_of(whole))


def _made_of(device: Device) -> dict[str, Any]:
    """This device; one of which no law of ageing is known is fresh, whatever the run has others be."""
    unaged = device.valid_age_s[1] <= UNAGED_S
    return {"device": device} | ({"programmed_s": CrossbarConfig().programmed_s} if unaged else {})


_STUCK_5: dict[str, Any] = {"stuck_at_min": 0.025, "stuck_at_max": 0.025}
_STUCK_10: dict[str, Any] = {"stuck_at_min": 0.05, "stuck_at_max": 0.05}
# What the learned matrix is made of decides on the figures for energy, which hold for the whole substrate.
_NEURRAM_ENCODER = {"*": {"device": make_device("neurram")}, "learned": {"device": make_device("pcm")}}

DEVICE_VARIANTS: Mapping[str, DeviceVariant] = MappingProxyType(
    {
        "ideal": _on("ideal", "ideal devices"),
        "pcm": _on("pcm", "PCM, fresh"),
        "pcm-day-old": _on("pcm", "PCM, written a day before", programmed_s=DAY_S),
        "pcm-day-old-by-column": _on(
            "pcm", "PCM, a day old, by column", programmed_s=DAY_S, drift_compensation="column"
        ),
        "pcm-day-old-uncompensated": _on(
            "pcm", "PCM, a day old, uncompensated", programmed_s=DAY_S, drift_compensation_s=0.0
        ),
        "pcm-day-between": _on("pcm", "PCM, a day passes half-way", rest_s=DAY_S),
        "pcm-verified": _on("pcm", "PCM, 3 rounds of write-verify", program_rounds=3),
        "pcm-committee": _on("pcm", "PCM, committee of 3 encoders", committee=3),
        "pairs-4": _on("pcm", "PCM, 4 pairs per synapse", devices_per_synapse=4),
        "pairs-7": _on("pcm", "PCM, 7 pairs per synapse", devices_per_synapse=7),
        "stuck-5": _on("pcm", "PCM, 5 % stuck", **_STUCK_5),
        "stuck-10": _on("pcm", "PCM, 10 % stuck", **_STUCK_10),
        "stuck-10-pairs-4": _on("pcm", "PCM, 10 % stuck, 4 pairs", devices_per_synapse=4, **_STUCK_10),
        "stuck-5-blind": _on("pcm", "PCM, 5 % stuck, blind writes", write_around_faults=False, **_STUCK_5),
        "stuck-10-blind": _on("pcm", "PCM, 10 % stuck, blind writes", write_around_faults=False, **_STUCK_10),
        "stuck-10-low": _on("pcm", "PCM, 10 % stuck at g_min", stuck_at_min=0.1),
        "hermes": _on("pcm-hermes", "PCM (HERMES)"),
        "reram": _on("reram-gong2018", "ReRAM (Gong 2018)"),
        "reram-optimised": _on("reram-optimised", "ReRAM, optimised"),
        "reram-optimised-intact": _intact("reram-optimised", "ReRAM, optimised, all intact"),
        "reram-hfo2": _on("reram-hfo2", "ReRAM, HfO2"),
        "reram-hfo2-intact": _intact("reram-hfo2", "ReRAM, HfO2, all intact"),
        "reram-hfo2-pairs-7": _on("reram-hfo2", "ReRAM, HfO2, 7 pairs", devices_per_synapse=7),
        "neurram": _on("pcm", "NeuRRAM encoder, PCM decoders", overrides=_NEURRAM_ENCODER),
        "srtio3": _on("nb-srtio3", "Nb:SrTiO3 (scaled time)"),
        "half-threshold": _on("pcm", "PCM, threshold of half a pulse", pulse_threshold=0.5),
        "stochastic": _on("pcm", "PCM, stochastic pulses", learning="stochastic"),
        "sign": _on("pcm", "PCM, sign pulses", learning="sign"),
        "mpes": _on("nb-srtio3", "Nb:SrTiO3, sign pulses (mPES)", learning="sign"),
    }
)
"""All variants by name."""

STANDARD = (
    "pcm",
    "pcm-day-old",
    "pcm-day-between",
    "reram",
    "reram-hfo2",
    "pairs-4",
    "pairs-7",
    "stuck-5",
    "stuck-10",
)
"""What ``spikearm compare --devices`` goes through. PCM fresh has one pair per synapse, none of it stuck."""
