"""Keeps a learning circuit within the activity that its rate was chosen for.

An error at the present input decays by PES at the pace ``kappa |a|^2 / N``, with the squared filtered
activities ``|a|^2`` of all neurons together. A learning rate that suits the neurons as they should be is
therefore too large where wrongly written weights make more of them fire, or faster: the loop overshoots, and
beyond the pace that its lag allows the error grows. Up to a limit, set by the activity that the description
of the neurons has them show, the rule is left alone. Beyond, the rate falls as the activity rises, which
keeps the pace: normalised least mean squares (Nagumo and Noda 1967, IEEE Trans. Autom. Control 12, 282), with
a floor under its norm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spikearm.compiled import kernel
from spikearm.records import FloatArray


@kernel
def held_back(power, limit, powers, own):  # type: ignore[no-untyped-def]
    """Factor on the learning rate of one circuit.

    Args:
        power: Its squared filtered activities.
        limit: What those of a circuit alone may be.
        powers: The same of all circuits that share the target, relative to the limit of each; its own is
            written here, shape (n_circuits,).
        own: Which of them it is.
    """
    powers[own] = power / limit
    return 1.0 / max(powers.sum() / len(powers), 1.0)


@dataclass(frozen=True)
class ActivityLimit:
    """The limit of one learning circuit.

    Attributes:
        limit: Squared filtered activities, summed over neurons, up to which the rule is left alone; in the
            square of the activities' units.
        powers: Activities of all circuits with one target, relative to their limits, shape (n_circuits,):
            they correct the same error, and learn as fast together as their mean says.
        own: Which of them this one is.
    """

    limit: float = np.inf
    powers: FloatArray = field(default_factory=lambda: np.zeros(1))
    own: int = 0

    def factor(self, acts: FloatArray) -> float:
        """Factor on the learning rate, from the filtered activities, shape (n_neurons,)."""
        return float(held_back(acts @ acts, self.limit, self.powers, self.own))


def nominal_power(rates_hz: FloatArray, amplitude: float, tau_s: float) -> float:
    """Largest mean squared filtered activity, summed over neurons, at sample inputs.

    Regular spikes at the rate r through a lowpass filter have the mean square ``r^2 u coth(u)`` with
    ``u = 1 / (2 r tau)``: that of their mean and of their ripple.

    Args:
        rates_hz: Rates at the sample inputs [Hz], shape (n_samples, n_neurons).
        amplitude: Integral of one spike.
        tau_s: Time constant of the filter [s].
    """
    rates = rates_hz[rates_hz.any(axis=1)]
    if not rates.size:
        return np.inf
    u = 1.0 / (2.0 * np.maximum(rates, 1e-3) * tau_s)
    return float((amplitude**2 * rates**2 * u / np.tanh(u)).sum(axis=1).max())
