"""Where the end effectors of many arms are, and how they move with the joints: compiled kinematics.

``mujoco.rollout`` returns states and no kinematics. These kernels compute them for all arms in one call, by
the conventions of MuJoCo's ``mj_kinematics`` and ``mj_jacSite``; the tests hold them to MuJoCo's numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.records import FloatArray

# Columns of a segment: its frame in its parent's, the hinge, and the mass that hangs on it.
_POS, _QUAT, _ANCHOR, _AXIS, _ZERO, COM, MASS = 0, 3, 7, 10, 13, 14, 17
N_COLUMNS = 18


@dataclass(frozen=True, eq=False)
class Chain:
    """An arm's kinematic tree in plain arrays: one segment per hinge, or per body without one.

    Attributes:
        segments: Frame, hinge, centre of mass [m] and mass [kg], shape (n_segments, 18).
        tree: Parent segment (-1: the world) and joint (-1: none) of each, shape (n_segments, 2).
        tool: Position [m] and quaternion of the end effector in its segment, shape (7,).
        tool_segment: That segment.
    """

    segments: FloatArray
    tree: NDArray[np.int64]
    tool: FloatArray
    tool_segment: int


def chain_of(model: Any, site_id: int, *, without: int = -1) -> Chain:
    """The kinematic tree of a compiled arm.

    Args:
        model: ``MjModel`` whose joints are hinges.
        site_id: The end effector's site.
        without: A body to leave out: a payload's.
    """
    rows: list[FloatArray] = []
    tree: list[tuple[int, int]] = []
    last_of = {0: -1}  # the last segment of each body
    for body in range(1, model.nbody):
        if body == without:
            continue
        parent = last_of[int(model.body_parentid[body])]
        first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        for joint in range(first, first + count) if count else (-1,):
            row = np.zeros(N_COLUMNS)
            row[_QUAT] = 1.0
            if joint in (first, -1):
                row[_POS : _POS + 3], row[_QUAT : _QUAT + 4] = model.body_pos[body], model.body_quat[body]
            if joint >= 0:
                row[_ANCHOR : _ANCHOR + 3] = model.jnt_pos[joint]
                row[_AXIS : _AXIS + 3] = model.jnt_axis[joint]
                row[_ZERO] = model.qpos0[joint]
            rows.append(row)
            tree.append((parent, joint))
            parent = len(rows) - 1
        rows[-1][COM : COM + 3], rows[-1][MASS] = model.body_ipos[body], model.body_mass[body]
        last_of[body] = len(rows) - 1
    tool = np.concatenate((model.site_pos[site_id], model.site_quat[site_id]))
    segment = last_of[int(model.site_bodyid[site_id])]
    return Chain(np.array(rows), np.array(tree, dtype=np.int64), tool, segment)


@kernel(inline="always")
def rotate(w, x, y, z, vx, vy, vz):  # type: ignore[no-untyped-def]
    """``q v q*`` for a unit quaternion; in scalars: temporary arrays would cost more."""
    tx = 2.0 * (y * vz - z * vy)
    ty = 2.0 * (z * vx - x * vz)
    tz = 2.0 * (x * vy - y * vx)
    return vx + w * tx + y * tz - z * ty, vy + w * ty + z * tx - x * tz, vz + w * tz + x * ty - y * tx


@kernel(inline="always")
def multiply(aw, ax, ay, az, bw, bx, by, bz):  # type: ignore[no-untyped-def]
    """The quaternion ``a b``."""
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


@kernel
def place(segments, tree, e, q, frames, hinges):  # type: ignore[no-untyped-def]
    """Frames of all segments of one arm, and its hinges in the world.

    Args:
        segments: Shape (n_arms, n_segments, 18).
        tree: Parents and joints, shape (n_segments, 2).
        e: Which arm.
        q: Joint angles [rad], shape (n_arms, n_joints).
        frames: Out: origin [m] and quaternion of each segment, shape (n_segments, 7).
        hinges: Out: a point on each hinge [m] and its direction, shape (n_joints, 6).
    """
    for s in range(tree.shape[0]):
        row, parent, joint = segments[e, s], tree[s, 0], tree[s, 1]
        px, py, pz = row[_POS], row[_POS + 1], row[_POS + 2]
        w, x, y, z = row[_QUAT], row[_QUAT + 1], row[_QUAT + 2], row[_QUAT + 3]
        if parent >= 0:
            f = frames[parent]
            dx, dy, dz = rotate(f[3], f[4], f[5], f[6], px, py, pz)
            px, py, pz = f[0] + dx, f[1] + dy, f[2] + dz
            w, x, y, z = multiply(f[3], f[4], f[5], f[6], w, x, y, z)
        if joint >= 0:
            ox, oy, oz = row[_ANCHOR], row[_ANCHOR + 1], row[_ANCHOR + 2]
            ux, uy, uz = row[_AXIS], row[_AXIS + 1], row[_AXIS + 2]
            dx, dy, dz = rotate(w, x, y, z, ox, oy, oz)
            if hinges is not None:
                h = hinges[joint]
                h[0], h[1], h[2] = px + dx, py + dy, pz + dz
                h[3], h[4], h[5] = rotate(w, x, y, z, ux, uy, uz)
            half = 0.5 * (q[e, joint] - row[_ZERO])
            c, d = np.cos(half), np.sin(half)
            w, x, y, z = multiply(w, x, y, z, c, d * ux, d * uy, d * uz)
            norm = np.sqrt(w * w + x * x + y * y + z * z)
            w, x, y, z = w / norm, x / norm, y / norm, z / norm
            dx, dy, dz = rotate(w, x, y, z, ox, oy, oz)
            px, py, pz = h[0] - dx, h[1] - dy, h[2] - dz
        f = frames[s]
        f[0], f[1], f[2], f[3], f[4], f[5], f[6] = px, py, pz, w, x, y, z


@kernel
def moves(tree, tool_segment, joints):  # type: ignore[no-untyped-def]
    """Mark the joints between the world and a segment in ``joints``, shape (n_joints,)."""
    joints[:] = False
    s = tool_segment
    while s >= 0:
        if tree[s, 1] >= 0:
            joints[tree[s, 1]] = True
        s = tree[s, 0]


@kernel
def locate(segments, tree, tools, tool_segment, q, position, quaternion, jacobian):  # type: ignore[no-untyped-def]
    """End effectors of many arms.

    Args:
        segments: Shape (n_arms, n_segments, 18).
        tree: Parents and joints, the same for all arms, shape (n_segments, 2).
        tools: Shape (n_arms, 7).
        tool_segment: The end effector's segment.
        q: Joint angles [rad], shape (n_arms, n_joints).
        position: Out: [m], shape (n_arms, 3).
        quaternion: Out: w x y z, shape (n_arms, 4).
        jacobian: Out: linear rows first, in the world frame, shape (n_arms, 6, n_joints); None leaves it out.
    """
    n_joints = q.shape[1]
    frames, hinges = np.empty((tree.shape[0], 7)), np.empty((n_joints, 6))
    moving = np.empty(n_joints, dtype=np.bool_)
    moves(tree, tool_segment, moving)
    for e in range(q.shape[0]):
        place(segments, tree, e, q, frames, hinges)
        f, t = frames[tool_segment], tools[e]
        dx, dy, dz = rotate(f[3], f[4], f[5], f[6], t[0], t[1], t[2])
        px, py, pz = f[0] + dx, f[1] + dy, f[2] + dz
        position[e, 0], position[e, 1], position[e, 2] = px, py, pz
        w, x, y, z = multiply(f[3], f[4], f[5], f[6], t[3], t[4], t[5], t[6])
        quaternion[e, 0], quaternion[e, 1], quaternion[e, 2], quaternion[e, 3] = w, x, y, z
        if jacobian is not None:
            _differentiate(hinges, moving, position[e], jacobian[e])


@kernel
def _differentiate(hinges, moving, position, jacobian):  # type: ignore[no-untyped-def]
    """How one end effector moves with the hinges: ``axis x (position - point on it)``, and ``axis``."""
    for j in range(hinges.shape[0]):
        if not moving[j]:
            jacobian[:, j] = 0.0
            continue
        h = hinges[j]
        ax, ay, az = position[0] - h[0], position[1] - h[1], position[2] - h[2]
        jacobian[0, j] = h[4] * az - h[5] * ay
        jacobian[1, j] = h[5] * ax - h[3] * az
        jacobian[2, j] = h[3] * ay - h[4] * ax
        jacobian[3, j], jacobian[4, j], jacobian[5, j] = h[3], h[4], h[5]
