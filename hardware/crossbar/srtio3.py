"""Nb-doped SrTiO3: a resistance that falls as a power of the number of pulses.

``R(n) = R0 + R1 n^(a + b V)`` with R0 = 200 ohm, R1 = 2.3e8 ohm, a = -0.093, b = -0.53; at 0.1 V the exponent
is c = -0.146. One pulse takes ``n = ((R - R0) / R1)^(1 / c)`` to ``n + 1``. The pulses of the laboratory take
seconds; in a control loop they stand in *scaled time*: the response is real, its speed is not.

The source gives no read noise, no scatter from pulse to pulse and no change with age, and none is modelled.
R0, a millionth of the resistance, is the same for all devices; the paper scatters it as well.

References:
    Tiotto, Goossens, Borst, Banerjee and Taatgen 2021, "Learning to approximate functions using Nb-doped
        SrTiO3 memristors", Front. Neurosci. 14:627276.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikearm.compiled import kernel
from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.device import POWER, Device
from spikearm.records import FloatArray

R0_OHM, R1_OHM, EXPONENT = 200.0, 2.3e8, -0.146
START_OHM = 1e8

_LAST_PULSE = 1e5
"""Where the range ends: twice as many pulses would change the resistance by a tenth."""

_SMALLEST_FACTOR = 0.1

_QUADRATURE = 40
"""Points in each dimension for means over devices."""

_SCATTER = 0.15
"""Relative, of each constant from device to device, and of the resistance at the start."""


def resistance_ohm(n: float, r0: float = R0_OHM, r1: float = R1_OHM, c: float = EXPONENT) -> float:
    """Resistance after ``n`` pulses [ohm]."""
    return float(r0 + r1 * n**c)


@kernel
def after_pulses(g, n_pulses, r0, r1, c):  # type: ignore[no-untyped-def]
    """Conductance after some more pulses [S]."""
    n = max(((max(1.0 / g - r0, 1e-3)) / r1) ** (1.0 / c), 1.0)
    return 1.0 / (r0 + r1 * (n + n_pulses) ** c)


_G_MIN, _G_MAX = 1.0 / resistance_ohm(1.0), 1.0 / resistance_ohm(_LAST_PULSE)
_START = (1.0 / START_OHM - _G_MIN) / (_G_MAX - _G_MIN)
_FIRST_STEP = float(after_pulses(1.0 / START_OHM, 1.0, R0_OHM, R1_OHM, EXPONENT)) - 1.0 / START_OHM


@dataclass(frozen=True)
class StrontiumTitanateDevice(Device):
    """Nb:SrTiO3 in scaled time; pulses in one direction, a weight is the difference of two devices.

    A RESET of the whole device, which the refresh of used-up pairs needs, is an assumption.

    Attributes:
        r0_ohm: Smallest resistance [ohm].
        r1_ohm: Resistance above it after the first pulse [ohm].
        exponent: Power of the number of pulses, at the read voltage.
    """

    technology: ClassVar[str] = "scaled time"
    response: ClassVar[int] = POWER

    source: str = (
        "Tiotto et al. 2021, scaled time: pulses of seconds are taken as instantaneous; 0.1 V; "
        "age is not modelled"
    )
    g_min_siemens: float = _G_MIN
    g_max_siemens: float = _G_MAX
    set_step: float = _FIRST_STEP / (_G_MAX - _G_MIN)
    programming_us: tuple[float, ...] = (0.0, 1e6 * _SCATTER * _G_MAX)
    device_scatter: float = _SCATTER
    learn_start: float = _START
    endurance_cycles: float = 1e6
    read_voltage_v: float = 0.1
    r0_ohm: float = R0_OHM
    r1_ohm: float = R1_OHM
    exponent: float = EXPONENT

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.r0_ohm > 0 and self.r1_ohm > 0 and self.exponent < 0 and math.isfinite(self.r1_ohm)):
            raise ConfigError(
                "r0_ohm and r1_ohm must be positive and exponent negative, not "
                f"{self.r0_ohm!r}, {self.r1_ohm!r}, {self.exponent!r}."
            )

    @property
    def mean_step(self) -> float:
        """Mean change of a weight by one pulse where learning begins, over devices, relative to the range.

        The exponent scatters between devices, so that few take most of it: the mean is several times the step
        of a nominal device. By quadrature over R1, exponent and resistance at the start.
        """
        xi, weight = np.polynomial.hermite_e.hermegauss(_QUADRATURE)
        factor = np.maximum(1.0 + self.device_scatter * xi, _SMALLEST_FACTOR)
        g = np.full(_QUADRATURE, self.g_min_siemens + self.learn_start * self.range_siemens)
        g = np.clip(g + self.scatter_siemens(g) * xi, self.g_min_siemens, self.g_max_siemens)
        r1, c = self.r1_ohm * factor[:, None], self.exponent * factor[:, None, None]
        n = np.maximum((np.maximum(1.0 / g - self.r0_ohm, 1e-3) / r1) ** (1.0 / c), 1.0)
        after = np.minimum(1.0 / (self.r0_ohm + r1 * (n + 1.0) ** c), self.g_max_siemens)
        steps = np.einsum("ijk,i,j,k->", after - g, *[weight / weight.sum()] * 3)
        return float(steps) / self.range_siemens

    def own_factors(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        """Factors on R1 and on the exponent of each device, shape (*shape, 2)."""
        factors: FloatArray = 1.0 + self.device_scatter * rng.standard_normal((*shape, 2))
        return np.maximum(factors, _SMALLEST_FACTOR)
