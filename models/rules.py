"""Learning rules of the adaptive network: one interface, several ways to follow the error.

The law's task torque says what the network still lacks, ``error = -u_task``. Behind the closed loop it is

    u = F (d - w),    F(s) = (kd s + kp) / (s^2 + kd s + kp),    w = S C a,

with the missing torque d, decoders C, activities a, and the synapse S of the output. All rules descend the
same cost, the squared task torque; they differ in what they know of it.

A rule of your own is any object with the two methods of :class:`LearningRule`, given to
``AdaptiveNetwork(rule=...)``; ``docs/learning.md`` has one in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import nengo

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.models.node_perturbation import NodePerturbation


class LearningRule(Protocol):
    """How decoders that start at zero follow the error; frozen, part of a network's description."""

    @property
    def pace(self) -> float:
        """Learning rate at which it works best, relative to that of :class:`Pes` on the same neurons."""
        ...

    def teach(self, error: nengo.Node, learned: nengo.Node, *, scale: float) -> nengo.Node:
        """Build what stands between the error and the decoders, into the network under construction.

        Args:
            error: The law's task torque with its sign turned [N m].
            learned: Sum of what all decoders say, 1 for ``scale``; a rule may add to it.
            scale: Torque that decoders represent as 1 [N m].

        Returns:
            The node that all decoders learn from [N m]; ``error`` itself where nothing stands between.
        """
        ...

    def rule_type(self, rate: float) -> nengo.learning_rules.LearningRuleType:
        """What one ensemble's decoders learn by.

        Args:
            rate: As Nengo defines it for PES: per second, divided by the ensemble's neurons.
        """
        ...


@dataclass(frozen=True)
class Pes:
    """Prescribed error sensitivity (MacNeil and Eliasmith 2011, PLoS ONE 6(9) e22885): ``dC = -k error a``.

    The gradient of the squared error for a loop without delay, F = S = 1. Factors are local to the synapse
    but for the error, of which every joint has its own.

    Attributes:
        tau_s: Filter of the activities that learn [s]; as long as that of the output, which it stands for.
    """

    tau_s: float = 0.012
    pace: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.tau_s < math.inf:
            raise ConfigError(f"tau_s must be a positive number, not {self.tau_s!r}.")

    def teach(self, error: nengo.Node, learned: nengo.Node, *, scale: float) -> nengo.Node:
        """The error itself teaches."""
        return error

    def rule_type(self, rate: float) -> nengo.PES:
        """Nengo's own."""
        return nengo.PES(rate, pre_synapse=nengo.Lowpass(self.tau_s))


LEARNING_RULES: Mapping[str, LearningRule] = {"pes": Pes(), "node-perturbation": NodePerturbation()}
"""The rules that can be chosen by name."""


def require_rule(rule: object) -> None:
    """Know it where a network is described, not where it is built.

    Raises:
        ConfigError: The object has not all that a :class:`LearningRule` has.
    """
    missing = [name for name in ("pace", "teach", "rule_type") if not hasattr(rule, name)]
    if missing:
        raise ConfigError(
            f"rule={rule!r} is no learning rule: it lacks {', '.join(missing)}; give it what "
            "spikearm.models.rules.LearningRule has, or take one of LEARNING_RULES."
        )


def learning_rule(name: str) -> LearningRule:
    """The rule of this name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in LEARNING_RULES:
        raise UnknownNameError("learning rule", name, LEARNING_RULES)
    return LEARNING_RULES[name]
