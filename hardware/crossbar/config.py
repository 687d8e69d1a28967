"""What a crossbar substrate is made of: one frozen, validated description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.checks import (
    is_number,
    require_not_negative,
    require_positive,
    require_whole,
    require_within,
)
from spikearm.hardware.crossbar.cost import cost_of
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.devices import make_device
from spikearm.hardware.crossbar.pcm import PcmDevice

MAX_TILE = 2048
"""Rows, and bit lines, of a tile: no reliable array is known above 2048 x 2048 (Mehonic et al. 2020)."""

MAX_TILE_COLS = MAX_TILE // 2
"""Columns of a tile are differential pairs, of two bit lines each."""

MAX_PULSES = 1000
"""Pulses of one device that follow one another in a step: at 1 us each they fill a control tick."""

MAX_WIRE_OHM = 20.0
"""Largest resistance per cell that the ladders of :mod:`.ir_drop` were compared with Kirchhoff's law for."""


_IDEAL_RANGE, _IDEAL_STEP = 1e6, 1e-9
"""Largest learned weight and smallest change of one, in the weight's own units, with ideal devices."""

SCHEMES = ("mixed-precision", "stochastic", "sign")
COMPENSATIONS = ("global", "column")

_WHOLE_SUBSTRATE = ("digital", "overrides", "figures", "ageing_steps", "drift_compensation_s", "fault_seed")
"""Settings that cannot differ between connections."""


@dataclass(frozen=True)
class CrossbarConfig:
    """Devices, tiles, converters and learning circuits.

    Attributes:
        device: The memristive device of every cell, or its name in :data:`~.devices.DEVICES`.
        devices_per_synapse: Pairs of devices that share each weight; a weight is the sum of their
            differences. Learning pulses go round them (Boybat et al. 2018).
        tile_rows: Rows (inputs) of one tile.
        tile_cols: Columns of one tile, each a differential pair and so two bit lines; at most 1024, which
            are 2048 bit lines. A weight takes ``devices_per_synapse`` of them, side by side.
        adc_bits: Resolution of the converters, or None for converters without rounding.
        adcs_per_tile: Converters of a tile, shared by its columns.
        adc_margin: ADC range at the start, relative to the largest current of the calibration samples.
        row_wire_ohm: Resistance of a row's wire from one bit line to the next [ohm]; 0 for perfect wires.
            0.15 to 0.35 in arrays built for inference, 1.6 in 22 nm 1T1R.
        column_wire_ohm: The same of a bit line from one row to the next; 4.7 in 22 nm 1T1R.
        rows_gated: Whether a spike connects its row (1T1R), so that silent rows draw no current. Otherwise
            silent rows lie at 0 V and load the columns. Rows of analog inputs are always connected.
        exact_wires: Whether Kirchhoff's law is solved once for every tile of a static matrix whose rows are
            always connected, to correct what ladders leave out where rows and columns both lose much. Where
            spikes connect their rows it has no effect, which a warning says. It
            takes a second for 64 x 64 pairs, minutes for 256 x 256.
        dac_bits: Resolution of inputs that are not spikes, sign included, or None for no rounding. Their
            range is the power of two above what an ensemble is to represent, or above the first input of
            other matrices; it grows where an input exceeds it, and a warning names one that
            left the others few of its levels.
        digital: Labels of connections and ensembles whose weights stay digital; ``*`` matches any text, that
            of objects without a label included. A label without ``*`` that the network does not have is
            refused when it is built; one with ``*`` may match nothing, so that networks can share settings.
        learned_output_range: Largest value a learned connection should decode, in its own units; sets
            the range of its weights unless ``learned_weight_range`` does.
        learned_headroom: Factor on the automatic range of learned weights.
        learned_weight_range: Weight of a pair at full conductance in learned matrices, or None for the
            automatic range (see :func:`~spikearm.hardware.crossbar.ranges.learned_range`).
        learning: How weight changes become pulses: "mixed-precision", "stochastic" or "sign" (see
            :mod:`~spikearm.hardware.crossbar.due`).
        pulse_threshold: In mixed precision, part of a mean step that an accumulated change must pass to
            get a pulse, in [0.5, 1] (see :func:`~spikearm.hardware.crossbar.due.due_pulses`).
        max_pulses_per_step: Pulses one weight gets at most in one time step; in mixed precision, as many
            again wait at most. Ideal devices are not limited.
        activity_limit: Activity up to which PES learns at its own rate, relative to the largest that the
            learning neurons show as they are described, for what they are to represent; beyond, the rate
            falls as activity rises (:mod:`~spikearm.hardware.crossbar.activity`). None for no limit. Sign
            pulses and other rules know none.
        half_select_disturb: Passive arrays: part of a mean pulse that all other devices in the row and on
            the bit line of a pulsed device take. 0 (rows with transistors) by default; there is no agreed
            figure.
        refresh_rows_per_step: Rows of a learned matrix checked for saturated pairs per time step.
        refresh_upper: A pair is refreshed when its larger device has passed this fraction of g_max ...
        refresh_lower: ... and its smaller device this one.
        ageing_steps: Time steps in which every device's drift and slow noise is brought up to date once.
        program_rounds: Rounds of program-and-verify of matrices that do not learn. The first leaves the
            device's published scatter; each further one reads all devices and writes those again that
            miss their target by more than ``program_tolerance``.
        program_tolerance: That error, relative to the range of the device.
        correct_rest: Whether targets of static weights make up for what devices that should not conduct
            conduct in the mean after programming (:attr:`~.device.Device.rest_siemens`); otherwise that takes
            the same from every weight, small or large.
        stuck_at_min: Part of all devices that are stuck at their smallest conductance.
        stuck_at_max: Part of all devices that are stuck at their largest conductance.
        fault_seed: Draws which ones, independently of all else; None leaves it to the simulator's seed.
        write_around_faults: Whether the other devices of a static weight are written to make up for what its
            stuck ones conduct (:func:`~spikearm.hardware.crossbar.write_verify.rewrite_around`). The reads of
            program-and-verify find those.
        fault_map: .npz file of single faults; see :mod:`~spikearm.hardware.crossbar.faults`.
        programmed_s: Time between programming and the start of a run [s].
        drift_compensation_s: Period of the reference read that rescales static matrices [s]; 0 for none.
        drift_compensation: Whether it gives one factor per matrix ("global") or per column ("column").
        figures: Amounts of the cost model to replace, in joules or seconds per operation, by the count that
            they multiply, such as ``{"set_pulses": 5e-12}``.
        overrides: Other settings for single connections and ensembles: settings by name, by label, with
            ``*`` as in ``digital``. Where several labels match, later ones win.
    """

    device: Device = field(default_factory=PcmDevice)
    devices_per_synapse: int = 1
    tile_rows: int = 256
    tile_cols: int = 256
    adc_bits: int | None = 8
    adcs_per_tile: int = 16
    adc_margin: float = 1.25
    row_wire_ohm: float = 0.35
    column_wire_ohm: float = 0.35
    rows_gated: bool = True
    exact_wires: bool = False
    dac_bits: int | None = 8
    digital: tuple[str, ...] = ()
    learned_output_range: float = 1.0
    learned_headroom: float = 1.0
    learned_weight_range: float | None = None
    learning: Literal["mixed-precision", "stochastic", "sign"] = "mixed-precision"
    pulse_threshold: float = 0.6
    max_pulses_per_step: int = 8
    activity_limit: float | None = 1.25
    half_select_disturb: float = 0.0
    refresh_rows_per_step: int = 1
    refresh_upper: float = 0.75
    refresh_lower: float = 0.25
    ageing_steps: int = 256
    program_rounds: int = 1
    program_tolerance: float = 0.02
    correct_rest: bool = False
    stuck_at_min: float = 0.0
    stuck_at_max: float = 0.0
    fault_seed: int | None = None
    fault_map: str | None = None
    write_around_faults: bool = True
    programmed_s: float = 25.0
    drift_compensation_s: float = 10.0
    drift_compensation: Literal["global", "column"] = "global"
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if isinstance(self.device, str):
            object.__setattr__(self, "device", make_device(self.device))
        if not isinstance(self.device, Device):
            raise ConfigError(f"device must be a Device or the name of one, not {self.device!r}.")
        _labels(self.digital)
        if not isinstance(self.overrides, Mapping):
            raise ConfigError(f"overrides must be settings by name, by label, not {self.overrides!r}.")
        if not (self.fault_map is None or isinstance(self.fault_map, str)):
            raise ConfigError(f"fault_map must be the path of an .npz file or None, not {self.fault_map!r}.")
        _member("learning scheme", self.learning, SCHEMES)
        _member("drift compensation", self.drift_compensation, COMPENSATIONS)
        if not isinstance(self.figures, Mapping):
            raise ConfigError(f"figures must be amounts by count, not {self.figures!r}.")
        cost_of(self.device, self.learning, self.figures)
        self._check_numbers()
        self._check_wires()
        self._check_shares()
        self.device.require_age(self.programmed_s)
        if self.half_select_disturb and self.rows_gated:
            raise ConfigError(
                "half-selected devices exist in passive arrays only; set rows_gated to false, "
                "or half_select_disturb to 0."
            )
        for label, changes in self.overrides.items():
            self._overridden(label, changes)

    def _check_numbers(self) -> None:
        require_whole("tile_rows", self.tile_rows, 1, MAX_TILE)
        require_whole("tile_cols", self.tile_cols, 1, MAX_TILE_COLS)
        require_whole("devices_per_synapse", self.devices_per_synapse, 1, min(64, self.tile_cols))
        require_whole("adcs_per_tile", self.adcs_per_tile, 1, self.tile_cols)
        require_whole("max_pulses_per_step", self.max_pulses_per_step, 1, MAX_PULSES)
        require_whole("refresh_rows_per_step", self.refresh_rows_per_step, 0, MAX_TILE)
        require_whole("ageing_steps", self.ageing_steps, 1, 100_000)
        require_whole("program_rounds", self.program_rounds, 1, 100)
        if self.fault_seed is not None:
            require_whole("fault_seed", self.fault_seed, 0, 2**63 - 1)
        for name in ("adc_bits", "dac_bits"):
            if getattr(self, name) is not None:
                require_whole(name, getattr(self, name), 2, 16)
        for name in ("adc_margin", "learned_output_range", "learned_headroom", "program_tolerance"):
            require_positive(name, getattr(self, name))
        for name in ("learned_weight_range", "activity_limit"):
            if getattr(self, name) is not None:
                require_positive(name, getattr(self, name))
        for name in ("programmed_s", "drift_compensation_s"):
            require_not_negative(name, getattr(self, name), "seconds")

    def _check_wires(self) -> None:
        for name in ("row_wire_ohm", "column_wire_ohm"):
            _wire(name, getattr(self, name))
        for name in ("rows_gated", "exact_wires", "write_around_faults", "correct_rest"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be True or False, not {getattr(self, name)!r}.")

    def _check_shares(self) -> None:
        require_within("pulse_threshold", self.pulse_threshold, 0.5, 1)
        for name in ("refresh_lower", "refresh_upper", "stuck_at_min", "stuck_at_max", "half_select_disturb"):
            require_within(name, getattr(self, name), 0, 1)
        if not 0 < self.refresh_lower < self.refresh_upper < 1:
            raise ConfigError(
                f"refresh thresholds must be 0 < refresh_lower < refresh_upper < 1, "
                f"not {self.refresh_lower!r} and {self.refresh_upper!r}; published values are 0.25 and 0.75."
            )
        if self.stuck_at_min + self.stuck_at_max > 1:
            raise ConfigError(
                f"stuck_at_min and stuck_at_max are parts of the same devices and at most 1 together, "
                f"not {self.stuck_at_min!r} and {self.stuck_at_max!r}."
            )

    @classmethod
    def ideal(cls, *, set_step: float | None = None) -> CrossbarConfig:
        """No noise, drift, rounding or resistance of wires: computes what ``nengo.Simulator`` does.

        Args:
            set_step: Granularity of learning, relative to the weight range. None gives learned weights a
                range that none will ever reach, in steps that none will ever feel.
        """
        limitless = set_step is None
        return cls(
            device=PcmDevice.ideal(set_step=_IDEAL_STEP / _IDEAL_RANGE if set_step is None else set_step),
            learned_weight_range=_IDEAL_RANGE if limitless else None,
            activity_limit=None,
            adc_bits=None,
            dac_bits=None,
            row_wire_ohm=0.0,
            column_wire_ohm=0.0,
        )

    def require_time(self, seconds: float) -> None:
        """Refuse a run for which devices are not described, those of overrides included.

        Args:
            seconds: Time that passes from its start to its end, rests included [s].

        Raises:
            ConfigError: Some would become too old.
        """
        others = [self._overridden(label, changes) for label, changes in self.overrides.items()]
        for config in (self, *others):
            config.device.require_age(config.programmed_s + seconds)

    def is_digital(self, label: str | None) -> bool:
        """Whether the weights of an object with this label stay digital."""
        return any(_matches(label, pattern) for pattern in self.digital)

    def for_label(self, label: str | None) -> CrossbarConfig:
        """The settings of an object with this label."""
        config = self
        for pattern in self.overrides:
            if _matches(label, pattern):
                config = config._overridden(pattern, self.overrides[pattern])
        return config

    def require_known(self, labels: Iterable[str | None]) -> None:
        """Refuse labels in ``digital`` and ``overrides`` that no object has; those with ``*`` may match none.

        Args:
            labels: Of all objects of a network that have weights.

        Raises:
            ConfigError: There is one.
        """
        known = {label or "" for label in labels}
        named = ", ".join(sorted(map(repr, known - {""}))) or "none"
        for setting, patterns in (("digital", self.digital), ("overrides", self.overrides)):
            for pattern in patterns:
                if "*" not in pattern and pattern not in known:
                    raise ConfigError(
                        f"{setting}: no connection or ensemble of the network is labelled {pattern!r}; known "
                        f"labels: {named}. Name one of these; a label with '*' may match nothing."
                    )

    def _overridden(self, pattern: str, changes: Mapping[str, Any]) -> CrossbarConfig:
        """The settings with the changes for a label."""
        allowed = [f.name for f in fields(self) if f.name not in _WHOLE_SUBSTRATE]
        if not isinstance(changes, Mapping):
            raise ConfigError(f"overrides[{pattern!r}] must be settings by name, not {changes!r}.")
        for name in changes:
            if name in _WHOLE_SUBSTRATE:
                raise ConfigError(f"{name} holds for the whole substrate and cannot differ for {pattern!r}.")
            if name not in allowed:
                raise UnknownNameError(f"crossbar setting for {pattern!r}", name, allowed)
        return replace(self, **{"overrides": {}, **changes})


def _matches(label: str | None, pattern: str) -> bool:
    """Whether a label, or that there is none, fits a pattern in which ``*`` is any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), label or "", re.DOTALL) is not None


def _member(kind: str, name: Any, known: tuple[str, ...]) -> None:
    if not isinstance(name, str):
        raise ConfigError(f"{kind} must be the name of one, {', '.join(map(repr, known))}; not {name!r}.")
    if name not in known:
        raise UnknownNameError(kind, name, known)


def _labels(digital: Any) -> None:
    if isinstance(digital, str):
        raise ConfigError(f"digital must be a tuple of labels, not the text {digital!r}.")
    if not (isinstance(digital, tuple) and all(isinstance(label, str) for label in digital)):
        raise ConfigError(f"digital must be a tuple of labels, not {digital!r}.")


def _wire(name: str, value: float) -> None:
    if not (is_number(value) and 0 <= value <= MAX_WIRE_OHM):
        raise ConfigError(
            f"{name} is the resistance from one cell to the next, from 0 to {MAX_WIRE_OHM:g} ohm, "
            f"not {value!r}; published values lie between 0.15 and 4.7 ohm."
        )
