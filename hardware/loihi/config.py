"""What can be adjusted when a network is compiled for Loihi."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Literal

from spikearm.errors import ConfigError, UnknownNameError

TARGETS = ("sim", "loihi")


@dataclass(frozen=True)
class LoihiConfig:
    """Where the network runs, ranges of learning, and the filter behind spikes that carry values.

    Attributes:
        target: "sim", the compiled emulator, or "loihi", a board, which needs Intel's NxSDK.
        host_io_s: Time in which the host and the chip exchange the values of one step [s], part of the
            modelled latency. 0, the default, is the chip alone; boards of 2018 to 2021 took 0.0015 to 0.008.
        pes_error_scale: The chip takes errors as whole numbers in [-127, 127]: each error is multiplied
            by this and rounded. By default (None) chosen so that it takes errors up to half the range of
            the learned output, which is 254 for outputs in units of the torque scale.
        pes_wgt_exp: Binary exponent of learned weights, each of which has 7 bits and a sign. A larger one
            widens their range and coarsens their steps; if it is too small, weights are cut and outputs
            stay too small. By default (None) chosen from the number of neurons that learn and their
            firing rates: 3 for hundreds or thousands of neurons, 4 to 6 for tens.
        decode_tau_s: Filter of spikes that carry real values onto the chip or between ensembles [s].
    """

    target: Literal["sim", "loihi"] = "sim"
    host_io_s: float = 0.0
    pes_error_scale: float | None = None
    pes_wgt_exp: int | None = None
    decode_tau_s: float = 0.005

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise UnknownNameError("Loihi target", self.target, TARGETS)
        if not (_is_number(self.host_io_s) and 0 <= self.host_io_s < 1):
            raise ConfigError(
                f"host_io_s must be in [0, 1) s, not {self.host_io_s!r}; try 0.0015, or 0 for the chip alone."
            )
        if self.pes_error_scale is not None and not (
            _is_number(self.pes_error_scale) and self.pes_error_scale > 0
        ):
            raise ConfigError(
                f"pes_error_scale must be positive, not {self.pes_error_scale!r}; try 254, or leave it out."
            )
        if self.pes_wgt_exp is not None and not (
            isinstance(self.pes_wgt_exp, numbers.Integral) and -6 <= self.pes_wgt_exp <= 7
        ):
            raise ConfigError(
                f"pes_wgt_exp={self.pes_wgt_exp!r} is none of the chip's exponents, whole numbers from "
                "-6 to 7; try 2 to 4, or leave it out."
            )
        if not (_is_number(self.decode_tau_s) and 0 < self.decode_tau_s < 1):
            raise ConfigError(f"decode_tau_s must be in (0, 1) s, not {self.decode_tau_s!r}; try 0.005.")


def _is_number(value: object) -> bool:
    """Whether it is a finite number; a text, as a configuration file may hold, is none."""
    return isinstance(value, numbers.Real) and math.isfinite(value)
