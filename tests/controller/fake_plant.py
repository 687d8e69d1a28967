"""A plant of independent unit masses, a planar two-link arm's dynamics, and what a loop needs beside them."""

from __future__ import annotations

import math

import numpy as np

from spikearm.controller.orientation import from_rotation_vector
from spikearm.controller.path import Schedule, out_and_back, sample
from spikearm.controller.protocols import Command, Target
from spikearm.controller.tickschema import TickRecord
from spikearm.records import Cost, FloatArray, JointState, Pose

UPRIGHT = np.array((1.0, 0.0, 0.0, 0.0))


class FakePlant:
    """Double integrators: ``ddq = torque``, semi-implicit Euler."""

    def __init__(self, n_joints: int = 2, dt_s: float = 1e-3, limit: float = math.inf) -> None:
        self.dt_s = dt_s
        self.limit = limit
        self.n_joints = n_joints
        self.written: list[FloatArray] = []
        self.n_closed = 0
        self.reset()

    def reset(self, *, seed: int | None = None) -> JointState:
        self.q, self.dq, self.n_steps = np.zeros(self.n_joints), np.zeros(self.n_joints), 0
        return self.read()

    def read(self) -> JointState:
        return JointState(self.q.copy(), self.dq.copy(), self.n_steps * self.dt_s)

    def write(self, torque: FloatArray) -> FloatArray:
        self.written.append(torque.copy())
        applied = np.clip(torque, -self.limit, self.limit)
        self.dq += applied * self.dt_s
        self.q += self.dq * self.dt_s
        self.n_steps += 1
        return applied

    def pose(self) -> Pose:
        return Pose(np.array((self.q[0], self.q[1], 0.0)), UPRIGHT)

    def close(self) -> None:
        self.n_closed += 1


class FakeController:
    """PD on the first two coordinates of the target; takes any cost and fault at a tick."""

    def __init__(self, cost: Cost | None = None) -> None:
        self.cost = cost or Cost()
        self.notified: list[tuple[FloatArray, FloatArray]] = []
        self.torque_at: dict[int, FloatArray] = {}
        self.n_updates = 0

    def reset(self) -> None:
        self.n_updates = 0

    def update(self, state: JointState, target: Target) -> Command:
        torque = 400.0 * (target.pose.position[:2] - state.q) + 40.0 * (target.velocity[:2] - state.dq)
        torque = self.torque_at.get(self.n_updates, torque)
        self.n_updates += 1
        return Command(torque, torque, np.zeros(2), saturated=False, cost=self.cost)

    def notify_applied(self, sent: FloatArray, applied: FloatArray) -> None:
        self.notified.append((sent, applied))

    def close(self) -> None:
        pass


class TwoLinkArm:
    """Analytic dynamics of a planar arm (Spong, Hutchinson and Vidyasagar 2006, ch. 7), in the x-y plane.

    Links of length 1 m and 0.8 m, masses 2 kg and 1.5 kg in their middle, gravity along -y. The joint axes
    are z; the end effector turns about z. Row 2 (z), 3 and 4 (rx, ry) of the Jacobian are zero.
    """

    n_joints = 2
    torque_limits = np.array((50.0, 30.0))
    l1, l2, m1, m2, i1, i2, gravity = 1.0, 0.8, 2.0, 1.5, 0.17, 0.08, 9.81

    def __init__(self) -> None:
        self.update(np.zeros(2), np.zeros(2))

    def update(self, q: FloatArray, dq: FloatArray) -> None:
        self.q, self.dq = q.copy(), dq.copy()

    def mass_matrix(self) -> FloatArray:
        c1, c2 = self.l1 / 2, self.l2 / 2
        coupling = self.m2 * self.l1 * c2 * math.cos(self.q[1])
        m22 = self.m2 * c2**2 + self.i2
        m12 = m22 + coupling
        m11 = self.m1 * c1**2 + self.i1 + self.m2 * self.l1**2 + m22 + 2 * coupling
        return np.array(((m11, m12), (m12, m22)))

    def bias(self) -> FloatArray:
        c1, c2 = self.l1 / 2, self.l2 / 2
        h = self.m2 * self.l1 * c2 * math.sin(self.q[1])
        dq1, dq2 = self.dq
        coriolis = np.array((-h * (2 * dq1 * dq2 + dq2**2), h * dq1**2))
        a, b = math.cos(self.q[0]), math.cos(self.q[0] + self.q[1])
        g2 = self.m2 * self.gravity * c2 * b
        return coriolis + np.array((self.gravity * (self.m1 * c1 + self.m2 * self.l1) * a + g2, g2))

    def jacobian(self) -> FloatArray:
        s1, s12 = math.sin(self.q[0]), math.sin(self.q.sum())
        c1, c12 = math.cos(self.q[0]), math.cos(self.q.sum())
        jacobian = np.zeros((6, 2))
        jacobian[0] = (-self.l1 * s1 - self.l2 * s12, -self.l2 * s12)
        jacobian[1] = (self.l1 * c1 + self.l2 * c12, self.l2 * c12)
        jacobian[5] = (1.0, 1.0)
        return jacobian

    def jacobian_dot_dq(self) -> FloatArray:
        w1, w12 = self.dq[0] ** 2, self.dq.sum() ** 2
        out = np.zeros(6)
        out[0] = -self.l1 * math.cos(self.q[0]) * w1 - self.l2 * math.cos(self.q.sum()) * w12
        out[1] = -self.l1 * math.sin(self.q[0]) * w1 - self.l2 * math.sin(self.q.sum()) * w12
        return out

    def pose(self) -> Pose:
        x = self.l1 * math.cos(self.q[0]) + self.l2 * math.cos(self.q.sum())
        y = self.l1 * math.sin(self.q[0]) + self.l2 * math.sin(self.q.sum())
        return Pose(np.array((x, y, 0.0)), from_rotation_vector(np.array((0.0, 0.0, self.q.sum()))))


class ArmPlant:
    """The two-link arm as a plant: forward dynamics of its own model, semi-implicit Euler."""

    def __init__(self, q0: FloatArray, dt_s: float = 1e-3) -> None:
        self.dt_s = dt_s
        self.arm = TwoLinkArm()
        self.q, self.dq, self.t_s = q0.copy(), np.zeros(2), 0.0

    def step(self, torque: FloatArray) -> None:
        self.arm.update(self.q, self.dq)
        self.dq = self.dq + self.dt_s * np.linalg.solve(self.arm.mass_matrix(), torque - self.arm.bias())
        self.q = self.q + self.dt_s * self.dq
        self.t_s += self.dt_s

    @property
    def state(self) -> JointState:
        return JointState(self.q.copy(), self.dq.copy(), self.t_s)

    def pose(self) -> Pose:
        self.arm.update(self.q, self.dq)
        return self.arm.pose()


def short_schedule(n_ticks: int = 200, dt_s: float = 1e-3) -> Schedule:
    """Two reaches of 0.1 m along x, then hold."""
    start = Pose(np.zeros(3), UPRIGHT)
    path = out_and_back(start, np.array((1.0, 0.0, 0.0)), 0.1, n_reaches=2, duration_s=0.05)
    return sample(path, dt_s, n_ticks)


def still(pose: Pose, q: FloatArray | None = None) -> Target:
    """Hold this pose (and these joint angles)."""
    zero = None if q is None else np.zeros_like(q)
    return Target(pose, np.zeros(6), np.zeros(6), q, zero, zero)


def some_record(rng: np.random.Generator, n_joints: int = 2) -> TickRecord:
    """A record of random numbers."""
    draw = [rng.normal(size=n_joints) for _ in range(6)]
    pose = Pose(rng.normal(size=3), UPRIGHT)
    command = Command(draw[2], draw[3], draw[4], saturated=bool(rng.integers(2)))
    state = JointState(draw[0], draw[1], float(rng.random()))
    return TickRecord(state, still(pose), pose, command, draw[5], latency_tick_s=float(rng.random()))
