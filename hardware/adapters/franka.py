"""A Franka arm through its vendor's own library (extra ``franka``).

Franka's control interface takes desired joint torques without gravity, which the arm adds by its own model
of itself and of the load it was told of; a plant takes whole torques, so that part is subtracted here and
counted in again. The arm has its own 1 kHz clock: a reading waits for its next cycle, and whoever serves it
follows.

The figures are those of the FCI documentation ("Robot and interface specifications"): torques that change by
more than 1000 N m/s, that do not begin at 0, or 20 commands missed in a row stop the arm by its own reflex.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from spikearm.errors import ClosedError, DriveError
from spikearm.hardware.adapters.franka_config import FRANKA_DT_S, FrankaConfig
from spikearm.hardware.torque_check import checked_torque
from spikearm.records import FloatArray, JointState

N_JOINTS = 7
_RATE_NM = 0.999
"""Largest change in one cycle [N m]: the arm's own limit is 1, and a rounded one more is a reflex."""


class FrankaPlant:
    """A Franka arm; satisfies the controller's ``Plant`` and is meant to be served by ``robot serve``.

    The arm holds itself, by its own controller, until the first :meth:`write` starts torque control. After a
    reflex it takes no torque until :meth:`recover`.

    Args:
        config: The arm.
        library: The module ``pylibfranka``, or what has its interface.

    Attributes:
        paces: True: :meth:`read` returns when the arm's next cycle begins.

    Raises:
        DriveError: The arm cannot be reached, or does not let itself be controlled.
    """

    paces = True

    # The library has no types of its own to hold on to: a stand-in is not a subclass of what it stands for.
    def __init__(self, config: FrankaConfig, library: Any) -> None:
        self._library = library
        self._errors = (RuntimeError, library.FrankaException)
        self._closed = False
        self._failure = ""
        self._control: Any = None
        self._robot = self._connect(config)
        self._state = self._robot.read_once()
        self._start_s: float = self._state.time.to_sec()

    @property
    def dt_s(self) -> float:
        """Time between two writes [s]."""
        return FRANKA_DT_S

    @property
    def torque_measured(self) -> FloatArray:
        """Torque on the arm's side of the joints at the last reading, gravity included [N m], shape (7,)."""
        return np.array(self._state.tau_J)

    def reset(self, *, seed: int | None = None) -> JointState:
        """Start the clock anew; a real arm stays where it is.

        Raises:
            ClosedError: The plant was closed.
            DriveError: As for :meth:`read`.
        """
        state = self.read()
        self._start_s += state.t_s
        return JointState(state.q, state.dq, 0.0)

    def read(self) -> JointState:
        """Wait for the arm's next cycle; its state then.

        Raises:
            ClosedError: The plant was closed.
            DriveError: The arm has stopped by a reflex, or is not to be reached any more.
        """
        self._require_open()
        try:
            # Reading is all that works beside a control, and all that is left after one has failed.
            self._state = self._robot.read_once() if self._control is None else self._control.readOnce()[0]
        except self._errors as error:
            self._fail(error)
        state = self._state
        return JointState(np.array(state.q), np.array(state.dq), state.time.to_sec() - self._start_s)

    def write(self, torque: FloatArray) -> FloatArray:
        """Command a torque for the present cycle.

        Args:
            torque: Commanded torque [N m], shape (7,).

        Returns:
            The torque within what the arm takes from one cycle to the next [N m], shape (7,).

        Raises:
            ConfigError: The torque has the wrong shape; nothing was sent.
            NotFiniteError: The torque is not finite; likewise.
            ClosedError: The plant was closed.
            DriveError: The arm has stopped by a reflex, or does not take torques now.
        """
        self._require_open()
        torque = checked_torque(torque, N_JOINTS)
        if self._failure:
            raise DriveError(self._failure)
        try:
            gravity = np.array(self._robot_model.gravity(self._state))
            desired = self._within_rate(torque - gravity)
            self._control.writeOnce(self._library.Torques(desired.tolist()))
        except self._errors as error:
            self._fail(error)
        applied: FloatArray = desired + gravity
        return applied

    def recover(self) -> None:
        """Let the arm leave a reflex; it takes torque again after that, from 0 on.

        Raises:
            ClosedError: The plant was closed.
            DriveError: It does not leave it: its user stop is pressed, or somebody has to look after it.
        """
        self._require_open()
        try:
            self._robot.automatic_error_recovery()
        except self._errors as error:
            self._fail(error)
        self._failure = ""

    def let_go(self) -> None:
        """End torque control, which gives the arm back to its own controller, until the next :meth:`write`.

        A desired torque of 0 would not: it goes on carrying the arm, and damps nothing.

        Raises:
            ClosedError: The plant was closed.
            DriveError: The arm does not answer.
        """
        self._require_open()
        try:
            self._end_control()
        except self._errors as error:
            self._fail(error)

    def close(self) -> None:
        """As :meth:`let_go`, for good; twice is not an error.

        Raises:
            DriveError: The arm did not end its control.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._end_control()
        except self._errors as error:
            raise DriveError(
                f"the Franka arm did not end its torque control: {error}. It should stop by its own reflex; "
                "press its user stop, and look at it."
            ) from error

    def _end_control(self) -> None:
        control, self._control = self._control, None
        if control is None:
            return
        last = self._library.Torques(list(self._state.tau_J_d))
        last.motion_finished = True
        try:
            control.writeOnce(last)
        except self._errors:
            self._robot.stop()

    def _connect(self, config: FrankaConfig) -> Any:
        realtime = self._library.RealtimeConfig
        mode = realtime.kEnforce if config.franka_realtime == "enforce" else realtime.kIgnore
        joint, end_effector = [config.franka_collision_nm] * 7, [config.franka_collision_n] * 6
        try:
            robot = self._library.Robot(config.franka_host, mode)
            robot.set_collision_behavior(joint, joint, end_effector, end_effector)
            self._robot_model = robot.load_model()
        except self._errors as error:
            raise DriveError(
                f"no Franka arm at {config.franka_host}: {error}. Is its control interface (FCI) on, "
                "are its brakes open, and does the library's version fit the arm's system?"
            ) from error
        return robot

    def _within_rate(self, desired: FloatArray) -> FloatArray:
        """What may be desired in this cycle; the first torque of a control is 0."""
        if self._control is None:
            self._control = self._robot.start_torque_control()
            return np.zeros(N_JOINTS)
        # What the arm itself received last: a command that was lost on the way does not count.
        before = np.array(self._state.tau_J_d)
        within: FloatArray = np.clip(desired, before - _RATE_NM, before + _RATE_NM)
        return within

    def _fail(self, error: Exception) -> NoReturn:
        """The control is over; whoever asks next is told the same until the arm is recovered."""
        self._control = None
        self._failure = f"the Franka arm takes no torque: {error}. Look at it, then recover it (--recover)."
        raise DriveError(self._failure) from error

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the plant was closed; make a new one.")
