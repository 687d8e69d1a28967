"""The simulated arm: MuJoCo behind read and write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import mujoco
import numpy as np

from spikearm.envs.arms import ArmSpec
from spikearm.envs.external import ExternalForce
from spikearm.envs.mjcf import compile_arm
from spikearm.envs.payload import add_payload_body
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.perturbed_model import PerturbedModel
from spikearm.envs.sensors import JointSensors
from spikearm.errors import ClosedError, ConfigError, NotFiniteError, SimulationDivergedError
from spikearm.records import FloatArray, JointState, Pose
from spikearm.timesteps import n_steps

_FATAL = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)


class MujocoPlant:
    """One arm in MuJoCo; satisfies the controller's ``Plant``.

    A write holds the torque for one control step, in whole physics steps. Perturbations may change at any
    time: the arm does not move and the clock does not stop. Usable as a context manager.

    Args:
        arm: The arm.
        control_dt_s: Time between two writes [s].
        physics_dt_s: Time step of the physics [s], which must divide the control step; None takes the
            model's own, or the control step if that is shorter.
        perturbation: What differs from the nominal arm, from the start.
        seed: Seed of the sensor noise.
        q0: Joint angles that a reset returns to [rad], shape (n_joints,); None takes the arm's home.

    Raises:
        ModelError: The arm's model cannot be used.
        TimeStepError: The time steps do not divide, or the delay is not a whole number of control steps.
        ConfigError: ``q0`` or the perturbation does not fit the arm.
        NotFiniteError: ``q0`` is not finite.
    """

    def __init__(
        self,
        arm: ArmSpec,
        *,
        control_dt_s: float = 0.001,
        physics_dt_s: float | None = None,
        perturbation: Perturbation = NO_PERTURBATION,
        seed: int = 0,
        q0: Sequence[float] | FloatArray | None = None,
    ) -> None:
        compiled = compile_arm(arm.path, ee_site=arm.ee_site, extend=add_payload_body)
        self._arm = compiled
        self._model = compiled.model
        self._dt_s = control_dt_s
        self._n_substeps = self._set_physics_step(physics_dt_s)
        self._data = mujoco.MjData(self._model)
        self._names = [self._model.joint(i).name for i in range(compiled.n_joints)]
        self._q0 = self._joint_vector(arm.home if q0 is None else q0, "q0").copy()
        self._perturbed = PerturbedModel(self._model)
        self._external = ExternalForce(self._model, self._data, compiled.site_id)
        self._sensors = JointSensors(np.random.default_rng(seed))
        # Views into the data, taken once: the attribute look-up costs as much as a small product.
        self._qpos, self._qvel, self._ctrl = self._data.qpos, self._data.qvel, self._data.ctrl
        self._warnings = tuple(self._data.warning[int(kind)] for kind in _FATAL)
        self._last_q, self._last_dq = self._q0.copy(), np.zeros_like(self._q0)
        self._least, self._most = -compiled.torque_limits, compiled.torque_limits
        self._ctrl_per_torque = 1.0 / compiled.gear
        self._seed = seed
        self._tick = 0
        self._closed = self._diverged = False
        self.perturb(perturbation)
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def dt_s(self) -> float:
        """Time between two writes [s]."""
        return self._dt_s

    @property
    def torque_limits(self) -> FloatArray:
        """Largest torque of each joint, both ways [N m], shape (n_joints,)."""
        return self._arm.torque_limits.copy()

    @property
    def perturbation(self) -> Perturbation:
        """What differs from the nominal arm now."""
        return self._perturbation

    @property
    def model(self) -> Any:
        """The ``MjModel``, for rendering; only :meth:`perturb` may change it."""
        return self._model

    @property
    def data(self) -> Any:
        """The ``MjData``, for rendering; not to be written to."""
        return self._data

    def reset(self, *, seed: int | None = None) -> JointState:
        """Bring the arm to rest at its starting angles, at time 0; the perturbation stays.

        Args:
            seed: Starts the sensor noise anew; None lets it go on.

        Returns:
            The first reading.

        Raises:
            ClosedError: The plant was closed.
        """
        self._check_open()
        # All of it, always: a partial reset leaves warm starts and warnings of the run before.
        mujoco.mj_resetData(self._model, self._data)
        self._qpos[:] = self._q0
        mujoco.mj_forward(self._model, self._data)
        self._tick, self._diverged = 0, False
        if seed is not None:
            self._seed = seed
            self._sensors.seed(np.random.default_rng(seed))
        self._sensors.reset(self._qpos, self._qvel)
        return self.read()

    def read(self) -> JointState:
        """What the joint sensors say in this tick, noise and delay included.

        Raises:
            ClosedError: The plant was closed.
        """
        self._check_open()
        q, dq = self._sensors.read()
        return JointState(q, dq, self._tick * self._dt_s)

    def write(self, torque: FloatArray) -> FloatArray:
        """Hold a torque for one control step.

        Args:
            torque: Commanded torque [N m], shape (n_joints,).

        Returns:
            The command after the arm's limits [N m], shape (n_joints,). A perturbed actuator gain does
            not show here: the drive believes its own command.

        Raises:
            NotFiniteError: The torque is not finite; nothing was applied, the state is as before.
            ConfigError: The torque has the wrong shape; likewise.
            SimulationDivergedError: The physics became unstable; only a reset helps.
            ClosedError: The plant was closed.
        """
        self._check_open()
        if self._diverged:
            raise SimulationDivergedError("the simulation has diverged in an earlier tick; reset the plant.")
        torque = self._joint_vector(torque, "torque")
        applied: FloatArray = np.minimum(np.maximum(torque, self._least), self._most)
        self._last_q[:], self._last_dq[:] = self._qpos, self._qvel
        self._ctrl[self._arm.actuator_of_joint] = applied * self._ctrl_per_torque
        self._advance()
        self._tick += 1
        self._check_physics(applied)
        self._sensors.sample(self._qpos, self._qvel)
        return applied

    def perturb(self, perturbation: Perturbation) -> None:
        """Replace what differs from the nominal arm, now; the arm does not move and time does not stop.

        Noise and delay begin with the next sample, that is after the next write or reset.

        Raises:
            ConfigError: A list has not one value per joint.
            TimeStepError: The delay is not a whole number of control steps.
            ClosedError: The plant was closed.
        """
        self._check_open()
        gain = perturbation.per_joint("actuator_gain", self._arm.n_joints)
        delay_ticks = 0
        if perturbation.delay_s > 0:
            delay_ticks = n_steps(
                perturbation.delay_s, self._dt_s, outer="sensor delay", inner="control step"
            )
        self._perturbed.apply(perturbation)
        self._ctrl_per_torque = gain / self._arm.gear
        self._external.configure(perturbation)
        self._sensors.configure(
            std_q_rad=perturbation.sensor_noise_q_rad,
            std_dq_rad_s=perturbation.sensor_noise_dq_rad_s,
            delay_ticks=delay_ticks,
        )
        # Inertia and forces of the state belong to the new arm from here on; the state itself stays.
        mujoco.mj_forward(self._model, self._data)
        self._perturbation = perturbation

    def ee_position(self) -> FloatArray:
        """True position of the end effector [m], shape (3,), whatever the sensors say."""
        position: FloatArray = self._data.site_xpos[self._arm.site_id].copy()
        return position

    def ee_pose(self) -> Pose:
        """True pose of the end effector, whatever the sensors say."""
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, self._data.site_xmat[self._arm.site_id])
        return Pose(self.ee_position(), quaternion)

    def close(self) -> None:
        """Torque off; closing twice is not an error."""
        self._ctrl[:] = 0.0
        self._closed = True

    def _set_physics_step(self, physics_dt_s: float | None) -> int:
        """Fix the physics step; returns how many of them make a control step."""
        if physics_dt_s is None:
            physics_dt_s = min(float(self._model.opt.timestep), self._dt_s)
        count = n_steps(self._dt_s, physics_dt_s, outer="control step", inner="physics step")
        self._model.opt.timestep = physics_dt_s
        return count

    def _advance(self) -> None:
        """The physics of one control step.

        The two halves of ``mj_step`` in turned order: forces first, for the state that the last half step
        left, then position and velocity of the new state, so that poses read between ticks are current.
        """
        model, data, external = self._model, self._data, self._external
        for _ in range(self._n_substeps):
            if external.active:
                external.apply()
            mujoco.mj_step2(model, data)
            mujoco.mj_step1(model, data)

    def _check_physics(self, applied: FloatArray) -> None:
        """MuJoCo checks every state and acceleration and only counts what it finds: look at the counts."""
        position, velocity, acceleration = self._warnings
        expected_s = self._tick * self._dt_s
        bad = position.number or velocity.number or acceleration.number
        if not bad and abs(self._data.time - expected_s) < 0.5 * self._dt_s:
            return
        self._diverged = True
        what = "joint state is not finite or beyond 1e10" if bad else f"time is {self._data.time:g} s"
        raise SimulationDivergedError(
            f"the simulation diverged in tick {self._tick} (t = {expected_s:g} s, seed {self._seed}): "
            f"{what}. Before it q = {_numbers(self._last_q)} rad, dq = {_numbers(self._last_dq)} rad/s, "
            f"torque = {_numbers(applied)} N m. Lower the gains or the physics step, then reset the plant."
        )

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the plant was closed; make a new one.")

    def _joint_vector(self, value: Sequence[float] | FloatArray, what: str) -> FloatArray:
        """One finite number per joint, or an error that names the joint."""
        vector = np.asarray(value, dtype=np.float64)
        if vector.shape != (len(self._names),):
            raise ConfigError(
                f"{what} has shape {vector.shape}, not ({len(self._names)},): give one value per joint."
            )
        if not all(map(math.isfinite, vector.tolist())):  # of so few, sooner said than by NumPy
            joint = int(np.argmin(np.isfinite(vector)))
            raise NotFiniteError(
                f"{what} of joint {self._names[joint]!r} (number {joint}) is {vector[joint]}; it must be "
                "finite. Nothing was applied: look for a division by zero or a diverged network upstream."
            )
        return vector


def _numbers(values: FloatArray) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in values) + "]"
