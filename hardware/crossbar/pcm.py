"""Phase-change memory: how a device is programmed, drifts, fluctuates and takes pulses.

Every formula is one pure function that takes numbers or arrays and can be called from compiled code.
Relative conductance ``x = g / g_max`` is valid in [0, 1].

References:
    Nandakumar et al. 2018, "A phase-change memory model for neuromorphic computing",
        J. Appl. Phys. 124, 152135.
    Joshi et al. 2020, "Accurate deep neural network inference using computational phase-change
        memory", Nat. Commun. 11, 2473.
    Nandakumar et al. 2020, "Mixed-precision deep learning based on computational memory",
        Front. Neurosci. 14:406.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikearm.compiled import kernel
from spikearm.hardware.crossbar.device import YEAR_S, Device
from spikearm.records import FloatArray

_FOR_EVER_S = 1e12

_SMALLEST_X = 1e-9
"""Keeps logarithms and powers finite; the clips of every formula make the value irrelevant."""


@kernel
def polynomial(x, c):  # type: ignore[no-untyped-def]
    """Value at ``x`` of ``c[0] + c[1] x + c[2] x^2 + ...``."""
    value = 0.0
    for k in range(len(c) - 1, -1, -1):
        value = value * x + c[k]
    return value


@kernel
def drift_exponent(x, xi):  # type: ignore[no-untyped-def]
    """Exponent of the power-law drift of one device.

    ``|mu(x) + s(x) xi|``, less for devices in a higher state, with scatter between devices
    (Joshi et al. 2020 and IBM's open analog-hardware toolkit).

    Args:
        x: Relative conductance at programming.
        xi: The device's own standard normal number.
    """
    ln_x = np.log(np.maximum(x, _SMALLEST_X))
    mean = np.minimum(np.maximum(-0.0155 * ln_x + 0.0244, 0.049), 0.1)
    scatter = np.minimum(np.maximum(-0.0125 * ln_x - 0.0059, 0.008), 0.045)
    return np.abs(mean + scatter * xi)


@kernel
def drift_factor(elapsed_s, exponent, t0_s):  # type: ignore[no-untyped-def]
    """Fraction of the programmed conductance left after ``elapsed_s`` [s]: ``((t + t0) / t0)^-nu``."""
    return ((elapsed_s + t0_s) / t0_s) ** (-exponent)


@kernel
def read_noise_level(x, level=0.0088, exponent=0.65, largest=0.2):  # type: ignore[no-untyped-def]
    """Relative noise per square root of e-fold of bandwidth, ``Q(x)`` (PCM: Joshi et al. 2020)."""
    return np.minimum(level / np.maximum(np.maximum(x, _SMALLEST_X) ** exponent, 1e-3), largest)


@kernel
def read_noise_variance(x, age_s, t_read_s):  # type: ignore[no-untyped-def]
    """Relative variance of 1/f noise accumulated since programming, ``Q^2 ln((t + t_r) / (2 t_r))``.

    Args:
        x: Relative conductance at programming.
        age_s: Time since programming, including the device's t0 [s].
        t_read_s: Duration of one read [s].
    """
    q = read_noise_level(x)
    return q * q * np.log((age_s + t_read_s) / (2.0 * t_read_s))


@kernel
def set_increment(x, x_scatter, xi, step, scatter, saturation):  # type: ignore[no-untyped-def]
    """Change of relative conductance by one SET pulse: ``step (1 - saturation x) (1 + scatter xi)``.

    With ``saturation = 1`` a device nears its maximum ever more slowly (Nandakumar et al. 2018). The scatter
    is that of the step at ``x_scatter``: the same place, or another one if it does not shrink with the step.
    """
    return step * ((1.0 - saturation * x) + scatter * xi * (1.0 - saturation * x_scatter))


@dataclass(frozen=True)
class PcmDevice(Device):
    """Phase-change memory, as IBM measured a million devices of mushroom type.

    Pulses upwards (SET) are fine but saturate; downwards there is only the abrupt RESET. The laws hold at
    room temperature; drift was followed for about a day and is extrapolated beyond, at most for a year.

    Steps scatter by 60 % from pulse to pulse and by 20 % from device to device, and the end of the range that
    equal pulses reach by 10 %: the figures of ``PCMPreset`` in IBM's analog-hardware toolkit, for the devices
    of Nandakumar et al. 2020. Write-verify, which chooses its pulses, is not bound by that end: its published
    scatter is that of all devices together.
    """

    technology: ClassVar[str] = "pcm"

    source: str = (
        "Joshi et al. 2020; Nandakumar et al. 2018, 2020: g_max 25 uS; one day, extrapolated to a year; "
        "differences between devices under pulses as in PCMPreset of IBM's analog-hardware toolkit"
    )
    programming_us: tuple[float, ...] = (0.26348, 1.9650, -1.1731)
    drift_scale: float = 1.0
    noise_scale: float = 1.0
    short_time_noise: float = 0.015
    set_step: float = 0.03
    set_scatter: float = 0.6
    device_scatter: float = 0.2
    bound_scatter: tuple[float, float] = (0.1, 0.0)
    valid_age_s: tuple[float, float] = (0.0, YEAR_S)

    @classmethod
    def ideal(cls, *, set_step: float = 1e-5) -> PcmDevice:
        """A device that reaches every target, never drifts or fluctuates, and takes equal small steps."""
        return cls(
            source="no device: for comparison",
            programming_scale=0.0,
            drift_scale=0.0,
            noise_scale=0.0,
            short_time_noise=0.0,
            set_step=set_step,
            set_scatter=0.0,
            device_scatter=0.0,
            bound_scatter=(0.0, 0.0),
            set_saturation=0.0,
            endurance_cycles=1e300,
            valid_age_s=(0.0, _FOR_EVER_S),
        )

    @classmethod
    def hermes(cls) -> PcmDevice:
        """Devices of the HERMES core in 14 nm, with their own scatter and reference time of drift."""
        return cls(
            source="HERMES core, Khaddam-Aljameh et al. 2021, as in IBM's analog-hardware toolkit: "
            "g_max 10.35 uS; response to single pulses as of the larger devices",
            g_max_siemens=10.35e-6,
            programming_us=(0.15781817, 2.32443916, -2.16310839, 0.68841818),
            drift_t0_s=200.0,
        )

    def reachable(self, target: FloatArray, bounds: FloatArray) -> FloatArray:
        """All of ``target`` [S]: the ends in ``bounds`` are of equal pulses."""
        return target
