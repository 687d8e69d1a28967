"""Random plants with unknown forces."""

from __future__ import annotations

from spikearm.envs.gym.family import PlantFamily
from spikearm.envs.gym.single import ArmEnv
from spikearm.envs.gym.vector import ArmVectorEnv


class PlantFamilyEnv(ArmEnv):
    """Follow a joint trajectory with an arm drawn at random, pushed by forces nobody told of.

    After the closed-loop benchmarks of Stewart, DeWolf, Kleinhans and Eliasmith 2015: families of random
    plants of up to 15 joints that adaptive control must cope with unseen. Bodies, forces and targets are our
    own.

    ## Actions

    A ``Box(-1, 1, (n_joints,))``: ``action_mode`` "torque" (default; 1 is half the joint's limit) or
    "position".

    ## Observations

    | number (3 joints, ``torque``) | what | min, max | unit |
    |---|---|---|---|
    | 0 - 2 | joint angles, as measured | 2.4 both ways | rad |
    | 3 - 5 | joint velocities, as measured | none | rad/s |
    | 6 - 8 | end effector x, y, z | the plant's length | m |
    | 9 - 11 | velocity of the target | none | rad/s |
    | 12 - 14 | target angles | 2.4 both ways | rad |
    | 15 - 17 | target less measured angles | 4.8 both ways | rad |

    In the mode "position", set points less measured angles stand after the end effector.

    ## Reward

    As :class:`~spikearm.envs.gym.reach.ReachEnv`, with the distance in joint space, ``distance_rad`` in
    ``info``; success is within ``success_radius`` = 0.1 rad.

    ## Start and end

    Each episode has a new plant: link lengths and masses within half of the average's (0.8 m and 8 kg in
    all), axes, damping and armature at random. Its drives carry its weight (``gravity_compensation``), but
    not an unknown torque that is a smooth function of all joint angles, with a root mean square of
    ``force_share`` (0.25) times half the joint's limit. The targets swing with periods near ``period_s``
    (3 s). ``truncated`` after 200 steps (4 s).

    ## Arguments and options

    ``n_joints`` (3; 1 to 15), ``plant_seed`` (None; a number fixes plant and forces for all episodes),
    ``force_share``, ``period_s``, and those of :class:`spikearm.envs.gym.config.EnvConfig` except ``arm``.
    Options of ``reset`` as ``ReachEnv`` except ``target``.

    ## Version history

    v0: first version.
    """

    scenario = PlantFamily()


class PlantFamilyVectorEnv(ArmVectorEnv):
    """Many :class:`PlantFamilyEnv`, stepped together."""

    scenario = PlantFamily()
