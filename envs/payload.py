"""A payload whose mass can be changed while the arm moves."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

BODY = "spikearm_payload"
GEOM = "spikearm_payload"

STEEL_KG_M3 = 7850.0
"""Density of the sphere that a payload is taken to be: it sets the payload's own (small) inertia."""

_NO_MASS_KG = 1e-9
"""MuJoCo wants positive inertia everywhere; this much is far below what any arm can feel."""

# Compiled away from the body's origin and hidden: MuJoCo drops the offset of a body (or geom) that lies
# exactly on its frame, and then ignores it when it is changed later.
_COMPILED_OFFSET_M = (0.011, 0.012, 0.013)
_COLOUR = (0.75, 0.2, 0.2, 1.0)


def add_payload_body(spec: Any, model: Any, ee_site: str) -> None:
    """Weld an (almost) massless body to the end effector, in the frame of its site.

    Args:
        spec: ``MjSpec`` of the arm, changed in place.
        model: What it compiles to as yet; the site's frame is read here, in whichever way the file gave it.
        ee_site: Name of the end-effector site.
    """
    site = model.site(ee_site)
    body = spec.site(ee_site).parent.add_body(name=BODY, pos=site.pos, quat=site.quat)
    body.explicitinertial = True
    body.mass = _NO_MASS_KG
    body.ipos = _COMPILED_OFFSET_M
    body.inertia = [_sphere_inertia(_NO_MASS_KG)] * 3
    geom = body.add_geom(name=GEOM, type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.01, 0, 0])
    geom.mass = _NO_MASS_KG
    geom.pos = _COMPILED_OFFSET_M
    geom.rgba = (*_COLOUR[:3], 0.0)
    geom.contype = geom.conaffinity = 0
    geom.group = 2


def set_payload(model: Any, scratch: Any, mass_kg: float, offset_m: tuple[float, float, float]) -> None:
    """Give the payload body a mass and a centre; derived constants of the model are computed anew.

    Args:
        model: ``MjModel`` compiled with :func:`add_payload_body`, changed in place.
        scratch: ``MjData`` of that model which is nobody's state: ``mj_setConst`` moves it.
        mass_kg: Mass of the payload [kg], 0 for none.
        offset_m: Its centre in the frame of the end-effector site [m].
    """
    mass = max(mass_kg, _NO_MASS_KG)
    body = model.body(BODY).id
    model.body_mass[body] = mass
    model.body_inertia[body] = _sphere_inertia(mass)
    model.body_ipos[body] = offset_m
    _show(model, mass_kg, offset_m)
    mujoco.mj_setConst(model, scratch)


def _show(model: Any, mass_kg: float, offset_m: tuple[float, float, float]) -> None:
    """The sphere as a picture shows it."""
    geom = model.geom(GEOM).id
    model.geom_pos[geom] = offset_m
    model.geom_size[geom, 0] = model.geom_rbound[geom] = _sphere_radius(max(mass_kg, _NO_MASS_KG))
    model.geom_rgba[geom] = (*_COLOUR[:3], 1.0 if mass_kg > 0 else 0.0)


def _sphere_radius(mass_kg: float) -> float:
    """Radius [m] of a solid steel sphere."""
    return float(np.cbrt(3.0 * mass_kg / (4.0 * np.pi * STEEL_KG_M3)))


def _sphere_inertia(mass_kg: float) -> float:
    """Moment of inertia of that sphere about its centre, 2/5 m r^2 [kg m^2]."""
    return 0.4 * mass_kg * _sphere_radius(mass_kg) ** 2
