"""From a Nengo network to a loaded emulator, with nengo-loihi's builder."""

from __future__ import annotations

import re
import warnings

import nengo
import nengo_loihi
from nengo.exceptions import BuildError
from nengo_loihi.builder import Model

from spikearm.errors import CapacityError, ConfigError
from spikearm.hardware.loihi.config import LoihiConfig

_KNOWN_WARNINGS = (
    # True of every network that is not written for Loihi alone: on the chip, membranes start at 0.
    ("NengoLoihi does not support initial values", UserWarning),
    # A controller reads what the chip answers before it sends the next state; nothing is known ahead.
    ("Model is precomputable", UserWarning),
    # The emulator fills integer arrays with NaN before it writes the real values.
    ("invalid value encountered in cast", RuntimeWarning),
)


def build_simulator(network: nengo.Network, config: LoihiConfig) -> nengo_loihi.Simulator:
    """Split a network between host and chip, discretise the chip's part and load the emulator.

    Raises:
        CapacityError: A core's memory is exceeded.
        ConfigError: The chip cannot do what the network asks for.
    """
    model = Model(dt=0.001, label=network.label)
    model.pes_error_scale = config.pes_error_scale
    model.pes_wgt_exp = config.pes_wgt_exp
    model.decode_tau = config.decode_tau_s
    with warnings.catch_warnings():
        for message, category in _KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message=message, category=category)
        try:
            return nengo_loihi.Simulator(network, dt=0.001, model=model, target="sim", precompute=False)
        except BuildError as error:
            kind = CapacityError if re.search("exceeded max", str(error)) else ConfigError
            raise kind(f"network {network.label!r} does not compile for Loihi: {error}") from error
        except NotImplementedError as error:
            raise ConfigError(
                f"network {network.label!r} uses what nengo-loihi does not support: {error}"
            ) from error
