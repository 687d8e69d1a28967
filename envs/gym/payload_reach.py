"""Reaching with a payload nobody told of."""

from __future__ import annotations

from spikearm.envs.gym.scenarios import PayloadReach
from spikearm.envs.gym.single import ArmEnv, GoalArmEnv
from spikearm.envs.gym.vector import ArmVectorEnv, GoalArmVectorEnv


class PayloadReachEnv(ArmEnv):
    """:class:`~spikearm.envs.gym.reach.ReachEnv` with an unknown perturbation in each episode.

    Actions, observations, reward, arguments and options are the same. What differs is the default of one
    argument:

    ``perturbation_range = {"payload_kg": [0, 0.907], "payload_offset_m": [[-0.03] * 3, [0.03] * 3]}``

    (0.907 kg, two pounds, is the arm's ``payload_kg``; DeWolf, Jaworski and Eliasmith 2020). Any setting of
    :class:`spikearm.envs.perturbation.Perturbation` may be given a range ``[low, high]``; each number is
    drawn uniformly when an episode begins. A range or a value (``perturbation={"payload_kg": 0.5}``) of the
    caller's own takes the place of the default one of that name. The observation does not tell what was
    drawn; ``info`` of ``reset`` does, by the settings' names.

    ## Version history

    v0: first version.
    """

    scenario = PayloadReach()


class PayloadReachGoalEnv(GoalArmEnv):
    """:class:`PayloadReachEnv` as a goal environment.

    ## Version history

    v0: first version.
    """

    scenario = PayloadReach()


class PayloadReachVectorEnv(ArmVectorEnv):
    """Many :class:`PayloadReachEnv`, stepped together."""

    scenario = PayloadReach()


class PayloadReachGoalVectorEnv(GoalArmVectorEnv):
    """Many :class:`PayloadReachGoalEnv`, stepped together."""

    scenario = PayloadReach()
