"""From a Nengo network to a loaded emulator, with nengo-loihi's builder."""

from __future__ import annotations

import traceback
import warnings

import nengo
import nengo_loihi
from nengo.exceptions import BuildError

from spikearm.errors import CapacityError, ConfigError
from spikearm.hardware.loihi.board import BOARD_OPTIONS
from spikearm.hardware.loihi.capacity import check_size
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.loihi.model import ChipModel
from spikearm.hardware.loihi.nxsdk import require_nxsdk
from spikearm.hardware.loihi.ranges import pes_ranges
from spikearm.hardware.loihi.reproducible import make_reproducible
from spikearm.hardware.loihi.simulator import Simulator

_KNOWN_WARNINGS = (
    # True of every network that is not written for Loihi alone: on the chip, membranes start at 0.
    ("NengoLoihi does not support initial values", UserWarning),
    # A controller reads what the chip answers before it sends the next state; nothing is known ahead.
    ("Model is precomputable", UserWarning),
    # The chip shifts weights in two parts; where all of an ensemble's are small, 8 bits become fewer.
    (r"Lost \d+ extra bits in weight rounding", UserWarning),
)


_ON_CHIP_NEURONS = (
    nengo.LIF,
    nengo.SpikingRectifiedLinear,
    nengo.RegularSpiking,
    nengo_loihi.LoihiLIF,
    nengo_loihi.LoihiSpikingRectifiedLinear,
)


def build_simulator(network: nengo.Network, config: LoihiConfig) -> Simulator:
    """Split a network between host and chip, discretise the chip's part and load the emulator or a board.

    Raises:
        CapacityError: A core's memory is exceeded, or there are more neurons than a chip has room for.
        ConfigError: The chip cannot do what the network asks for.
    """
    if config.target == "loihi":
        require_nxsdk()
    check_size(network)
    _check_neurons(network)
    _check_rules(network)
    return _build(network, config)


def _model(network: nengo.Network, config: LoihiConfig) -> ChipModel:
    """An empty model with all that is set before the network is built into it."""
    model = ChipModel(dt=0.001, label=network.label, on_board=config.target == "loihi")
    model.pes_error_scale, model.pes_wgt_exp = pes_ranges(network, config)
    model.decode_tau = config.decode_tau_s
    make_reproducible(model, network)
    return model


def _build(network: nengo.Network, config: LoihiConfig) -> Simulator:
    """nengo-loihi's builder, with its errors in our words."""
    with warnings.catch_warnings():
        for message, category in _KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message=message, category=category)
        try:
            model = _model(network, config)
            return Simulator(
                network,
                dt=0.001,
                model=model,
                precompute=False,
                target=config.target,
                hardware_options=BOARD_OPTIONS,
            )
        except BuildError as error:
            problem = f"network {network.label!r} does not compile for Loihi: {error}"
            if "exceeded max" in str(error):
                raise CapacityError(f"{problem}; use fewer neurons, or several smaller ensembles.") from error
            raise ConfigError(problem) from error
        except MemoryError as error:
            raise CapacityError(_too_large_for_the_host(network)) from error
        except NotImplementedError as error:
            raise ConfigError(
                f"network {network.label!r} uses what nengo-loihi does not support: {error}"
            ) from error
        except AssertionError as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise ConfigError(
                f"network {network.label!r} does not compile for Loihi: nengo-loihi's {place.name} insists "
                f"on `{place.line}`; weights, thresholds or biases may lie too far apart for its integers."
            ) from error


def _too_large_for_the_host(network: nengo.Network) -> str:
    """What to do when decoders cannot be built for want of memory.

    Nengo computes the rates of all neurons of an ensemble at twice as many points, in 8 bytes each, also for
    decoders that start at zero.
    """
    largest = max(ensemble.n_neurons for ensemble in network.all_ensembles)
    return (
        f"network {network.label!r} does not compile in this computer's memory: the decoders of an "
        f"ensemble of {largest} neurons take some {16e-9 * largest**2:.3g} GB of memory, growing with the "
        "square of the neurons; use a larger n_ensembles, each of which is built by itself."
    )


def _check_neurons(network: nengo.Network) -> None:
    """Only neurons the chip has; nengo-loihi would take a subclass of one for its parent, and say nothing.

    Raises:
        ConfigError: An ensemble has neurons of another type.
    """
    for ensemble in network.all_ensembles:
        kind = type(ensemble.neuron_type)
        if kind not in _ON_CHIP_NEURONS:
            raise ConfigError(
                f"ensemble {ensemble.label or str(ensemble)!r} has {kind.__name__} neurons; Loihi has "
                f"{', '.join(k.__name__ for k in _ON_CHIP_NEURONS)}."
            )


def _check_rules(network: nengo.Network) -> None:
    """Only the learning that the chip's microcode is written for: exponential trace times error.

    Raises:
        ConfigError: A connection learns in another way.
    """
    for connection in network.all_connections:
        rule = connection.learning_rule_type
        if rule is None:
            continue
        if type(rule) is not nengo.PES:
            has = f"learns by {type(rule).__name__}"
        elif type(rule.pre_synapse) is not nengo.Lowpass:
            has = f"filters the activities that learn by {rule.pre_synapse}"
        else:
            continue
        raise ConfigError(
            f"connection {connection.label or str(connection)!r} {has}; on Loihi a weight changes by an "
            "exponential trace of its axon times an error, nengo.PES with a Lowpass pre_synapse. Compute "
            "what else a rule needs in nodes in front of the error, as learning rule 'node-perturbation' "
            "does, or use backend 'reference' or 'crossbar'."
        )
