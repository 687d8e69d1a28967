"""Torques on many arms from causes that MuJoCo has no element for: compiled, for the state of every arm."""

from __future__ import annotations

import numpy as np

from spikearm.compiled import kernel
from spikearm.envs.batch.chain import COM, MASS, moves, place, rotate


@kernel
def unmodelled(  # type: ignore[no-untyped-def]
    segments, tree, tools, tool_segment, q, dq, force, field, tilt, payload, gain, frequency, phase, out
):
    """Sum of an outside force, a tilt that drives do not compensate, and an unknown function of the angles.

    ``J^T (f + B J dq) + sum_b J_b^T m_b d + A sin(W q + phi)``, as
    :class:`~spikearm.envs.external.ExternalForce` for the first term.

    Args:
        segments: Shape (n_arms, n_segments, 18).
        tree: Parents and joints, shape (n_segments, 2).
        tools: End effectors in their segment, shape (n_arms, 7).
        tool_segment: That segment.
        q: Joint angles [rad], shape (n_arms, n_joints).
        dq: Joint velocities [rad/s].
        force: f [N], shape (n_arms, 3).
        field: B [N s/m], shape (n_arms, 3, 3).
        tilt: d, gravity less what the drives take it to be [m/s^2], shape (n_arms, 3).
        payload: Its centre in the end effector's frame [m] and its mass [kg], shape (n_arms, 4); a body b.
        gain: A [N m], shape (n_arms, n_joints, n_waves).
        frequency: W, shape (n_arms, n_waves, n_joints).
        phase: phi [rad], shape (n_arms, n_waves).
        out: Out: torque [N m], shape (n_arms, n_joints).
    """
    n_joints = q.shape[1]
    frames, hinges = np.empty((tree.shape[0], 7)), np.empty((n_joints, 6))
    moving = np.empty(n_joints, dtype=np.bool_)
    moves(tree, tool_segment, moving)
    point, pull, speed = np.empty(3), np.empty(3), np.empty(3)
    for e in range(q.shape[0]):
        place(segments, tree, e, q, frames, hinges)
        f, t = frames[tool_segment], tools[e]
        dx, dy, dz = rotate(f[3], f[4], f[5], f[6], t[0], t[1], t[2])
        point[0], point[1], point[2] = f[0] + dx, f[1] + dy, f[2] + dz
        speed[:] = 0.0
        for j in range(n_joints):
            out[e, j] = 0.0
            if moving[j]:
                h = hinges[j]
                ax, ay, az = point[0] - h[0], point[1] - h[1], point[2] - h[2]
                speed[0] += dq[e, j] * (h[4] * az - h[5] * ay)
                speed[1] += dq[e, j] * (h[5] * ax - h[3] * az)
                speed[2] += dq[e, j] * (h[3] * ay - h[4] * ax)
        for i in range(3):
            pull[i] = force[e, i]
            for k in range(3):
                pull[i] += field[e, i, k] * speed[k]
        _lever(hinges, tree, tool_segment, point, pull, out, e)
        if tilt[e, 0] != 0.0 or tilt[e, 1] != 0.0 or tilt[e, 2] != 0.0:
            _add_weight(segments, tree, frames, hinges, tilt, point, pull, out, e)
            c = payload[e]
            dx, dy, dz = rotate(t[3], t[4], t[5], t[6], c[0], c[1], c[2])
            dx, dy, dz = rotate(f[3], f[4], f[5], f[6], t[0] + dx, t[1] + dy, t[2] + dz)
            point[0], point[1], point[2] = f[0] + dx, f[1] + dy, f[2] + dz
            for i in range(3):
                pull[i] = c[3] * tilt[e, i]
            _lever(hinges, tree, tool_segment, point, pull, out, e)
        _add_waves(gain, frequency, phase, q, out, e)


@kernel
def _add_weight(segments, tree, frames, hinges, tilt, point, pull, out, e):  # type: ignore[no-untyped-def]
    """What an acceleration does to every mass of an arm."""
    for s in range(tree.shape[0]):
        row, f = segments[e, s], frames[s]
        dx, dy, dz = rotate(f[3], f[4], f[5], f[6], row[COM], row[COM + 1], row[COM + 2])
        point[0], point[1], point[2] = f[0] + dx, f[1] + dy, f[2] + dz
        for i in range(3):
            pull[i] = row[MASS] * tilt[e, i]
        _lever(hinges, tree, s, point, pull, out, e)


@kernel
def _add_waves(gain, frequency, phase, q, out, e):  # type: ignore[no-untyped-def]
    """The unknown function of an arm's angles."""
    n_joints = q.shape[1]
    for w in range(phase.shape[1]):
        angle = phase[e, w]
        for j in range(n_joints):
            angle += frequency[e, w, j] * q[e, j]
        height = np.sin(angle)
        for j in range(n_joints):
            out[e, j] += gain[e, j, w] * height


@kernel
def _lever(hinges, tree, segment, point, pull, out, e):  # type: ignore[no-untyped-def]
    """Add the torques of a force at a point of a segment to all joints between it and the world."""
    s = segment
    while s >= 0:
        j = tree[s, 1]
        if j >= 0:
            h = hinges[j]
            ax, ay, az = point[0] - h[0], point[1] - h[1], point[2] - h[2]
            out[e, j] += (
                (h[4] * az - h[5] * ay) * pull[0]
                + (h[5] * ax - h[3] * az) * pull[1]
                + (h[3] * ay - h[4] * ax) * pull[2]
            )
        s = tree[s, 0]
