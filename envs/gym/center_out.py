"""Reaching out from a centre and back."""

from __future__ import annotations

from spikearm.envs.gym.scenarios import CenterOut
from spikearm.envs.gym.single import ArmEnv, GoalArmEnv
from spikearm.envs.gym.vector import ArmVectorEnv, GoalArmVectorEnv


class CenterOutEnv(ArmEnv):
    """Out to one of eight points on a circle and back to its centre, again and again.

    An arm of one joint has two points instead. Actions, observations, reward, arguments and options are those
    of :class:`~spikearm.envs.gym.reach.ReachEnv`; ``target`` is no option.

    Two more arguments: ``radius_m``, of the circle (half the arm's ``reach_m``, 0.1 m, by default), and
    ``hold_s`` (0.8), after which the target jumps.

    ## Start and end

    The arm starts at rest at home, whose end effector is the centre. The circle lies in the plane of the
    arm's last two controlled position axes (y-z for arms in space, x-z for planar ones). A circle the arm
    cannot follow with its joints within their stops is refused. All points come in a random order before any
    comes again. ``truncated`` after 160 steps (3.2 s): two points, out and
    back.

    ## Version history

    v0: first version.
    """

    scenario = CenterOut()


class CenterOutGoalEnv(GoalArmEnv):
    """:class:`CenterOutEnv` as a goal environment; ``desired_goal`` is the target at that moment.

    ## Version history

    v0: first version.
    """

    scenario = CenterOut()


class CenterOutVectorEnv(ArmVectorEnv):
    """Many :class:`CenterOutEnv`, stepped together."""

    scenario = CenterOut()


class CenterOutGoalVectorEnv(GoalArmVectorEnv):
    """Many :class:`CenterOutGoalEnv`, stepped together."""

    scenario = CenterOut()
