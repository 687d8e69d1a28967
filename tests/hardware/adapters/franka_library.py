"""A stand-in of the module ``pylibfranka`` (0.21) with the equations of motion of an FR3 behind it.

It has the names, signatures and exceptions of that module that :mod:`spikearm.hardware.adapters.franka` uses
(``test_franka.py`` compares them with the real one), and the rules that the documentation of Franka's control
interface states: one cycle per millisecond of the arm's own clock; the arm adds gravity to what is desired; a
missed command is replaced by the last one, 20 in a row end the control; so does a torque that changes by more
than 1 N m per cycle, or begins elsewhere than at 0. What ends a control stops the arm, by its brakes, until
``automatic_error_recovery``. Assumed, since no document says so: that brakes stop it at once, that a recovery
takes no time, and that the desired torque is 0 before a control begins.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics

DT_S = 1e-3


class FrankaException(Exception):  # noqa: N818 - the library's own name
    pass


class CommandException(RuntimeError):  # noqa: N818
    pass


class ControlException(RuntimeError):  # noqa: N818
    pass


class NetworkException(RuntimeError):  # noqa: N818
    pass


class InvalidOperationException(RuntimeError):  # noqa: N818
    pass


class RealtimeConfig(enum.Enum):
    kEnforce = 0  # noqa: N815
    kIgnore = 1  # noqa: N815


class Torques:
    def __init__(self, tau_j: list[float]) -> None:
        assert isinstance(tau_j, list)
        assert len(tau_j) == 7
        self.tau_J = tau_j
        self.motion_finished = False


class Duration:
    def __init__(self, ticks: int) -> None:
        self._ticks = ticks

    def to_sec(self) -> float:
        return self._ticks * DT_S


class Arm:
    """The arm itself and its control box.

    Attributes:
        wait: Called once per cycle, before it begins.
        load_nm: A torque on the joints that the arm was not told of.
        pressed: Whether its user stop is.
        unplugged: Nothing reaches it any more.
        lost: Commands that will get lost on the way, from the next one on.
    """

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self.wait = wait
        self._dynamics = MujocoDynamics(ARMS["fr3"])
        self.q, self.dq = np.array(ARMS["fr3"].home), np.zeros(7)
        self.desired = np.zeros(7)
        self.load_nm = np.zeros(7)
        self.n_cycles = 0
        self.control: ActiveControl | None = None
        self.reflex = ""
        self.pressed = self.unplugged = False
        self.lost = 0
        self.desires: list[np.ndarray] = []
        self.n_recoveries = 0
        self.collision_behavior: tuple[list[float], ...] = ()

    def gravity(self, q: np.ndarray) -> np.ndarray:
        self._dynamics.update(q, np.zeros(7))
        return self._dynamics.bias().copy()

    def cycle(self) -> SimpleNamespace:
        """One period, and the state at its end."""
        if self.unplugged:
            raise NetworkException("libfranka: UDP receive: Timeout")
        self.wait()
        if self.control is not None:
            self._move()
        self.n_cycles += 1
        return SimpleNamespace(
            q=self.q.tolist(),
            dq=self.dq.tolist(),
            tau_J=(self.gravity(self.q) + self.desired).tolist(),
            tau_J_d=self.desired.tolist(),
            time=Duration(self.n_cycles),
        )

    def _move(self) -> None:
        torque = self.desired + self.gravity(self.q) + self.load_nm
        self._dynamics.update(self.q, self.dq)
        ddq = np.linalg.solve(self._dynamics.mass_matrix(), torque - self._dynamics.bias())
        self.dq = self.dq + DT_S * ddq
        self.q = self.q + DT_S * self.dq

    def take(self, desired: np.ndarray) -> None:
        if self.lost:
            self.lost -= 1
            return
        if np.abs(desired - self.desired).max() > 1.0:
            self.stop("controller_torque_discontinuity")
            raise ControlException("libfranka: Move command aborted: motion aborted by reflex!")
        self.desired = desired
        self.desires.append(desired)

    def stop(self, reflex: str = "") -> None:
        self.control, self.reflex = None, reflex
        self.desired, self.dq = np.zeros(7), np.zeros(7)


class ActiveControl:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._written = True
        self._n_missed = 0

    def readOnce(self):  # noqa: N802
        arm = self._arm
        self._n_missed = 0 if self._written else self._n_missed + 1
        self._written = False
        if self._n_missed > 20:
            arm.stop("communication_constraints_violation")
        if arm.control is not self:
            raise ControlException(f"libfranka: motion aborted by reflex! [{arm.reflex!r}]")
        return arm.cycle(), Duration(1)

    def writeOnce(self, command: Torques) -> None:  # noqa: N802
        if self._arm.control is not self:
            raise ControlException(f"libfranka: motion aborted by reflex! [{self._arm.reflex!r}]")
        self._arm.take(np.array(command.tau_J))
        self._written = True
        if command.motion_finished:
            self._arm.stop()


class Model:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def gravity(self, state: SimpleNamespace) -> list[float]:
        return self._arm.gravity(np.array(state.q)).tolist()


class Robot:
    def __init__(self, arm: Arm, host: str, realtime: RealtimeConfig) -> None:
        if host != "arm.local":
            raise NetworkException(f"libfranka: Connection to FCI refused: {host}")
        assert isinstance(realtime, RealtimeConfig)
        self.arm = arm

    def set_collision_behavior(self, *thresholds: list[float]) -> None:
        assert [len(each) for each in thresholds] == [7, 7, 6, 6]
        self.arm.collision_behavior = thresholds

    def load_model(self) -> Model:
        return Model(self.arm)

    def read_once(self) -> SimpleNamespace:
        if self.arm.control is not None:
            raise InvalidOperationException(
                "libfranka robot: Cannot perform this operation while another ..."
            )
        return self.arm.cycle()

    def start_torque_control(self) -> ActiveControl:
        if self.arm.reflex or self.arm.pressed:
            raise ControlException("libfranka: Move command rejected: command not possible in Reflex mode!")
        if self.arm.control is not None:
            raise InvalidOperationException("libfranka robot: a control is running already")
        self.arm.control = ActiveControl(self.arm)
        return self.arm.control

    def automatic_error_recovery(self) -> None:
        if self.arm.pressed:
            raise CommandException("libfranka: Automatic error recovery command rejected: user stopped!")
        self.arm.reflex = ""
        self.arm.n_recoveries += 1

    def stop(self) -> None:
        self.arm.stop()


def stand_in(arm: Arm) -> SimpleNamespace:
    """The module, with one arm at ``arm.local``."""
    return SimpleNamespace(
        Robot=lambda host, realtime=RealtimeConfig.kEnforce: Robot(arm, host, realtime),
        Torques=Torques,
        RealtimeConfig=RealtimeConfig,
        FrankaException=FrankaException,
        ControlException=ControlException,
    )
