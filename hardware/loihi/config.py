"""What can be adjusted when a network is compiled for Loihi."""

from __future__ import annotations

from dataclasses import dataclass

from spikearm.errors import ConfigError


@dataclass(frozen=True)
class LoihiConfig:
    """Ranges of learning, and the filter behind spikes that carry values.

    Attributes:
        pes_error_scale: The chip takes errors as whole numbers in [-127, 127]: each error is multiplied
            by this and rounded. At 254 it reaches +-0.5 in steps of 0.004. With errors in units of the
            torque scale (20 N m) that is +-10 N m, more than a payload causes, in steps of 0.08 N m;
            larger errors are cut, which slows learning down but does not mislead it.
        pes_wgt_exp: Binary exponent of learned weights, each of which has 7 bits and a sign. A larger one
            widens their range and coarsens their steps. At 2 a spike carries at most 0.34 of what an
            output of 1 needs in one step. Hundreds of neurons that fire 50 times a second share an output
            of 1 with room to spare; for tens of neurons take 4, nengo-loihi's default.
        decode_tau_s: Filter of spikes that carry real values onto the chip or between ensembles [s].
    """

    pes_error_scale: float = 254.0
    pes_wgt_exp: int = 2
    decode_tau_s: float = 0.005

    def __post_init__(self) -> None:
        if not 0 < self.pes_error_scale < float("inf"):
            raise ConfigError(f"pes_error_scale must be positive, not {self.pes_error_scale!r}; try 254.")
        if not -6 <= self.pes_wgt_exp <= 7:
            raise ConfigError(
                f"pes_wgt_exp={self.pes_wgt_exp!r} is outside the chip's exponents, -6 to 7; try 2 to 4."
            )
        if not 0 < self.decode_tau_s < 1:
            raise ConfigError(f"decode_tau_s must be in (0, 1) s, not {self.decode_tau_s!r}; try 0.005.")
