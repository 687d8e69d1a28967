"""From an MJCF file to a torque-driven arm: hinge joints, one motor each, one end-effector site."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from spikearm.envs.probe import cannot_compile
from spikearm.envs.timers import stop_timers
from spikearm.errors import ModelError
from spikearm.records import FloatArray

logger = logging.getLogger(__name__)

# MuJoCo's own handler prints and leaves a MUJOCO_LOG.TXT in the working directory.
mujoco.set_mju_user_warning(logger.warning)

EE_SITE = "ee"


@dataclass(frozen=True)
class CompiledArm:
    """A model that MuJoCo compiled and that this package can drive.

    Attributes:
        model: The ``MjModel``; automatic reset off, actuators unlimited motors (the caller clips).
        site_id: The end effector's site.
        torque_limits: Largest torque of each joint, both ways [N m], shape (n_joints,).
        actuator_of_joint: Index of each joint's motor in ``ctrl``, shape (n_joints,).
        gear: Joint torque per unit of each joint's ``ctrl``, shape (n_joints,).
    """

    model: Any
    site_id: int
    torque_limits: FloatArray
    actuator_of_joint: np.ndarray[Any, np.dtype[np.intp]]
    gear: FloatArray

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return int(self.model.nv)


def compile_arm(
    path: Path, *, ee_site: str | None = None, extend: Callable[[Any, Any, str], None] | None = None
) -> CompiledArm:
    """Read an MJCF file and make a torque-driven arm of it.

    Args:
        path: MJCF file.
        ee_site: Name of the end-effector site; None finds it.
        extend: Adds to the ``MjSpec`` before it is compiled, e.g. a payload; it is given the spec, the model
            it compiles to as yet, and the site's name.

    Returns:
        The arm.

    Raises:
        ModelError: The file is missing or broken, or is not a torque-drivable arm of hinge joints.
    """
    if not path.is_file():
        raise ModelError(f"no model file at {path}; give the path of an existing MJCF file (.xml).")
    return _drivable(path, *_read(path), ee_site, extend)


def compile_spec(
    spec: Any, name: str, *, extend: Callable[[Any, Any, str], None] | None = None
) -> CompiledArm:
    """Make a torque-driven arm of an ``MjSpec`` built in memory.

    Args:
        spec: The arm; changed in place.
        name: What it is called in an error.
        extend: As for :func:`compile_arm`.

    Raises:
        ModelError: It is not a torque-drivable arm of hinge joints.
    """
    return _drivable(Path(name), spec, spec.compile(), None, extend)


def _drivable(
    path: Path, spec: Any, model: Any, ee_site: str | None, extend: Callable[[Any, Any, str], None] | None
) -> CompiledArm:
    _check_time_step(path, model)
    _check_joints(path, model)
    site = find_ee_site(path, spec, ee_site)
    joints = _actuated_joints(path, model)
    limits = np.array([_torque_limit(path, model, i) for i in range(model.nu)])
    gear = model.actuator_gear[:, 0].copy()

    _drive_by_torque(spec)
    if extend is not None:
        extend(spec, model, site)
    model = spec.compile()
    _leave_out_collisions(model)
    stop_timers()
    actuator_of_joint = np.argsort(joints)
    arm = CompiledArm(
        model=model,
        site_id=model.site(site).id,
        torque_limits=limits[actuator_of_joint],
        actuator_of_joint=actuator_of_joint,
        gear=gear[actuator_of_joint],
    )
    _check_physics(path, arm)
    return arm


def find_ee_site(path: Path, spec: Any, name: str | None = None) -> str:
    """Name of the end-effector site: the given one, else ``ee``, else the only one there is."""
    names = [site.name for site in spec.sites]
    wanted = name or EE_SITE
    if wanted in names:
        return wanted
    if name is None and len(names) == 1 and names[0]:
        return str(names[0])
    known = ", ".join(map(repr, names)) or "none"
    raise ModelError(
        f"{path} has no end-effector site named {wanted!r} (its sites: {known}); add "
        f'<site name="{wanted}" pos="0 0 0"/> to the last body, at the point to be controlled.'
    )


def _read(path: Path) -> tuple[Any, Any]:
    """The file's ``MjSpec`` and what it compiles to as it stands."""
    warnings: list[str] = []
    mujoco.set_mju_user_warning(warnings.append)
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        model = spec.compile()
    except (ValueError, OSError) as error:
        raise ModelError(cannot_compile(path, str(error))) from error
    finally:
        mujoco.set_mju_user_warning(logger.warning)
    for warning in warnings:
        # NaN is MuJoCo's own mark of "not given": such a number would silently become a default.
        if "NaN" in warning:
            raise ModelError(f"{path} has a NaN among its numbers; replace it by a number, or remove it.")
        logger.warning("%s: %s", path, warning)
    return spec, model


def _check_time_step(path: Path, model: Any) -> None:
    # MuJoCo compiles timestep="nan" and timestep="-1" without a word.
    step_s = float(model.opt.timestep)
    if not (np.isfinite(step_s) and step_s > 0):
        raise ModelError(
            f'{path} has timestep {step_s:g}; it must be a positive number of seconds, e.g. timestep="0.001".'
        )


def _check_joints(path: Path, model: Any) -> None:
    for i in range(model.njnt):
        if model.jnt_type[i] != mujoco.mjtJoint.mjJNT_HINGE:
            kind = mujoco.mjtJoint(model.jnt_type[i]).name.removeprefix("mjJNT_").lower()
            raise ModelError(
                f"joint {model.joint(i).name!r} of {path} is a {kind} joint; all joints must be hinges: "
                "remove it (weld its body), e.g. the fingers of a gripper."
            )
    if model.njnt == 0:
        raise ModelError(f"{path} has no joints; an arm needs at least one hinge joint.")


def _actuated_joints(path: Path, model: Any) -> list[int]:
    """Joint that each actuator drives; checks that it is one actuator for every joint."""
    if model.nu == 0:
        raise ModelError(
            f"{path} has no actuators; add one per joint, e.g. <actuator>"
            f'<motor joint="{model.joint(0).name}" ctrlrange="-10 10"/></actuator>.'
        )
    joints: list[int] = []
    for i in range(model.nu):
        if model.actuator_trntype[i] != mujoco.mjtTrn.mjTRN_JOINT:
            kind = mujoco.mjtTrn(model.actuator_trntype[i]).name.removeprefix("mjTRN_").lower()
            raise ModelError(
                f"actuator {model.actuator(i).name!r} of {path} acts on a {kind}; every actuator must drive "
                'one joint: <motor joint="..."/>.'
            )
        joints.append(int(model.actuator_trnid[i, 0]))
    for j in range(model.njnt):
        if joints.count(j) != 1:
            raise ModelError(
                f"joint {model.joint(j).name!r} of {path} has {joints.count(j)} actuators; every joint needs "
                "exactly one."
            )
    return joints


def _torque_limit(path: Path, model: Any, actuator: int) -> float:
    """Largest torque [N m] that one actuator can give both ways, the least of all limits stated for it."""
    joint = int(model.actuator_trnid[actuator, 0])
    gear = abs(float(model.actuator_gear[actuator, 0]))
    limits: list[float] = []
    if model.actuator_forcelimited[actuator]:
        limits.append(gear * float(np.abs(model.actuator_forcerange[actuator]).min()))
    if model.jnt_actfrclimited[joint]:
        limits.append(float(np.abs(model.jnt_actfrcrange[joint]).min()))
    # Only a motor's control is a torque; a servo's is an angle or a speed.
    is_motor = (
        model.actuator_gaintype[actuator] == mujoco.mjtGain.mjGAIN_FIXED
        and model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE
    )
    if is_motor and model.actuator_ctrllimited[actuator]:
        gain = abs(float(model.actuator_gainprm[actuator, 0]))
        limits.append(gear * gain * float(np.abs(model.actuator_ctrlrange[actuator]).min()))
    limit = min(limits, default=0.0)
    if not (np.isfinite(limit) and limit > 0):
        name = model.joint(joint).name
        stated = "has no torque limit" if not limits else f"has the torque limit {limit:g} N m"
        raise ModelError(
            f"joint {name!r} of {path} {stated}; a positive one is needed: add "
            f'actuatorfrcrange="-10 10" to <joint name="{name}"/> or forcerange to its actuator [N m].'
        )
    return limit


def _drive_by_torque(spec: Any) -> None:
    """Make every actuator a plain motor without limits of its own, and a diverging state visible."""
    for actuator in spec.actuators:
        actuator.set_to_motor()
        # Limits are applied by the plant, before a perturbed gain: an actuator that gives 1.2 times what
        # it is told must not be cut back by the model.
        actuator.ctrllimited = mujoco.mjtLimited.mjLIMITED_FALSE
        actuator.forcelimited = mujoco.mjtLimited.mjLIMITED_FALSE
        actuator.actlimited = mujoco.mjtLimited.mjLIMITED_FALSE
        actuator.nsample = 0
        actuator.delay = 0.0
    for joint in spec.joints:
        joint.actfrclimited = mujoco.mjtLimited.mjLIMITED_FALSE
    # MuJoCo would answer a NaN by a silent reset to time 0.
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    spec.option.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
    spec.option.disableactuator = 0
    # Either would compile the payload away.
    spec.compiler.fusestatic = spec.compiler.discardvisual = False
    if spec.option.integrator == mujoco.mjtIntegrator.mjINT_RK4:
        # Forces that depend on the state are set between mj_step1 and mj_step2, which RK4 cannot do.
        logger.warning("model %r asks for RK4; it is integrated by implicitfast instead", spec.modelname)
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST


def _leave_out_collisions(model: Any) -> None:
    """Do not look for contacts where no two geoms can touch, which takes a fifth of a small arm's step."""
    kinds, partners = (
        np.bitwise_or.reduce(a, initial=0) for a in (model.geom_contype, model.geom_conaffinity)
    )
    if not (kinds & partners or model.npair or model.nflex):
        model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT)


def _check_physics(path: Path, arm: CompiledArm) -> None:
    """A model with a NaN in a mass or a frame compiles; its accelerations give it away."""
    data = mujoco.MjData(arm.model)
    mujoco.mj_forward(arm.model, data)
    inertia = np.zeros((arm.n_joints, arm.n_joints))
    mujoco.mj_fullM(arm.model, data, inertia)
    finite = np.isfinite(inertia).all() and np.isfinite(data.qacc).all() and np.isfinite(data.site_xpos).all()
    if not finite or np.linalg.eigvalsh(inertia)[0] <= 0:
        raise ModelError(
            f"{path} compiles to an arm whose inertia or acceleration is not finite; look for nan, inf or a "
            "zero mass in its numbers."
        )
