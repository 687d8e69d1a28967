"""Reaching one point per episode."""

from __future__ import annotations

from spikearm.envs.gym.scenarios import Reach
from spikearm.envs.gym.single import ArmEnv, GoalArmEnv
from spikearm.envs.gym.vector import ArmVectorEnv, GoalArmVectorEnv


class ReachEnv(ArmEnv):
    """Bring the end effector to a point and hold it there.

    ## Actions

    A ``Box(-1, 1)`` of single precision; values beyond are cut, NaN is an error. By ``action_mode``:

    | mode | size (iiwa14) | number i is | -1 and 1 mean |
    |---|---|---|---|
    | ``pose`` (default) | 6 | set point's x, y, z, rx, ry, rz | -0.5, 0.5 m/s; -1.5, 1.5 rad/s |
    | ``position`` | 7 | set point of joint i | -2, 2 rad/s |
    | ``torque`` | 7 | torque of joint i | 20, 20, 11, 11, 6.9, 2.5, 2.5 N m both ways |

    ``pose`` moves the set point of the end effector along the arm's task axes (planar2: x, z), by a step's
    worth of the speed. ``position`` does so for each joint, at the arm's ``dq_half_range_rad_s``. ``torque``
    is the arm's ``torque_scale_nm`` at the strongest joint and less at others, in proportion to their limits.
    ``action_scale`` sets other scales: [m, rad], [rad] per step, or [N m].

    In the first two modes joint servos (3 Hz, critically damped) follow the set points. Unless
    ``gravity_compensation=False``, the drives carry the nominal arm's weight, and never that of a payload.

    ## Observations

    A ``Box`` of double precision without bounds. The ranges below are those of the arm; stops are soft, and
    sensors may be noisy. ``print(spikearm.envs.gym.datasheet.data_sheet(env))`` has every number, for any
    arm and mode.

    | number (iiwa14) | what | min, max | unit |
    |---|---|---|---|
    | 0 - 6 | joint angles, as measured | 2.97, 2.09, 2.97, 2.09, 2.97, 2.09, 3.05 both ways | rad |
    | 7 - 13 | joint velocities, as measured | none | rad/s |
    | 14 - 16 | end effector x, y, z, from the measured angles | within 1.15 of 0, 0, 0.158 | m |
    | 17 - 23 | set points (within stops) less measured angles; not in ``torque`` | none of its own | rad |
    | 24 - 26 | target x, y, z | as the end effector | m |
    | 27 - 29 | target less end effector | none of its own | m |

    ## Reward

    ``reward_goal + reward_action + reward_energy + reward_diverged``, each in ``info`` if it has a weight:
    ``-1.0 d + 0.0 [d < radius]``, ``-0.0 |a|^2``, ``-0.0 E``, and -100 when the simulation has diverged, with
    the true distance d [m], the action a and the mechanical work E of the drives in this step [J]. Change the
    weights with ``reward_weights={"distance": 1, "success": 1, "action": 0.01, "energy": 0.1, "diverged":
    100}``. ``reward_type="sparse"`` makes the first term -1 until d < ``success_radius``, and 0 there; the
    weights "distance" and "success" then have no effect.

    ``info`` also has ``distance_m``, ``is_success``, ``energy_j``, ``torque_nm`` (of the last physics step)
    and ``saturated``; after ``reset`` ``distance_m``, ``is_success`` and every setting of the episode's
    :class:`~spikearm.envs.perturbation.Perturbation` by name, those of joints one per joint: a critic may be
    shown what the agent is not.

    ## Start and end

    Joints start at rest, uniformly within ``start_spread_rad`` (0.1) of home. The target is where the end
    effector would be with every joint within ``target_spread_rad`` (0.6) of home and 0.05 rad off its stops,
    above the floor if there is one. It may be near the start: 7 to 9 of 100 episodes of planar1 begin in
    success, at most 1 of 100 of any other arm. ``terminated`` only if the simulation diverges:
    ``info["termination"]`` then is "diverged", the observation that of the last sane state. ``truncated``
    after 100 steps (2 s), by the ``TimeLimit`` wrapper.

    ## Arguments and options

    The arguments are those of :class:`spikearm.envs.gym.config.EnvConfig`, ``render_mode``, and of the vector
    environment ``n_threads`` (one per processor), ``autoreset_mode`` ("NextStep", "SameStep", "Disabled") and
    ``max_episode_steps`` (100; -1 for never). Options of ``reset`` are ``start`` (joint angles [rad]),
    ``target`` (point [m]), ``payload_kg``, ``perturbation`` (settings of
    :class:`spikearm.envs.perturbation.Perturbation` by name) and ``faults`` (pairs of time [s] and settings;
    each strikes with the first step that begins at its time or later).

    ## Version history

    v0: first version.
    """

    scenario = Reach()


class ReachGoalEnv(GoalArmEnv):
    """:class:`ReachEnv` for hindsight: a dictionary, and a sparse reward unless ``reward_type="dense"``.

    ``observation`` is that of :class:`ReachEnv` without its last two rows, ``achieved_goal`` the true
    position of the end effector [m], ``desired_goal`` the target [m]. ``compute_reward`` takes any number of
    goals.

    ## Version history

    v0: first version.
    """

    scenario = Reach()


class ReachVectorEnv(ArmVectorEnv):
    """Many :class:`ReachEnv`, stepped together."""

    scenario = Reach()


class ReachGoalVectorEnv(GoalArmVectorEnv):
    """Many :class:`ReachGoalEnv`, stepped together."""

    scenario = Reach()
