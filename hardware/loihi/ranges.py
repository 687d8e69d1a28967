"""Ranges of on-chip learning, chosen from the network that learns."""

from __future__ import annotations

import math

import nengo
import numpy as np
from nengo.builder.ensemble import get_gain_bias
from nengo.dists import UniformHypersphere

from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.records import FloatArray

MAX_ERROR = 127
"""Greatest error that the chip takes, as a whole number."""
ERROR_RANGE = 0.5
"""Part of the range of the output that an error may span before it is cut. With outputs in units of the
torque scale (20 N m) that is +-10 N m, more than a payload causes, in steps of 0.08 N m; larger errors slow
learning down but do not mislead it."""
SPAN = 0.085
"""What one spike carries at most, with exponent 0, of what an output of 1 needs in one step; doubles with
each exponent (nengo-loihi's fixed-point decoders, 7 bits and a sign)."""
MARGIN = 2.0
"""How many times the range of the output all neurons together can carry at their mean rate. Measured with
20, 60, 200 and 1000 neurons that learn 7 changing torques up to the torque scale: below 1, weights are cut
and the error grows steeply (3.6 times at 0.5); from 1.3 to 8 it varies by a tenth."""
MIN_EXPONENT, MAX_EXPONENT = 3, 7
"""Below 3, finer steps of the weights gain nothing: with 1000 neurons the error is the same from 1 to 4. And
narrowly tuned neurons, few of which share an output, need more than the mean rate says: at 2 some are cut."""
_N_DRAWS = 64
_SEED = 0


def pes_ranges(network: nengo.Network, config: LoihiConfig) -> tuple[float, int]:
    """Error scale and weight exponent: those of the configuration, or for what it leaves open, by rule.

    Both are properties of the whole chip. The error scale follows from the widest learned output; the
    exponent is the smallest with which the spikes that its neurons fire on average can carry each output
    ``MARGIN`` times over, within ``MIN_EXPONENT`` and ``MAX_EXPONENT``.

    Args:
        network: What will be built.
        config: May leave either open (None).

    Returns:
        ``pes_error_scale`` and ``pes_wgt_exp``.
    """
    error_scale, exponent = config.pes_error_scale, config.pes_wgt_exp
    learned = _learned_outputs(network)
    if error_scale is None:
        widest = max((output_range(post) for post in learned), default=1.0)
        error_scale = MAX_ERROR / (ERROR_RANGE * widest)
    if exponent is None:
        needs = [
            exponent_for(sum(spikes_per_step(pre) for pre in sources), output_range(post))
            for post, sources in learned.items()
        ]
        exponent = max(needs, default=MIN_EXPONENT)
    return error_scale, exponent


def exponent_for(spikes: float, reach: float) -> int:
    """The weight exponent for an output.

    Args:
        spikes: Spikes per step of all neurons that learn it together, on average.
        reach: Greatest magnitude of the output.
    """
    if spikes <= 0:
        return MAX_EXPONENT
    needed = math.ceil(math.log2(MARGIN * reach / (SPAN * spikes)))
    return min(max(needed, MIN_EXPONENT), MAX_EXPONENT)


def output_range(post: object) -> float:
    """Greatest magnitude of a learned output: the radius of an ensemble; 1 for a node (the torque scale)."""
    return float(post.radius) if isinstance(post, nengo.Ensemble) else 1.0


def spikes_per_step(ensemble: nengo.Ensemble, dt_s: float = 0.001) -> float:
    """Spikes that an ensemble fires in one step, averaged over the sphere it represents.

    Neurons see the cosine between their encoder and the represented vector; encoders lie on a sphere,
    too, so any one direction is as good as another. The network's own draws of rates and intercepts come
    later; these are others of the same distributions.
    """
    rng = np.random.RandomState(_SEED)  # what Nengo's distributions take
    gain, bias, *_ = get_gain_bias(ensemble, rng=rng)
    cosine = UniformHypersphere(surface=True).sample(_N_DRAWS, ensemble.dimensions, rng=rng)[:, 0]
    rates: FloatArray = ensemble.neuron_type.rates(np.tile(cosine[:, None], ensemble.n_neurons), gain, bias)
    n_neurons: int = ensemble.n_neurons
    return float(rates.mean()) * n_neurons * dt_s


def _learned_outputs(network: nengo.Network) -> dict[object, list[nengo.Ensemble]]:
    """Ensembles that learn on the chip, by what they learn for: their outputs are added up."""
    learned: dict[object, list[nengo.Ensemble]] = {}
    for connection in network.all_connections:
        if connection.learning_rule_type is not None and isinstance(connection.pre_obj, nengo.Ensemble):
            learned.setdefault(connection.post_obj, []).append(connection.pre_obj)
    return learned
