"""What a crossbar substrate is made of: one frozen, validated description."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.pcm import PcmDevice

MAX_TILE = 2048
"""No reliable array is known above 2048 x 2048 (Mehonic et al. 2020)."""


@dataclass(frozen=True)
class CrossbarConfig:
    """Devices, tiles, converters and learning circuits.

    Attributes:
        device: The memristive device of every cell; a weight is the difference of two.
        tile_rows: Rows (inputs) of one tile.
        tile_cols: Columns (outputs, each a pair of bit lines) of one tile.
        adc_bits: Resolution of the converters, or None for converters without rounding.
        adcs_per_tile: Converters of a tile, shared by its columns.
        adc_margin: ADC range at the start, relative to the largest current of the calibration samples.
        dac_bits: Resolution of inputs that are not spikes, sign included, or None for no rounding.
        digital: Labels of connections and ensembles whose weights stay digital; ``*`` matches any text.
        learned_output_range: Largest value a learned connection should decode, in its own units; sets
            the range of its weights unless ``learned_weight_range`` does.
        learned_headroom: Factor on the automatic range of learned weights.
        learned_weight_range: Weight of a pair at full conductance in learned matrices, or None for the
            automatic range (see :func:`~spikearm.hardware.crossbar.ranges.learned_range`).
        pulse_threshold: Part of a mean SET step that an accumulated change must pass to get a pulse, in
            [0.5, 1] (see :func:`~spikearm.hardware.crossbar.pulses.due_pulses`).
        max_pulses_per_step: SET pulses one pair gets at most in one time step; what is left waits.
        refresh_rows_per_step: Rows of a learned matrix checked for saturated pairs per time step.
        refresh_upper: A pair is refreshed when its larger device has passed this fraction of g_max ...
        refresh_lower: ... and its smaller device this one.
        ageing_steps: Time steps in which every device's drift and slow noise is brought up to date once.
        programmed_s: Time between programming and the start of a run [s].
        drift_compensation_s: Period of the reference read that rescales static matrices [s]; 0 for none.
    """

    device: PcmDevice = field(default_factory=PcmDevice)
    tile_rows: int = 256
    tile_cols: int = 256
    adc_bits: int | None = 8
    adcs_per_tile: int = 16
    adc_margin: float = 1.25
    dac_bits: int | None = 8
    digital: tuple[str, ...] = ()
    learned_output_range: float = 1.0
    learned_headroom: float = 2.0
    learned_weight_range: float | None = None
    pulse_threshold: float = 0.6
    max_pulses_per_step: int = 8
    refresh_rows_per_step: int = 1
    refresh_upper: float = 0.75
    refresh_lower: float = 0.25
    ageing_steps: int = 256
    programmed_s: float = 25.0
    drift_compensation_s: float = 10.0

    def __post_init__(self) -> None:
        _whole("tile_rows", self.tile_rows, 1, MAX_TILE)
        _whole("tile_cols", self.tile_cols, 1, MAX_TILE)
        _whole("adcs_per_tile", self.adcs_per_tile, 1, self.tile_cols)
        _whole("max_pulses_per_step", self.max_pulses_per_step, 1, 10**9)
        _whole("refresh_rows_per_step", self.refresh_rows_per_step, 0, MAX_TILE)
        _whole("ageing_steps", self.ageing_steps, 1, 100_000)
        for name in ("adc_bits", "dac_bits"):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name), 2, 16)
        for name in ("adc_margin", "learned_output_range", "learned_headroom"):
            _positive(name, getattr(self, name))
        if self.learned_weight_range is not None:
            _positive("learned_weight_range", self.learned_weight_range)
        for name in ("programmed_s", "drift_compensation_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be 0 or a positive number of seconds, not {value!r}.")
        if not 0.5 <= self.pulse_threshold <= 1:
            raise ConfigError(f"pulse_threshold must lie in [0.5, 1], not {self.pulse_threshold!r}.")
        if not 0 < self.refresh_lower < self.refresh_upper < 1:
            raise ConfigError(
                f"refresh thresholds must be 0 < refresh_lower < refresh_upper < 1, "
                f"not {self.refresh_lower!r} and {self.refresh_upper!r}; published values are 0.25 and 0.75."
            )

    @classmethod
    def ideal(cls, *, set_step: float = 1e-5) -> CrossbarConfig:
        """No noise, no drift, no rounding: computes what ``nengo.Simulator`` does.

        Args:
            set_step: Granularity of learning, relative to the weight range.
        """
        return cls(
            device=PcmDevice.ideal(set_step=set_step), adc_bits=None, dac_bits=None, max_pulses_per_step=10**9
        )

    def is_digital(self, label: str | None) -> bool:
        """Whether the weights of an object with this label stay digital."""
        return label is not None and any(fnmatchcase(label, pattern) for pattern in self.digital)


def _whole(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {value!r}.")


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} must be a positive number, not {value!r}.")
