"""Following a moving point."""

from __future__ import annotations

from spikearm.envs.gym.scenarios import Track
from spikearm.envs.gym.single import ArmEnv, GoalArmEnv
from spikearm.envs.gym.vector import ArmVectorEnv, GoalArmVectorEnv


class TrackEnv(ArmEnv):
    """Keep the end effector on a point that moves as if every joint swung at a frequency of its own.

    Actions, reward, arguments and options are those of :class:`~spikearm.envs.gym.reach.ReachEnv`; ``target``
    is no option, and ``period_s`` (3) is an argument: the longest period of a joint's swing, the shortest
    being three quarters of it.

    ## Observations

    Those of ``ReachEnv`` with the velocity of the target before the target:

    | number (iiwa14, ``pose``) | what | min, max | unit |
    |---|---|---|---|
    | 0 - 23 | as ``ReachEnv`` | | |
    | 24 - 26 | velocity of the target | none | m/s |
    | 27 - 29 | target x, y, z | as the end effector | m |
    | 30 - 32 | target less end effector | none of its own | m |

    ## Start and end

    Every joint's swing is centred in its room (within ``target_spread_rad`` of home and 0.05 rad off its
    stops). Amplitudes (an eighth to three eighths of the room), frequencies and phases are drawn for each
    episode, so the target is reachable at any time, and starts away from the arm. ``truncated`` after 200
    steps (4 s).

    ## Version history

    v0: first version.
    """

    scenario = Track()


class TrackGoalEnv(GoalArmEnv):
    """:class:`TrackEnv` as a goal environment; ``desired_goal`` is where the target is at that moment.

    ## Version history

    v0: first version.
    """

    scenario = Track()


class TrackVectorEnv(ArmVectorEnv):
    """Many :class:`TrackEnv`, stepped together."""

    scenario = Track()


class TrackGoalVectorEnv(GoalArmVectorEnv):
    """Many :class:`TrackGoalEnv`, stepped together."""

    scenario = Track()
