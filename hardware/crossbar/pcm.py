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

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from spikearm.errors import ConfigError
from spikearm.records import FloatArray

_SMALLEST_X = 1e-9
"""Keeps logarithms and powers finite; the clips of every formula make the value irrelevant."""


@njit(cache=True)
def programming_sigma_us(x, c0, c1, c2):  # type: ignore[no-untyped-def]
    """Scatter of the conductance reached by write-verify [uS], at relative target ``x``.

    ``c0 + c1 x + c2 x^2`` (Joshi et al. 2020; fitted for g_max = 25 uS, 0 <= x <= 1).
    """
    return c0 + c1 * x + c2 * x * x


@njit(cache=True)
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


@njit(cache=True)
def drift_factor(elapsed_s, exponent, t0_s):  # type: ignore[no-untyped-def]
    """Fraction of the programmed conductance left after ``elapsed_s`` [s]: ``((t + t0) / t0)^-nu``."""
    return ((elapsed_s + t0_s) / t0_s) ** (-exponent)


@njit(cache=True)
def read_noise_level(x):  # type: ignore[no-untyped-def]
    """Relative noise per square root of e-fold of bandwidth, ``Q(x)`` (Joshi et al. 2020)."""
    return np.minimum(0.0088 / np.maximum(np.maximum(x, _SMALLEST_X) ** 0.65, 1e-3), 0.2)


@njit(cache=True)
def read_noise_variance(x, age_s, t_read_s):  # type: ignore[no-untyped-def]
    """Relative variance of 1/f noise accumulated since programming, ``Q^2 ln((t + t_r) / (2 t_r))``.

    Args:
        x: Relative conductance at programming.
        age_s: Time since programming, including the device's t0 [s].
        t_read_s: Duration of one read [s].
    """
    q = read_noise_level(x)
    return q * q * np.log((age_s + t_read_s) / (2.0 * t_read_s))


@njit(cache=True)
def set_increment(x, xi, step, scatter, saturation):  # type: ignore[no-untyped-def]
    """Change of relative conductance by one SET pulse: ``step (1 - saturation x) (1 + scatter xi)``.

    With ``saturation = 1`` a device nears its maximum ever more slowly (Nandakumar et al. 2018).
    """
    return step * (1.0 - saturation * x) * (1.0 + scatter * xi)


@dataclass(frozen=True)
class PcmDevice:
    """Parameters of one kind of phase-change device.

    Attributes:
        g_max_siemens: Largest conductance [S].
        programming_us: Coefficients of :func:`programming_sigma_us` [uS].
        programming_scale: Factor on the programming scatter; 0 programs exactly.
        drift_scale: Factor on the drift exponent; 0 never drifts.
        drift_t0_s: Time from programming to the reference read of the drift law [s].
        noise_scale: Factor on the standard deviation of all read noise; 0 reads exactly.
        short_time_noise: Relative deviation between two reads in quick succession, 1 - 1.75 %.
        noise_t_read_s: Read duration in the noise law [s].
        set_step: Mean first SET step, relative to g_max.
        set_scatter: Relative scatter of a SET step from pulse to pulse.
        set_saturation: 1: steps shrink towards g_max (as measured); 0: equal steps (an ideal device).
        endurance_cycles: SET pulses and RESETs together that a device survives (Mehonic et al. 2020: 1e9).
    """

    g_max_siemens: float = 25e-6
    programming_us: tuple[float, float, float] = (0.26348, 1.9650, -1.1731)
    programming_scale: float = 1.0
    drift_scale: float = 1.0
    drift_t0_s: float = 20.0
    noise_scale: float = 1.0
    short_time_noise: float = 0.015
    noise_t_read_s: float = 250e-9
    set_step: float = 0.03
    set_scatter: float = 0.6
    set_saturation: float = 1.0
    endurance_cycles: float = 1e9

    def __post_init__(self) -> None:
        for name in ("g_max_siemens", "drift_t0_s", "noise_t_read_s", "set_step", "endurance_cycles"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be positive, not {value!r}.")
        scales = ("programming_scale", "drift_scale", "noise_scale", "short_time_noise", "set_scatter")
        for name in scales:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be 0 or positive, not {value!r}.")
        if not self.set_step <= 1:
            raise ConfigError(f"set_step is relative to g_max and at most 1, not {self.set_step!r}.")
        if not 0 <= self.set_saturation <= 1:
            raise ConfigError(f"set_saturation must lie in [0, 1], not {self.set_saturation!r}.")

    @classmethod
    def ideal(cls, *, set_step: float = 1e-5) -> PcmDevice:
        """A device that reaches every target, never drifts or fluctuates, and takes equal small steps."""
        return cls(
            programming_scale=0.0,
            drift_scale=0.0,
            noise_scale=0.0,
            short_time_noise=0.0,
            set_step=set_step,
            set_scatter=0.0,
            set_saturation=0.0,
        )

    def without_noise(self) -> PcmDevice:
        """The same device read without noise; programming, drift and pulses stay as they are."""
        return replace(self, noise_scale=0.0)

    @property
    def changes_by_itself(self) -> bool:
        """Whether a device left alone still reads differently as time goes by."""
        return self.drift_scale > 0 or self.noise_scale > 0

    def program(self, target: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Conductance reached by write-verify [S]: ``clip(g + sigma(g) xi, 0, g_max)``.

        Args:
            target: Wanted conductance [S], any shape, within 0 and ``g_max_siemens``.
            rng: Source of randomness.
        """
        c0, c1, c2 = self.programming_us
        sigma_us: FloatArray = programming_sigma_us(target / self.g_max_siemens, c0, c1, c2)
        scatter = 1e-6 * self.programming_scale * sigma_us * rng.standard_normal(target.shape)
        return np.clip(target + scatter, 0.0, self.g_max_siemens)
