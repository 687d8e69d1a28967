"""Random serial arms: as many joints as asked for, with links, axes and masses drawn from a family."""

from __future__ import annotations

import numbers
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from spikearm.envs.arms import STANDARD_GRAVITY, ArmSpec
from spikearm.envs.batch.arms import Waves
from spikearm.errors import ConfigError
from spikearm.records import FloatArray

MAX_JOINTS = 15
"""As many as in Stewart, DeWolf, Kleinhans and Eliasmith 2015."""

LENGTH_M = 0.8
MASS_KG = 8.0
_RANGE_RAD = 2.4


def family_arm(n_joints: int) -> ArmSpec:
    """What all arms of a family share: joints, limits and magnitudes; their bodies differ.

    Raises:
        ConfigError: There are not 1 to 15 joints.
    """
    is_whole = isinstance(n_joints, numbers.Integral) and not isinstance(n_joints, bool)
    if not (is_whole and 1 <= n_joints <= MAX_JOINTS):
        raise ConfigError(f"n_joints must be a whole number from 1 to {MAX_JOINTS}, not {n_joints!r}.")
    return ArmSpec(
        name=f"family{n_joints}",
        path=Path(f"random plant of {n_joints} joints"),
        home=(0.0,) * n_joints,
        reach_m=0.25 * LENGTH_M,
        torque_scale_nm=0.5 * float(family_limits(n_joints)[0]),
    )


def family_limits(n_joints: int) -> FloatArray:
    """Torque limits [N m], shape (n_joints,): 10, and four times what holds the average arm outstretched."""
    share = 1.0 - np.arange(n_joints) / n_joints  # of length and mass beyond each joint
    limits: FloatArray = 10.0 + 4.0 * STANDARD_GRAVITY * 0.5 * MASS_KG * LENGTH_M * share**2
    return limits


def random_plant(n_joints: int, rng: np.random.Generator) -> Any:
    """An ``MjSpec`` of one arm of the family, standing upright at joint angles of zero.

    Link lengths and masses vary by half about the average arm's (0.8 m and 8 kg in all), links are solid
    cylinders, joint axes point along x, y or, more rarely, the link; damping is 0.5 to 2 N m s/rad and
    armature 0.05 to 0.2 kg m^2. Our own choice throughout; Stewart et al. 2015 gave the idea.
    """
    spec = mujoco.MjSpec()
    spec.modelname = f"family{n_joints}"
    spec.compiler.degree = False
    spec.option.timestep = 0.001
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    _furnish(spec)
    lengths = LENGTH_M / n_joints * rng.uniform(0.5, 1.5, n_joints)
    masses = MASS_KG / n_joints * rng.uniform(0.5, 1.5, n_joints)
    axes = rng.choice(3, n_joints, p=(0.4, 0.4, 0.2))
    damping, armature = rng.uniform(0.5, 2.0, n_joints), rng.uniform(0.05, 0.2, n_joints)
    parent, height_m = spec.worldbody, 0.1
    for i in range(n_joints):
        body = parent.add_body(name=f"link{i + 1}", pos=(0.0, 0.0, height_m))
        _add_link(body, lengths[i], masses[i], radius_m=0.05 * (1.0 - 0.5 * i / n_joints))
        body.add_joint(
            name=f"joint{i + 1}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=np.eye(3)[axes[i]],
            range=(-_RANGE_RAD, _RANGE_RAD),
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            damping=np.array([damping[i], 0.0, 0.0]),
            armature=armature[i],
        )
        parent, height_m = body, lengths[i]
    parent.add_site(name="ee", pos=(0.0, 0.0, lengths[-1]), size=(0.006, 0.006, 0.006), group=4)
    for i, limit in enumerate(family_limits(n_joints)):
        _add_motor(spec, f"joint{i + 1}", float(limit))
    return spec


def random_waves(n_joints: int, rng: np.random.Generator, *, share: float) -> Waves:
    """An unknown torque on every joint, a smooth function of all joint angles.

    Args:
        n_joints: Number of joints.
        rng: Source of randomness.
        share: Root mean square of the torque, as a share of half a joint's limit.
    """
    n_waves = 2 * n_joints
    size = share * 0.5 * family_limits(n_joints)[:, None] / np.sqrt(0.5 * n_waves)
    return Waves(
        gain=size * rng.standard_normal((n_joints, n_waves)),
        frequency=rng.standard_normal((n_waves, n_joints)) / np.sqrt(n_joints),
        phase=rng.uniform(0.0, 2.0 * np.pi, n_waves),
    )


def _add_link(body: Any, length_m: float, mass_kg: float, *, radius_m: float) -> None:
    across = mass_kg * (3.0 * radius_m**2 + length_m**2) / 12.0
    body.explicitinertial = True
    body.mass, body.ipos = mass_kg, (0.0, 0.0, 0.5 * length_m)
    body.inertia = (across, across, 0.5 * mass_kg * radius_m**2)
    geom = body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=(radius_m, 0.0, 0.0))
    geom.fromto = (0.0, 0.0, 0.0, 0.0, 0.0, length_m)
    geom.contype = geom.conaffinity = 0
    geom.group, geom.mass = 2, 0.0
    geom.rgba = (0.88, 0.88, 0.87, 1.0)


def _add_motor(spec: Any, joint: str, limit_nm: float) -> None:
    motor = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.set_to_motor()
    motor.ctrllimited = mujoco.mjtLimited.mjLIMITED_TRUE
    motor.ctrlrange = (-limit_nm, limit_nm)


def _furnish(spec: Any) -> None:
    """Light, floor and a camera."""
    world = spec.worldbody
    world.add_light(
        pos=(1.2, -1.6, 2.6), dir=(-0.4, 0.55, -0.75), type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    )
    floor = world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE, size=(3.0, 3.0, 0.05), rgba=(0.85, 0.86, 0.88, 1.0)
    )
    floor.contype = floor.conaffinity = 0
    world.add_camera(name="side", pos=(0.0, -2.1, 0.7), xyaxes=(1.0, 0.0, 0.0, 0.0, 0.1, 0.995), fovy=45.0)
