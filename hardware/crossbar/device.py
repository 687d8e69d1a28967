"""What a memristive device is to a crossbar: one frozen description, the same for every technology.

A device is given conductances between ``g_min`` and ``g_max``: these are targets. What is reached scatters to
either side of them, also beyond the outermost, within :attr:`Device.bounds_siemens`. Scatter of programming
and read noise depend on ``x = g / g_max``, as they were measured; the response to pulses depends on the place
within the range, ``u = (g - g_min) / (g_max - g_min)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from spikearm.errors import ConfigError
from spikearm.hardware.checks import (
    require_not_negative,
    require_numbers,
    require_positive,
    require_whole,
    require_within,
)
from spikearm.records import FloatArray

LINEAR, POWER = 0, 1
"""Forms of the response to a pulse, as compiled functions tell them apart."""

YEAR_S = 365 * 86_400.0
"""How far any law is extrapolated; none was measured for longer."""

UNAGED_S = 3600.0
"""How long devices without a law of ageing are taken to stay as they are [s].

Their sources measured answers to trains of pulses, which take minutes, and followed no device at rest: an
hour is the order of such a measurement, and no retention is known from it.
"""

_MOST_COEFFICIENTS = 5

_PLAUSIBLE_SIEMENS = (1e-15, 0.01)
"""Range of the largest conductance of a device: 100 ohm to a petaohm, farther than any is known."""

_ROUNDING = 1e-9
"""Relative error of a sum of time steps."""

_FARTHEST = 6.0
"""Deviations that no device strays beyond: one in 10^9 would."""

_NARROWEST = 0.05
"""Smallest distance of a single device's end from where learning starts, relative to the mean one."""


@dataclass(frozen=True)
class Device:
    """Parameters of one kind of device; the base class is one that is not known to do anything by itself.

    Attributes:
        source: Where the figures are from, and what they are valid for.
        g_min_siemens: Smallest conductance that is aimed at [S].
        g_max_siemens: Largest conductance that is aimed at [S].
        programming_us: Coefficients of the scatter after write-verify, a polynomial in g / g_max [uS].
        programming_scale: Factor on the programming scatter; 0 programs exactly.
        relaxed_us: Scatter at later ages [s], by the same polynomial: devices that relax stray farther with
            the logarithm of time.
        drift_scale: Factor on PCM's drift exponent (:func:`~.pcm.drift_exponent`); 0 never drifts.
        drift_t0_s: Time from programming to the reference read of the drift law [s].
        noise_scale: Factor on the standard deviation of all read noise; 0 reads exactly.
        noise_q: Level, exponent and largest value of the law of 1/f noise (:func:`~.pcm.read_noise_level`).
        short_time_noise: Relative deviation of the white part of the noise, at least: components of 1/f noise
            that are too fast to be held between two visits (:func:`.flicker.n_fast`) come on top, so that two
            reads in quick succession differ by more.
        additive_noise: Deviation of every read, whatever the state, relative to g_max.
        noise_t_read_s: Read duration in the noise law [s], that of the measurement it was fitted to.
        read_voltage_v: Voltage on a row that is driven fully [V]; for the energy.
        read_time_s: Duration of a read [s]; for energy and latency. Noise goes with the logarithm of its
            duration: reads of 100 ns, not 250 ns, would have 3 % more of it than the law says here.
        set_step: Mean change by a pulse upwards at g_min, relative to the range; 0 for devices whose
            response to single pulses is not known, which cannot learn.
        reset_step: Mean change by a pulse downwards at g_max, relative to the range; 0 for devices that
            can only be reset as a whole.
        set_scatter: Scatter of a step from pulse to pulse, relative to the step ...
        additive_scatter: ... or, if True, to the device's own step at ``learn_start``, whatever its state:
            steps that shrink towards the end of the range scatter no less there.
        set_saturation: 1: steps shrink towards the end of the range; 0: equal steps.
        device_scatter: Scatter of the mean step from device to device, relative; steps up and down of a
            device are larger or smaller together.
        device_log_normal: Whether that is the deviation of its logarithm, as in the arrays of Gong, Rasch et
            al. 2022; a normal distribution otherwise.
        asymmetry_scatter: Scatter from device to device of what its steps up are larger, and its steps down
            smaller, by.
        bound_scatter: Scatter from device to device of the upper and of the lower end of the range that
            pulses can reach: relative deviation of their distances from ``learn_start``.
        write_pulses: Pulses of one write-verify, where its source tells; 0 to reckon with ``set_step``.
        learn_start: Place in the range of both devices of a weight of zero, before learning. There the steps
            are the mean ones whatever the ends of a device.
        corrupt: Share of devices that are stuck from the start ...
        corrupt_at: ... at this place in the range.
        endurance_cycles: Pulses that a device survives; then it sticks where it is.
        valid_age_s: Shortest and longest time since programming that the figures describe [s]. Without a law
            of ageing that is :data:`UNAGED_S`.
    """

    technology: ClassVar[str] = "unknown"
    """Which cost figures apply; see :mod:`.cost`."""

    response: ClassVar[int] = LINEAR

    source: str = ""
    g_min_siemens: float = 0.0
    g_max_siemens: float = 25e-6
    programming_us: tuple[float, ...] = (0.0,)
    programming_scale: float = 1.0
    relaxed_us: tuple[tuple[float, tuple[float, ...]], ...] = ()
    drift_scale: float = 0.0
    drift_t0_s: float = 20.0
    noise_scale: float = 0.0
    noise_q: tuple[float, float, float] = (0.0088, 0.65, 0.2)
    short_time_noise: float = 0.0
    additive_noise: float = 0.0
    noise_t_read_s: float = 250e-9
    read_voltage_v: float = 0.2
    read_time_s: float = 100e-9
    set_step: float = 0.0
    reset_step: float = 0.0
    set_scatter: float = 0.0
    set_saturation: float = 1.0
    additive_scatter: bool = False
    device_scatter: float = 0.0
    device_log_normal: bool = False
    asymmetry_scatter: float = 0.0
    bound_scatter: tuple[float, float] = (0.0, 0.0)
    write_pulses: int = 0
    learn_start: float = 0.0
    corrupt: float = 0.0
    corrupt_at: float = 0.5
    endurance_cycles: float = 1e9
    valid_age_s: tuple[float, float] = (0.0, UNAGED_S)

    def __post_init__(self) -> None:
        for name in (
            "g_max_siemens",
            "drift_t0_s",
            "noise_t_read_s",
            "read_voltage_v",
            "read_time_s",
            "endurance_cycles",
        ):
            require_positive(name, getattr(self, name))
        for name in (
            "g_min_siemens",
            "programming_scale",
            "drift_scale",
            "noise_scale",
            "short_time_noise",
            "additive_noise",
            "set_step",
            "reset_step",
            "set_scatter",
            "device_scatter",
            "asymmetry_scatter",
        ):
            require_not_negative(name, getattr(self, name))
        require_whole("write_pulses", self.write_pulses, 0, 10**9)
        for name in ("set_step", "reset_step"):
            if not getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} is relative to the device's range and at most 1, not {getattr(self, name)!r}."
                )
        for name in ("set_saturation", "learn_start", "corrupt", "corrupt_at"):
            require_within(name, getattr(self, name), 0, 1)
        low, high = _PLAUSIBLE_SIEMENS
        if not low <= self.g_max_siemens <= high:
            raise ConfigError(
                f"g_max_siemens is in siemens (25e-6 for 25 uS), from {low:g} to {high:g}, "
                f"not {self.g_max_siemens!r}."
            )
        if not self.g_min_siemens < self.g_max_siemens:
            raise ConfigError(
                f"g_min_siemens must be smaller than g_max_siemens, not {self.g_min_siemens!r} and "
                f"{self.g_max_siemens!r}."
            )
        self._check_laws()
        self._check_scatter()

    @property
    def changes_by_itself(self) -> bool:
        """Whether a device left alone conducts differently as time goes by; white noise aside."""
        return self.drift_scale > 0 or (self.noise_scale > 0 and self.noise_q[0] > 0)

    @property
    def bounds_siemens(self) -> tuple[float, float]:
        """Smallest and largest conductance that any device ever has [S]; drift has no end above 0."""
        ends = np.array([self.g_min_siemens, self.g_max_siemens])
        astray = _FARTHEST * self.scatter_siemens(ends, self.valid_age_s[1])
        above, below = _FARTHEST * self.range_siemens * np.array(self.bound_scatter) * self._to_ends
        # A device is written within the range or pulsed to its own end, not written beyond its own end.
        smallest = 0.0 if self.drift_scale > 0 else max(0.0, float(ends[0] - max(astray[0], below)))
        return smallest, float(ends[1] + max(astray[1], above))

    @property
    def learns(self) -> bool:
        """Whether the response to single pulses is known."""
        return self.set_step > 0

    @property
    def bidirectional(self) -> bool:
        """Whether pulses can lower the conductance gradually: such pairs need no refresh."""
        return self.reset_step > 0

    @property
    def equal_steps(self) -> bool:
        """Whether every pulse does the same, so that many of them can be added up at once."""
        scatters = (self.set_scatter, self.device_scatter, self.asymmetry_scatter, *self.bound_scatter)
        return not (self.set_saturation or any(scatters))

    @property
    def range_siemens(self) -> float:
        """Largest change of conductance [S]."""
        return self.g_max_siemens - self.g_min_siemens

    @property
    def mean_step(self) -> float:
        """Mean change of a weight by one pulse where learning begins, relative to the range."""
        if not self.bidirectional:
            return self.set_step
        u, s = self.learn_start, self.set_saturation
        return 0.5 * (self.set_step * (1.0 - s * u) + self.reset_step * (1.0 - s * (1.0 - u)))

    def without_noise(self) -> Self:
        """The same device read without noise; programming, drift and pulses stay as they are."""
        return replace(self, noise_scale=0.0)

    def require_age(self, age_s: float) -> None:
        """Refuse an age the figures say nothing about.

        Raises:
            ConfigError: The time since programming [s] lies outside ``valid_age_s``.
        """
        low, high = self.valid_age_s
        if not low <= age_s <= high * (1 + _ROUNDING):
            raise ConfigError(
                f"the device is described from {low:g} s to {high:g} s after programming, not at {age_s:g} s "
                f"({self.source or 'no source given'}); choose a time within, or another device."
            )

    def own_factors(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        """What sets single devices apart: factors on the step up and the step down, shape (*shape, 2)."""
        if not (self.device_scatter or self.asymmetry_scatter):
            return np.ones((*shape, 2))
        s = self.device_scatter
        xi = rng.standard_normal((*shape, 2))
        # Log-normal of mean 1.
        both = np.exp(s * xi[..., :1] - 0.5 * s * s) if self.device_log_normal else 1.0 + s * xi[..., :1]
        # No device steps backwards.
        factors: FloatArray = np.abs(both + self.asymmetry_scatter * xi[..., 1:] * [1.0, -1.0])
        return factors

    def own_bounds(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        """Places in the range at which single devices end, above and below, shape (*shape, 2)."""
        places = np.tile([1.0, 0.0], (*shape, 1))
        if any(self.bound_scatter):
            xi = rng.standard_normal((*shape, 2))
            reach = np.maximum(np.abs(1.0 + np.array(self.bound_scatter) * xi), _NARROWEST) * self._to_ends
            low, high = (np.array(self.bounds_siemens) - self.g_min_siemens) / self.range_siemens
            places = np.clip(self.learn_start + reach * [1.0, -1.0], low, high)
        return places

    @property
    def _to_ends(self) -> FloatArray:
        """How far the upper and the lower end of the range are from ``learn_start``."""
        return np.array([1.0 - self.learn_start, self.learn_start])

    def reachable(self, target: FloatArray, bounds: FloatArray) -> FloatArray:
        """What devices with these :meth:`own_bounds` are written to, as near to ``target`` as can be [S]."""
        high, low = self.g_min_siemens + self.range_siemens * np.moveaxis(bounds, -1, 0)
        return np.clip(target, low, high) if any(self.bound_scatter) else target

    def scatter_siemens(self, g: FloatArray, age_s: float = 0.0) -> FloatArray:
        """Deviation from the target ``g`` [S] of what write-verify has reached, any shape.

        Between the ages for which it is known the variance grows with the logarithm of time.

        Args:
            g: Target [S].
            age_s: Time since programming [s].
        """
        x, known = g / self.g_max_siemens, [(self.valid_age_s[0], self.programming_us), *self.relaxed_us]
        sigmas_us = np.array([np.polynomial.polynomial.polyval(x, us) for _, us in known])
        if len(known) == 1:
            return np.asarray(1e-6 * self.programming_scale * sigmas_us[0], dtype=np.float64)
        log_ages = np.log([age for age, _ in known])
        place = np.interp(np.log(max(age_s, known[0][0])), log_ages, np.arange(len(known)))
        before, after = int(place), min(int(place) + 1, len(known) - 1)
        variance = sigmas_us[before] ** 2 + (place - before) * (
            sigmas_us[after] ** 2 - sigmas_us[before] ** 2
        )
        return np.asarray(1e-6 * self.programming_scale * np.sqrt(variance), dtype=np.float64)

    @property
    def rest_siemens(self) -> float:
        """What a device written to ``g_min`` conducts beyond it in the mean [S].

        Its scatter ``s xi`` is cut at the lower bound: with the bound at ``a s``, the mean of
        ``max(a, xi)`` is ``phi(a) + a Phi(a)``.
        """
        sigma = float(self.scatter_siemens(np.array(self.g_min_siemens)))
        if sigma == 0.0:
            return 0.0
        a = (self.bounds_siemens[0] - self.g_min_siemens) / sigma
        density = math.exp(-0.5 * a * a) / math.sqrt(2.0 * math.pi)
        return sigma * (density + 0.5 * a * math.erfc(-a / math.sqrt(2.0)))

    def relax(self, g: FloatArray, age_s: tuple[float, float], rng: np.random.Generator) -> FloatArray:
        """Conductances after devices have relaxed from one age to another [S].

        Args:
            g: Conductances at the first age [S], any shape.
            age_s: The two ages [s].
            rng: Source of randomness.
        """
        if not self.relaxed_us:
            return g
        target = np.clip(g, self.g_min_siemens, self.g_max_siemens)
        grown = self.scatter_siemens(target, age_s[1]) ** 2 - self.scatter_siemens(target, age_s[0]) ** 2
        strayed = g + np.sqrt(np.maximum(grown, 0.0)) * rng.standard_normal(g.shape)
        return np.clip(strayed, *self.bounds_siemens)

    def program(self, target: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Conductance reached by write-verify [S]: ``g + sigma(g) xi``, within :attr:`bounds_siemens`.

        Args:
            target: Wanted conductance [S], any shape, within the device's range.
            rng: Source of randomness.

        Raises:
            ConfigError: A target lies outside the device's range.
        """
        low, high = float(target.min(initial=np.inf)), float(target.max(initial=-np.inf))
        slack = 1e-9 * self.g_max_siemens
        if low < self.g_min_siemens - slack or high > self.g_max_siemens + slack:
            raise ConfigError(
                f"conductances from {low:g} to {high:g} S cannot be programmed; the device has "
                f"{self.g_min_siemens:g} to {self.g_max_siemens:g} S."
            )
        reached = target + self.scatter_siemens(target) * rng.standard_normal(target.shape)
        return np.clip(reached, *self.bounds_siemens)

    def _check_laws(self) -> None:
        """Read noise must be a deviation, and there must be an age at which the device is described."""
        require_numbers("valid_age_s", self.valid_age_s, 2, 2)
        require_numbers("noise_q", self.noise_q, 3, 3)
        low, high = self.valid_age_s
        if not 0 <= low <= high < math.inf:
            raise ConfigError(
                f"valid_age_s must be two ages, 0 <= shortest <= longest, not {self.valid_age_s!r}."
            )
        if not all(value >= 0 for value in self.noise_q):
            raise ConfigError(f"noise_q must be three numbers, 0 or positive, not {self.noise_q!r}.")

    def _check_scatter(self) -> None:
        """The polynomial must be one that compiled code can hold, and a deviation over the whole range."""
        require_numbers("bound_scatter", self.bound_scatter, 2, 2)
        for share in self.bound_scatter:
            require_within("bound_scatter", share, 0, 1)
        require_numbers("programming_us", self.programming_us, 1, _MOST_COEFFICIENTS)
        _require_relaxed(self.relaxed_us)
        ages = [self.valid_age_s[0], *(age for age, _ in self.relaxed_us)]
        if self.relaxed_us and not (np.diff([0.0, *ages]) > 0).all():
            raise ConfigError(
                f"relaxed_us needs ages that rise from valid_age_s[0], which is not 0; they are {ages!r}."
            )
        g = np.linspace(self.g_min_siemens, self.g_max_siemens, 101)
        if not all((self.scatter_siemens(g, age) >= 0).all() for age in ages):
            raise ConfigError(
                f"programming_us = {self.programming_us!r} gives a negative or infinite scatter between "
                f"g_min and g_max; a fit holds for the range it was made for only."
            )


def _require_relaxed(relaxed_us: Any) -> None:
    if not isinstance(relaxed_us, tuple) or not all(isinstance(r, tuple) and len(r) == 2 for r in relaxed_us):
        raise ConfigError(f"relaxed_us must be pairs of an age and a polynomial, not {relaxed_us!r}.")
    for age, polynomial in relaxed_us:
        require_positive("an age of relaxed_us", age)
        require_numbers("a polynomial of relaxed_us", polynomial, 1, _MOST_COEFFICIENTS)
