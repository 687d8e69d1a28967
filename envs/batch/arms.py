"""Many arms in MuJoCo that take their steps together, each with a perturbation of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from mujoco import _rollout
from numpy.typing import NDArray

from spikearm.envs.batch.body import Body
from spikearm.envs.batch.chain import chain_of, locate, place
from spikearm.envs.batch.commands import summarise
from spikearm.envs.batch.unmodelled import unmodelled
from spikearm.envs.mjcf import CompiledArm
from spikearm.envs.payload import BODY
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.errors import ClosedError
from spikearm.records import FloatArray
from spikearm.timesteps import n_steps

_CTRL = int(mujoco.mjtState.mjSTATE_CTRL)
_CTRL_AND_FORCE = _CTRL | int(mujoco.mjtState.mjSTATE_QFRC_APPLIED)
_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS


@dataclass(frozen=True, eq=False)
class Waves:
    """An unknown torque ``A sin(W q + phi)`` on the joints.

    Attributes:
        gain: A [N m], shape (n_joints, n_waves).
        frequency: W, shape (n_waves, n_joints).
        phase: phi [rad], shape (n_waves,).
    """

    gain: FloatArray
    frequency: FloatArray
    phase: FloatArray


class ArmBatch:
    """Arms of one kinematic tree, their states in rows of one array.

    One step is one call of MuJoCo's threaded rollout, so no Python runs between physics steps. Forces that
    depend on the state (a force field, an unknown function) are the exception: for the arms that have one,
    each physics step is a call of its own, still threaded, with the forces computed before it. All others
    take their physics steps in one call as before.

    Arms share the nominal model until one is perturbed: 64 copies of it do not fit into a processor's cache.

    Every rollout starts the constraint solver cold, and which rollouts an arm takes depends on its own forces
    alone. An arm's future then depends on its angles, velocities and perturbation, and it moves the same way,
    bit by bit, whatever its neighbours do.

    Args:
        compiled: The arm, with payload, sensors and drives (:meth:`Drive.extend`).
        n_arms: How many.
        control_dt_s: Control time step [s].
        physics_dt_s: Physics time step [s]; the control step is a whole number of them.
        n_threads: Threads that share the physics; 1 uses the caller's.
        n_waves: Waves in an arm's unknown torque, the same for all.

    Attributes:
        time_s, q, dq: Time [s], shape (n_arms,); angles [rad] and velocities [rad/s], shape
            (n_arms, n_joints): views, overwritten by the next step.
        position, quaternion: Of the end effectors, when :meth:`locate` was last called.
        control: What the drives are told, shape (n_arms, n_substeps, n_joints), by actuator.
        work_j, torque, saturated, sane, all_sane: Of the last step, see
            :func:`~spikearm.envs.batch.commands.summarise`.
    """

    def __init__(
        self,
        compiled: CompiledArm,
        n_arms: int,
        *,
        control_dt_s: float,
        physics_dt_s: float,
        n_threads: int = 1,
        n_waves: int = 0,
    ) -> None:
        n = compiled.n_joints
        self.n_arms, self.n_joints, self.n_substeps = (
            n_arms,
            n,
            n_steps(control_dt_s, physics_dt_s, outer="control step", inner="physics step"),
        )
        self.control_dt_s, self._physics_dt_s, self._n_threads = control_dt_s, physics_dt_s, n_threads
        self._actuator_of_joint = compiled.actuator_of_joint
        self._compiled, self._nominal = compiled, Body(compiled, physics_dt_s)
        self._bodies = [self._nominal] * n_arms
        self._models = [self._nominal.model] * n_arms
        self._allocate(compiled, n_waves)
        self._segments[:], self._tools[:] = self._chain.segments, self._chain.tool
        for e in range(n_arms):
            self._give(e, self._nominal, NO_PERTURBATION)
        self._start()

    def _allocate(self, compiled: CompiledArm, n_waves: int) -> None:
        """All arrays; nothing is allocated later."""
        model, e, n, k = compiled.model, self.n_arms, self.n_joints, self.n_substeps
        width = mujoco.mj_stateSize(model, _PHYSICS)
        self._chain = chain_of(model, compiled.site_id, without=model.body(BODY).id)
        self._state, self._trace = np.zeros((e, width)), np.zeros((e, k, width))
        self.control, self._forces = np.zeros((e, k, n)), np.zeros((e, k, n))
        self._segments = np.zeros((e, *self._chain.segments.shape))
        self._tools = np.zeros((e, 7))
        self.position, self.quaternion = np.zeros((e, 3)), np.zeros((e, 4))
        self.work_j, self.torque = np.zeros(e), np.zeros((e, n))
        self.saturated, self.sane = np.zeros(e, dtype=np.bool_), np.ones(e, dtype=np.bool_)
        self.limits, self.all_sane = np.zeros((e, n)), True
        self._force, self._field, self._tilt = np.zeros((e, 3)), np.zeros((e, 3, 3)), np.zeros((e, 3))
        self._payload = np.zeros((e, 4))
        self._gain, self._frequency = np.zeros((e, n, n_waves)), np.zeros((e, n_waves, n))
        self._phase = np.zeros((e, n_waves))
        self._outside = np.zeros(e, dtype=np.bool_)
        self._forced, self._free = np.flatnonzero(self._outside), np.flatnonzero(~self._outside)
        self._external = np.zeros((e, n))

    def _start(self) -> None:
        """What cannot be copied or pickled: threads and their scratch data."""
        self._pool: Any = _rollout.Rollout(nthread=self._n_threads if self._n_threads > 1 else 0)
        self._scratch = [mujoco.MjData(self._models[0]) for _ in range(max(1, self._n_threads))]
        n = self.n_joints
        self.time_s, self.q, self.dq = self._state[:, 0], self._state[:, 1 : 1 + n], self._state[:, 1 + n :]

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("_pool", "_scratch", "time_s", "q", "dq"):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    @property
    def actuator_of_joint(self) -> NDArray[np.intp]:
        """Column of ``control`` for each joint."""
        return self._actuator_of_joint

    @property
    def joint_ranges(self) -> FloatArray:
        """Lowest and highest angle of each joint [rad], shape (n_joints, 2); infinite without a stop."""
        model = self._models[0]
        limited = model.jnt_limited.astype(bool)[:, None]
        ranges: FloatArray = np.where(limited, model.jnt_range, (-np.inf, np.inf))
        return ranges

    @property
    def floor_m(self) -> float:
        """Height of the floor: of the first level plane of the world [m]; minus infinity without one."""
        model = self._models[0]
        for geom in np.flatnonzero(model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE)):
            if model.geom_bodyid[geom] == 0 and abs(model.geom_quat[geom, 0]) > 1.0 - 1e-9:
                return float(model.geom_pos[geom, 2])
        return -np.inf

    @property
    def reach(self) -> tuple[FloatArray, float]:
        """Where the first arm's first hinge is [m], shape (3,), and its length from there [m]."""
        segments, tree = self._segments[0], self._chain.tree
        s, length = self._chain.tool_segment, float(np.linalg.norm(self._tools[0, :3]))
        while tree[s, 0] >= 0 and (tree[:s, 1] >= 0).any():
            length += float(np.linalg.norm(segments[s, :3]))
            s = int(tree[s, 0])
        frames, hinges = np.empty((len(tree), 7)), np.empty((self.n_joints, 6))
        place(self._segments, tree, 0, np.zeros((1, self.n_joints)), frames, hinges)
        return frames[s, :3].copy(), length

    def model(self, e: int) -> Any:
        """The ``MjModel`` of one arm, for rendering."""
        return self._models[e]

    def copy_state(self, e: int, data: Any) -> None:
        """Bring an ``MjData`` of one arm's model to its present state, for rendering and tools."""
        model = self._models[e]
        mujoco.mj_resetData(model, data)
        mujoco.mj_setState(model, data, self._state[e], _PHYSICS)
        mujoco.mj_forward(model, data)

    def set_model(self, e: int, compiled: CompiledArm) -> None:
        """Give one arm another body with the same kinematic tree, unperturbed."""
        chain = chain_of(compiled.model, compiled.site_id, without=compiled.model.body(BODY).id)
        self._segments[e], self._tools[e] = chain.segments, chain.tool
        self._give(e, Body(compiled, self._physics_dt_s), NO_PERTURBATION)

    def perturb(self, e: int, perturbation: Perturbation) -> None:
        """Replace what differs from the nominal arm; sensors are the caller's.

        Raises:
            ConfigError: A list has not one value per joint.
        """
        body = self._bodies[e]
        if body is self._nominal and perturbation != NO_PERTURBATION:
            body = Body(self._compiled, self._physics_dt_s)
        if body is not self._nominal:
            body.perturb(perturbation)
        self._give(e, body, perturbation)

    def set_waves(self, e: int, waves: Waves) -> None:
        """Give one arm an unknown torque."""
        self._gain[e], self._frequency[e], self._phase[e] = waves.gain, waves.frequency, waves.phase
        self._note_outside(e)

    def place(self, e: int, q: FloatArray) -> None:
        """Put one arm to rest at these angles [rad], at time 0; call :meth:`locate` afterwards."""
        self._state[e] = 0.0
        self.q[e] = q
        self.work_j[e], self.torque[e], self.saturated[e], self.sane[e] = 0.0, 0.0, False, True

    def locate(self) -> None:
        """Compute position and quaternion of all end effectors for the present state."""
        self.locate_at(self.q, self.position, self.quaternion)

    def locate_at(
        self,
        q: FloatArray,
        position: FloatArray,
        quaternion: FloatArray,
        jacobian: FloatArray | None = None,
        *,
        first: int = 0,
    ) -> None:
        """The same for other angles, one row per arm from ``first`` on, and Jacobians if they are wanted."""
        rows = slice(first, first + len(q))
        locate(
            self._segments[rows],
            self._chain.tree,
            self._tools[rows],
            self._chain.tool_segment,
            q,
            position,
            quaternion,
            jacobian,
        )

    def step(self) -> None:
        """One control step with what stands in ``control``; call :meth:`locate` afterwards.

        Raises:
            ClosedError: The arms were closed.
        """
        self.check_open()
        forced, free = self._forced, self._free
        if not len(forced):
            self._roll(
                self._models, self.n_substeps, _CTRL, self._state, self.control, self._trace, self._forces
            )
        else:
            if len(free):
                self._advance_freely(free)
            self._advance_by_substeps(forced)
        self.all_sane = summarise(
            self._trace,
            self._forces,
            self.limits,
            self._physics_dt_s,
            self._state,
            self.work_j,
            self.torque,
            self.saturated,
            self.sane,
        )

    def check_open(self) -> None:
        """Refuse to go on after :meth:`close`.

        Raises:
            ClosedError: The arms were closed.
        """
        if self._pool is None:
            raise ClosedError("the environment was closed; make a new one.")

    def close(self) -> None:
        """End the threads."""
        self._pool = None

    def _give(self, e: int, body: Body, perturbation: Perturbation) -> None:
        """Take note of an arm's body and of what perturbs it from outside."""
        self._bodies[e], self._models[e] = body, body.model
        self.limits[e], self._tilt[e] = body.limits, body.tilt
        self._force[e], self._field[e] = perturbation.force_n, perturbation.force_field
        self._payload[e] = (*perturbation.payload_offset_m, perturbation.payload_kg)
        self._note_outside(e)

    def _note_outside(self, e: int) -> None:
        sources = (self._force[e], self._field[e], self._tilt[e], self._gain[e])
        self._outside[e] = any(source.any() for source in sources)
        self._forced, self._free = np.flatnonzero(self._outside), np.flatnonzero(~self._outside)

    def _advance_freely(self, arms: NDArray[np.intp]) -> None:
        """One rollout of these arms, whose forces do not depend on the state."""
        trace, forces = self._trace[arms], self._forces[arms]
        models = [self._models[e] for e in arms]
        self._roll(models, self.n_substeps, _CTRL, self._state[arms], self.control[arms], trace, forces)
        self._trace[arms], self._forces[arms] = trace, forces

    def _advance_by_substeps(self, arms: NDArray[np.intp]) -> None:
        """Rollouts of one physics step each, with forces for the state each begins in.

        An arm that diverges takes no further step: its clock stands still, as in a rollout of many steps.
        """
        before = self._state.copy()
        for k in range(self.n_substeps):
            self._compute_external(before)
            control = np.concatenate((self.control[arms, k], self._external[arms]), axis=1)[:, None]
            state, forces = np.empty((len(arms), 1, before.shape[1])), np.empty((len(arms), 1, self.n_joints))
            models = [self._models[e] for e in arms]
            self._roll(models, 1, _CTRL_AND_FORCE, before[arms], control, state, forces)
            self._trace[arms, k:], self._forces[arms, k:] = state, forces
            late_s = before[arms, 0] + self._physics_dt_s - state[:, 0, 0]
            # MuJoCo's own bound; false for NaN too.
            good = (np.abs(state[:, 0]) < 1e10).all(axis=1) & (np.abs(late_s) < 0.5 * self._physics_dt_s)
            arms, state = arms[good], state[good]
            if not len(arms):
                return
            before[arms] = state[:, 0]

    def _compute_external(self, state: FloatArray) -> None:
        n = self.n_joints
        unmodelled(
            self._segments,
            self._chain.tree,
            self._tools,
            self._chain.tool_segment,
            state[:, 1 : 1 + n],
            state[:, 1 + n :],
            self._force,
            self._field,
            self._tilt,
            self._payload,
            self._gain,
            self._frequency,
            self._phase,
            self._external,
        )

    def _roll(
        self,
        models: list[Any],
        n_steps: int,
        kind: int,
        state: FloatArray,
        control: FloatArray,
        trace: FloatArray,
        forces: FloatArray,
    ) -> None:
        # The class around it checks shapes in Python, which takes longer than the physics of a small arm.
        # Two portions for each thread: MuJoCo's own ten cost the time of four arms of 64 to hand out.
        portion = -(-len(models) // (2 * len(self._scratch)))
        self._pool.rollout(models, self._scratch, n_steps, kind, state, None, control, trace, forces, portion)
