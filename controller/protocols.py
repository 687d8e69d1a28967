"""What the loop consumes: an arm, its dynamics, a controller; and the records that pass between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from spikearm.records import NO_COST, NO_COUNTS, Cost, FloatArray, JointState, OpCounts, Pose


@dataclass(frozen=True, slots=True)
class Target:
    """Where the end effector should be in this tick, and how it should be moving.

    Attributes:
        pose: Desired pose.
        velocity: Desired linear and angular velocity [m/s, rad/s], shape (6,).
        acceleration: Desired linear and angular acceleration [m/s^2, rad/s^2], shape (6,).
        q: The same as joint angles [rad], shape (n_joints,), for laws in joint space; None otherwise.
        dq: Desired joint velocities [rad/s], or None.
        ddq: Desired joint accelerations [rad/s^2], or None.
        posture: Joint angles that a law which leaves joints free draws them to [rad], shape (n_joints,); None
            for the law's own.
        leading: Whether it leads to where a path begins: nothing is learned on the way there, which may go
            through postures that no path would.
    """

    pose: Pose
    velocity: FloatArray
    acceleration: FloatArray
    q: FloatArray | None = None
    dq: FloatArray | None = None
    ddq: FloatArray | None = None
    posture: FloatArray | None = None
    leading: bool = False


@dataclass(frozen=True, slots=True)
class LawOutput:
    """What a control law asks for, in two parts.

    Attributes:
        task: Torque that drives the error to zero [N m], shape (n_joints,). It trains the network.
        support: Gravity, Coriolis and null-space torque [N m], shape (n_joints,). It must not train the
            network: it is not zero when the task is done.
        onto_task: Matrix that keeps of any torque the part that moves the task, shape (n_joints, n_joints);
            None where every torque does.
    """

    task: FloatArray
    support: FloatArray
    onto_task: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """The decision of one tick.

    Attributes:
        torque: Commanded torque, within the arm's limits [N m], shape (n_joints,).
        task_torque: Part of it that comes from the law's task [N m], shape (n_joints,).
        adaptive_torque: Part of it that comes from the network [N m], shape (n_joints,).
        saturated: Whether a limit cut the torque.
        cost: Modelled cost of the network's steps in this tick.
        counts: Operations of the network's steps in this tick.
        law_s: Measured time of the law [s].
        network_s: Measured time of the network [s].
        network_age_s: Measured age of the network's output [s]; 0 where a step is done when it returns.
        fallback: Where the network's part comes from: 0 the network, 1 its last good output, 2 nowhere any
            more (see :mod:`spikearm.controller.fallback`).
    """

    torque: FloatArray
    task_torque: FloatArray
    adaptive_torque: FloatArray
    saturated: bool
    cost: Cost = NO_COST
    counts: OpCounts = NO_COUNTS
    law_s: float = 0.0
    network_s: float = 0.0
    network_age_s: float = 0.0
    fallback: int = 0


class Plant(Protocol):
    """An arm, simulated or real: read, write, nothing else."""

    @property
    def dt_s(self) -> float:
        """Time between two writes [s]."""
        ...

    def reset(self, *, seed: int | None = None) -> JointState:
        """Bring the arm to its starting state."""
        ...

    def read(self) -> JointState:
        """What the arm's sensors say now."""
        ...

    def write(self, torque: FloatArray) -> FloatArray:
        """Apply a torque for one period.

        Args:
            torque: Wanted torque [N m], shape (n_joints,).

        Returns:
            Torque really applied [N m], shape (n_joints,).
        """
        ...

    def close(self) -> None:
        """Torque off; closing twice is not an error."""
        ...


class ArmDynamics(Protocol):
    """The controller's own model of the arm: it knows nothing of payloads or of the plant's state.

    Call :meth:`update` once per tick; the other methods then refer to that state. Arrays returned may
    be overwritten by the next ``update``; a caller that keeps one copies it.
    """

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        ...

    @property
    def torque_limits(self) -> FloatArray:
        """Largest torque of each joint, both ways [N m], shape (n_joints,)."""
        ...

    def update(self, q: FloatArray, dq: FloatArray) -> None:
        """Compute everything below for this state.

        Args:
            q: Joint angles [rad], shape (n_joints,).
            dq: Joint velocities [rad/s], shape (n_joints,).
        """
        ...

    def mass_matrix(self) -> FloatArray:
        """Joint-space inertia [kg m^2], shape (n_joints, n_joints)."""
        ...

    def bias(self) -> FloatArray:
        """Torque of gravity, Coriolis, centrifugal and modelled passive forces [N m], shape (n_joints,)."""
        ...

    def jacobian(self) -> FloatArray:
        """End effector's Jacobian, linear rows first, in the world frame, shape (6, n_joints)."""
        ...

    def jacobian_dot_dq(self) -> FloatArray:
        """Acceleration of the end effector at zero joint acceleration [m/s^2, rad/s^2], shape (6,)."""
        ...

    def pose(self) -> Pose:
        """Pose of the end effector."""
        ...


class Law(Protocol):
    """A control law: from the state and the target to torque, no network involved."""

    def reset(self) -> None:
        """Forget integrals and other memory."""
        ...

    def compute(self, state: JointState, target: Target) -> LawOutput:
        """Torque for this tick."""
        ...

    def notify_saturated(self, saturated: bool) -> None:
        """Told after every tick whether the torque was cut, so that an integral can stop winding up."""
        ...


class Controller(Protocol):
    """Turns a state into a command, once per tick."""

    def reset(self) -> None:
        """Start anew, learned weights included."""
        ...

    def resume(self) -> None:
        """Go on after the arm was stopped, with what was learned."""
        ...

    def update(self, state: JointState, target: Target) -> Command:
        """The decision of this tick."""
        ...

    def notify_applied(self, sent: FloatArray, applied: FloatArray) -> None:
        """Told after every write what was sent to the arm and what it really received.

        Both are torques [N m], shape (n_joints,).

        With a modelled actuation delay, ``sent`` is the torque of an earlier tick. Where a torque may not
        change as fast as it was to and lags, ``sent`` is what should have been sent.
        """
        ...

    def close(self) -> None:
        """Release the substrate."""
        ...
