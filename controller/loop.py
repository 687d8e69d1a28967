"""The control loop: read, update, write, record; once per tick."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from spikearm.controller.clock import Clock
from spikearm.controller.delay import ModelledDelay
from spikearm.controller.interruption import StopRequest
from spikearm.controller.path import Schedule
from spikearm.controller.patience import Patience
from spikearm.controller.protocols import Controller, Plant
from spikearm.controller.ticklog import TickLog
from spikearm.controller.tickschema import TickRecord
from spikearm.controller.torque_rate import TorqueRate
from spikearm.errors import ConfigError, JournalError, NotFiniteError, TimeStepError
from spikearm.finite import all_finite
from spikearm.hardware.meter import EnergyMeter
from spikearm.records import FloatArray, JointState, Pose

ActuationDelay = Literal["none", "modelled"]


@dataclass(frozen=True, slots=True)
class LoopResult:
    """How a run of the loop went.

    Attributes:
        n_ticks: Ticks that were carried out.
        n_lost: Ticks of them that could not be recorded.
        deadline_misses: Ticks whose torque was written later than one period after the tick was due.
        max_lateness_s: Longest time a tick began after it was due [s].
        interrupted: Whether Ctrl-C (or SIGTERM) asked it to end.
    """

    n_ticks: int
    n_lost: int
    deadline_misses: int
    max_lateness_s: float
    interrupted: bool


class Loop:
    """Drives a plant along a schedule with a controller, and records every tick.

    Where time can stand still, no tick is left out of the log: if one cannot be written, the loop waits,
    tries again, and at last ends the run. A real arm does not wait: control goes on, and lost ticks are
    counted.

    Ticks are numbered by the log, so several loops may follow one another on one log.

    When a run ends early, by an error or by Ctrl-C, the plant is closed: torque off is the one thing every
    arm can do. After a run that went to its end the plant stays as it is. The log is closed by whoever opened
    it; every recorded tick is readable in any case.

    Args:
        plant: The arm.
        controller: Turns states into torque.
        schedule: One target per tick.
        log: Where ticks are recorded.
        clock: When ticks begin.
        meter: Measures energy, or None; read once per tick, after the torque was written.
        measure: True pose of the end effector now, for the record: a simulation knows it, a real arm's own
            kinematics must do. Called before the torque is written. None leaves the columns empty.
        actuation_delay: ``"none"``, or ``"modelled"`` to let each torque arrive after the substrate's
            modelled latency.
        torque_rate_nm_s: Fastest change of each torque [N m/s], whoever takes it; what is held back arrives
            in the ticks that follow.
        on_tick: Called with each record after it was written, for displays; its time is nobody's latency,
            but in real time it delays the next tick.
        trial: Number of the trial, for the record.
        stop: Asked to end by somebody who has to know it beyond this loop; None asks only while it runs.

    Raises:
        TimeStepError: Plant and schedule have different time steps.
        ConfigError: There is no such actuation delay, or the rate is not positive.
    """

    def __init__(
        self,
        plant: Plant,
        controller: Controller,
        schedule: Schedule,
        log: TickLog,
        *,
        clock: Clock,
        meter: EnergyMeter | None = None,
        measure: Callable[[], Pose] | None = None,
        actuation_delay: ActuationDelay = "none",
        torque_rate_nm_s: float = math.inf,
        on_tick: Callable[[TickRecord], None] | None = None,
        trial: int = 0,
        stop: StopRequest | None = None,
    ) -> None:
        if not math.isclose(plant.dt_s, schedule.control_dt_s, rel_tol=1e-6):
            raise TimeStepError(
                f"the plant takes a torque every {plant.dt_s:g} s, the schedule has a target every "
                f"{schedule.control_dt_s:g} s; sample the path at {plant.dt_s:g} s."
            )
        if actuation_delay not in ("none", "modelled"):
            raise ConfigError(f"actuation_delay must be 'none' or 'modelled', not {actuation_delay!r}.")
        self._plant = plant
        self._controller = controller
        self._schedule = schedule
        self._log = log
        self._clock = clock
        self._meter = meter
        self._measure = measure
        self._delay = ModelledDelay(schedule.control_dt_s) if actuation_delay == "modelled" else None
        self._rate = TorqueRate(torque_rate_nm_s, schedule.control_dt_s)
        self._on_tick = on_tick
        self._trial = trial
        self._stop = stop
        self._previous_log_s = math.nan

    def run(self, n_ticks: int | None = None) -> LoopResult:
        """Run from the first tick of the schedule.

        Args:
            n_ticks: Number of ticks; None means the whole schedule.

        Raises:
            ConfigError: The schedule is shorter than that.
            NotFiniteError: A state or a torque is NaN or infinite; it is not passed on, the plant is closed.
            JournalError: A tick of a simulation cannot be recorded, however long it waits.
        """
        n_ticks = len(self._schedule) if n_ticks is None else n_ticks
        if not 1 <= n_ticks <= len(self._schedule):
            raise ConfigError(
                f"n_ticks must be from 1 to {len(self._schedule)}, the length of the schedule; got {n_ticks}."
            )
        with StopRequest() if self._stop is None else nullcontext(self._stop) as stop:
            try:
                result = self._run(n_ticks, stop)
            except BaseException:
                self._plant.close()
                raise
            if result.interrupted:
                self._plant.close()
        return result

    def _run(self, n_ticks: int, stop: StopRequest) -> LoopResult:
        lost_before = self._log.n_lost
        done = misses = 0
        max_lateness_s = 0.0
        if self._meter is not None:
            self._meter.read_j()  # what was used before the first tick is not part of it
        patience = Patience(stop) if self._clock.waits else None
        if not stop.requested:  # starting the clock may arm the arm
            self._clock.start()
        while done < n_ticks and not stop.requested:
            lateness_s = self._clock.wait()
            record = self._tick(done, lateness_s, patience)
            if patience is not None and self._log.n_lost > lost_before and not stop.requested:
                self._refuse_to_go_on(patience)
            done += 1
            misses += record.deadline_missed
            max_lateness_s = max(max_lateness_s, lateness_s)
            if self._on_tick is not None:
                self._on_tick(record)
        return LoopResult(
            n_ticks=done,
            n_lost=self._log.n_lost - lost_before,
            deadline_misses=misses,
            max_lateness_s=max_lateness_s,
            interrupted=stop.requested,
        )

    def _tick(self, tick: int, lateness_s: float, patience: Patience | None) -> TickRecord:
        target = self._schedule.targets[tick]
        start = perf_counter()
        state = self._plant.read()
        after_read = perf_counter()
        self._require_finite_state(state)
        command = self._controller.update(state, target)
        self._require_finite("the commanded torque", command.torque)
        ee = None if self._measure is None else _copied(self._measure())
        due = command.torque if self._delay is None else self._delay.torque(command)
        sent = self._rate.torque(due)

        before_write = perf_counter()
        applied = self._plant.write(sent)
        after_write = perf_counter()
        self._require_finite("the applied torque", applied)
        self._controller.notify_applied(due if self._rate.lags else sent, applied)

        before_log = perf_counter()
        tick_s = after_write - start
        record = TickRecord(
            state=state,
            target=target,
            ee=ee,
            command=command,
            applied=applied,
            trial=self._trial,
            reach=self._schedule.reach_index[tick],
            latency_read_s=after_read - start,
            latency_write_s=after_write - before_write,
            latency_log_s=self._previous_log_s,
            latency_tick_s=tick_s,
            lateness_s=lateness_s,
            deadline_missed=lateness_s + tick_s > self._schedule.control_dt_s,
            energy_measured_j=None if self._meter is None else self._meter.read_j(),
        )
        if patience is not None:
            patience.begin()
        self._log.append(record, patience)
        self._previous_log_s = perf_counter() - before_log
        return record

    def _require_finite_state(self, state: JointState) -> None:
        if not math.isfinite(state.t_s):
            self._refuse("the arm's time", state.t_s)
        self._require_finite("the joint angles", state.q)
        self._require_finite("the joint velocities", state.dq)

    def _require_finite(self, what: str, values: FloatArray) -> None:
        if not all_finite(values):
            self._refuse(what, values)

    def _refuse_to_go_on(self, patience: Patience) -> None:
        raise JournalError(
            f"tick {self._log.n_ticks - 1} could not be written to {self._log.folder} within "
            f"{patience.patience_s:g} s, and a simulation leaves no tick out: it was ended, the log holds "
            "all ticks before. Make room on that disk, or choose another folder (--out), and run again."
        )

    def _refuse(self, what: str, values: object) -> None:
        raise NotFiniteError(
            f"tick {self._log.n_ticks}: {what} must be finite, not {values}. "
            "It was not passed on, and the arm was let go or put on hold; the log holds all ticks before."
        )


def _copied(pose: Pose) -> Pose:
    """A pose that the plant's next step cannot change under us."""
    return Pose(pose.position.copy(), pose.quaternion.copy())
