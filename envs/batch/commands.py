"""From actions in [-1, 1] to what every drive is told in every physics step: compiled."""

from __future__ import annotations

import numpy as np

from spikearm.compiled import kernel

# Action modes, as numbers for the kernels.
TORQUE, POSITION, POSE = 0, 1, 2


@kernel
def next_commands(mode, actions, scale, low, high, jacobian, axes, rate_limit, history):  # type: ignore[no-untyped-def]
    """Put the command of each arm's action in front of its history.

    Args:
        mode: TORQUE (action times scale), POSITION (the last command moved by it) or POSE (the last command
            moved so that the end effector moves by it).
        actions: Shape (n_arms, n_actions); cut to [-1, 1].
        scale: Of each action: [N m], [rad] or [m, rad] per step, shape (n_actions,).
        low: Least command of each joint, shape (n_joints,); ``high`` accordingly.
        high: Greatest command.
        jacobian: POSE: of the end effector at the last command, shape (n_arms, 6, n_joints).
        axes: POSE: which of x, y, z, rx, ry, rz an action moves, shape (n_actions,).
        rate_limit: POSE: most that a joint moves in one step [rad].
        history: In and out: commands, newest first, shape (n_arms, depth, n_joints).

    Returns:
        Whether all actions are finite; if not, nothing was changed.
    """
    n_arms, depth, n_joints = history.shape
    if not _all_finite(actions):
        return False
    step = np.empty(n_joints)
    for e in range(n_arms):
        for j in range(n_joints):
            step[j] = 0.0
        if mode == POSE:
            _resolve(actions[e], scale, jacobian[e], axes, rate_limit, step)
        else:
            for j in range(n_joints):
                step[j] = scale[j] * min(1.0, max(-1.0, actions[e, j]))
        for k in range(depth - 1, 0, -1):
            for j in range(n_joints):
                history[e, k, j] = history[e, k - 1, j]
        for j in range(n_joints):
            wanted = step[j] if mode == TORQUE else history[e, 1, j] + step[j]
            history[e, 0, j] = min(high[j], max(low[j], wanted))
    return True


@kernel
def _all_finite(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in values.flat:
        total += 0.0 * value  # NaN as soon as one is NaN or infinite
    return total == 0.0


@kernel
def _resolve(action, scale, jacobian, axes, rate_limit, step):  # type: ignore[no-untyped-def]
    """Resolved motion by damped least squares, ``J^T (J J^T + l I)^-1 dx`` (Nakamura and Hanafusa 1986)."""
    n_axes, n_joints = axes.shape[0], jacobian.shape[1]
    a, b = np.empty((n_axes, n_axes)), np.empty(n_axes)
    for i in range(n_axes):
        b[i] = scale[i] * min(1.0, max(-1.0, action[i]))
        for k in range(n_axes):
            total = 1e-3 if i == k else 0.0  # l: 3 cm, or 0.03 rad, against the arm's length of about 1 m
            for j in range(n_joints):
                total += jacobian[axes[i], j] * jacobian[axes[k], j]
            a[i, k] = total
    _solve(a, b)
    fastest = 0.0
    for j in range(n_joints):
        for i in range(n_axes):
            step[j] += jacobian[axes[i], j] * b[i]
        fastest = max(fastest, abs(step[j]))
    if fastest > rate_limit:
        for j in range(n_joints):
            step[j] *= rate_limit / fastest


@kernel
def _solve(a, b):  # type: ignore[no-untyped-def]
    """Solve ``a x = b`` in place for a positive definite matrix, by elimination without pivots."""
    n = b.shape[0]
    for i in range(n):
        for r in range(i + 1, n):
            factor = a[r, i] / a[i, i]
            for c in range(i, n):
                a[r, c] -= factor * a[i, c]
            b[r] -= factor * b[i]
    for i in range(n - 1, -1, -1):
        for c in range(i + 1, n):
            b[i] -= a[i, c] * b[c]
        b[i] /= a[i, i]


@kernel
def spread(history, delay, interpolate, actuator_of_joint, control):  # type: ignore[no-untyped-def]
    """What the drives are told in each physics step of one control step.

    Args:
        history: Commands, newest first, shape (n_arms, depth, n_joints).
        delay: Age of a command when it arrives, in physics steps.
        interpolate: Whether drives go to a command within a control step, or jump to it.
        actuator_of_joint: Column of each joint.
        control: Out: shape (n_arms, n_substeps, n_columns).
    """
    n_arms, _, n_joints = history.shape
    n_substeps = control.shape[1]
    for k in range(n_substeps):
        late = k - delay
        age = -(late // n_substeps)  # 0: the command just given
        share = (late + age * n_substeps + 1) / n_substeps if interpolate else 1.0
        for e in range(n_arms):
            for j in range(n_joints):
                old, new = history[e, age + 1, j], history[e, age, j]
                value = new if share == 1.0 else old + share * (new - old)
                control[e, k, actuator_of_joint[j]] = value


@kernel
def summarise(trace, forces, limits, physics_dt_s, state, work, torque, saturated, sane):  # type: ignore[no-untyped-def]
    """What a control step came to; an arm whose physics diverged stays in the state before.

    Args:
        trace: State after each physics step: time, angles, velocities, shape (n_arms, n_substeps, 1 + 2 n).
        forces: Torque of the drives in each physics step [N m], shape (n_arms, n_substeps, n_joints).
        limits: Largest torque [N m], shape (n_arms, n_joints).
        physics_dt_s: Physics time step [s].
        state: In: the state before; out: after, shape (n_arms, 1 + 2 n).
        work: Out: sum of |torque x velocity| dt over joints and steps [J], shape (n_arms,).
        torque: Out: of the last physics step [N m], shape (n_arms, n_joints).
        saturated: Out: whether a joint's limit was met in any step, shape (n_arms,).
        sane: Out: whether MuJoCo had nothing to warn of, and the state is finite, shape (n_arms,).

    Returns:
        Whether all arms are sane.
    """
    n_arms, n_substeps, n_joints = forces.shape
    all_sane = True
    for e in range(n_arms):
        # A rollout that MuJoCo warned of stands still from there on: its clock tells.
        late_s = state[e, 0] + n_substeps * physics_dt_s - trace[e, n_substeps - 1, 0]
        good = abs(late_s) < 0.5 * physics_dt_s
        for i in range(trace.shape[2]):
            good = good and abs(trace[e, n_substeps - 1, i]) < 1e10  # MuJoCo's own bound; false for NaN too
        sane[e] = good
        if not good:
            work[e], saturated[e], all_sane = 0.0, False, False
            continue
        total, cut = 0.0, False
        for j in range(n_joints):
            for k in range(n_substeps):
                velocity = state[e, 1 + n_joints + j] if k == 0 else trace[e, k - 1, 1 + n_joints + j]
                total += abs(forces[e, k, j] * velocity)
                cut = cut or abs(forces[e, k, j]) >= limits[e, j]
            torque[e, j] = forces[e, n_substeps - 1, j]
        for i in range(trace.shape[2]):
            state[e, i] = trace[e, n_substeps - 1, i]
        work[e], saturated[e] = total * physics_dt_s, cut
    return all_sane
