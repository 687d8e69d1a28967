"""One closed-loop run whose arm is at the other end of a wire."""

from __future__ import annotations

import dataclasses
import logging
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spikearm.controller.interruption import StopRequest
from spikearm.controller.loop import Loop, LoopResult
from spikearm.controller.path import Schedule
from spikearm.controller.resume import resumed
from spikearm.controller.ticklog import TickLog
from spikearm.controller.tickschema import TickRecord
from spikearm.envs.arms import ARMS, ArmSpec, load_arm
from spikearm.envs.identity import arm_identity
from spikearm.errors import ConfigError, LinkError, ProtectiveStopError, RobotEndedError, SpikearmError
from spikearm.hardware.link.address import parse_address, require_safe
from spikearm.hardware.link.channel import dial
from spikearm.hardware.link.conversation import ClientRules
from spikearm.hardware.link.histogram import Histogram
from spikearm.hardware.link.key import load_key
from spikearm.hardware.link.link_clock import LinkClock
from spikearm.hardware.link.remote_plant import RemotePlant
from spikearm.hardware.link.statistics import LinkStatistics
from spikearm.hardware.link.stops import describe, what_next
from spikearm.hardware.link.wire import Codec, Stop, Trait
from spikearm.hardware.meter import EnergyMeter
from spikearm.launch.compose import Control, compose_control
from spikearm.launch.config import RunConfig
from spikearm.launch.lead_in import led_up, pose_at
from spikearm.launch.robot_config import DEFAULT_ADDRESS
from spikearm.launch.run import default_name, record_run
from spikearm.launch.run_folder import make_run_folder, require_place, write_json
from spikearm.launch.served_arm import served_arm
from spikearm.launch.spikes import SpikeRecorder

_log = logging.getLogger(__name__)

_MISSED = Stop.MISSED_IN_A_ROW | Stop.MISSED_TOO_OFTEN | Stop.STALLED
"""Reasons of a stop that pass by themselves; of all others, somebody wants to know."""


@dataclass(frozen=True)
class LinkConfig:
    """How to reach the robot, and how much to dare.

    Attributes:
        robot: The robot's address: local:NAME, unix:PATH or udp://HOST:PORT.
        key_file: 32-byte key of mode 0600 that the robot has as well.
        monitor: Only look, without arming the robot. Commands are computed and recorded but never act.
        acknowledge_real_arm: Say that a real arm may move: its surroundings are clear, its emergency stop
            is at hand, docs/safety.md was read.
        lead_in: Lead a real arm to the start of its path also from further away than 0.1 m or 0.1 rad.
        recover: Release a robot that stopped in an earlier run.
        recoveries: Stops to recover from and go on in this run: those of a simulated robot, for missed
            commands. All else wants somebody to look at it first.
        connect_s: Time for the robot to answer, to arm and to recover [s].
        state_s: Time without a state after which the link counts as broken [s].
        timeout_s: Time of missed commands at which the robot shall stop [s]; 0: its own limit.
    """

    robot: str = DEFAULT_ADDRESS
    key_file: Path | None = None
    monitor: bool = False
    acknowledge_real_arm: bool = False
    lead_in: bool = False
    recover: bool = False
    recoveries: int = 0
    connect_s: float = 3.0
    state_s: float = 0.5
    timeout_s: float = 0.0

    def __post_init__(self) -> None:
        if self.recoveries < 0:
            raise ConfigError(f"recoveries must be 0 or more, not {self.recoveries!r}.")
        if self.monitor and self.recover:
            raise ConfigError("--monitor only looks, --recover gives an arm its torque back; leave one out.")
        _ = self.rules  # refused here if out of range, not once the robot was spoken to

    @property
    def rules(self) -> ClientRules:
        """The client's patience."""
        return ClientRules(
            connect_s=self.connect_s,
            state_s=self.state_s,
            timeout_s=self.timeout_s,
            acknowledged=self.acknowledge_real_arm,
        )


@dataclass
class _Outcome:
    """What is known of a run besides its ticks, the path it is on, and who watches its neurons."""

    schedule: Schedule
    statistics: LinkStatistics = field(default_factory=LinkStatistics)
    stops: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""
    n_ticks: int = 0
    misses: int = 0
    max_lateness_s: float = 0.0
    state_delay: Histogram = field(default_factory=Histogram)
    network_age: Histogram = field(default_factory=Histogram)
    interrupted: bool = False
    spikes: SpikeRecorder | None = None
    watch: Callable[[TickRecord], None] | None = None

    def on_tick(self, record: TickRecord) -> None:
        """Count; the results of loops that end by an error are not returned."""
        if self.spikes is not None:
            self.spikes.on_tick()
        self.n_ticks += 1
        self.misses += record.deadline_missed
        self.max_lateness_s = max(self.max_lateness_s, record.lateness_s)
        self.state_delay.add(record.lateness_s)
        if math.isfinite(record.command.network_age_s):
            self.network_age.add(record.command.network_age_s)
        if self.watch is not None:
            self.watch(record)


def connect(
    link: LinkConfig,
    arm: ArmSpec,
    statistics: LinkStatistics | None = None,
    stop: StopRequest | None = None,
) -> RemotePlant:
    """The robot as a plant, not armed; once a stop is requested, it lets nobody join, arm or recover it.

    Raises:
        SpikearmError: The address or the key cannot be used, nobody answers, or it is another arm; if that
            is a shipped one, it is named.
    """
    address, key = parse_address(link.robot), load_key(link.key_file)
    require_safe(address, has_key=bool(key))
    codec = Codec(arm.n_joints, key, arm=arm_identity(arm))

    def interrupted() -> bool:
        return stop is not None and stop.requested

    try:
        return RemotePlant(
            dial(address), codec, rules=link.rules, statistics=statistics, interrupted=interrupted
        )
    except LinkError as error:
        other = None if interrupted() else served_arm(address, key)
        if other is None or arm_identity(other) == arm_identity(arm):
            raise
        mine = arm.name if arm in ARMS.values() else arm.path  # a file may have any name
        raise LinkError(
            f"the robot at {link.robot} serves {other.name}, and this run is for {mine}. Give this end "
            f"--arm {other.name}, or serve the other arm there (`spikearm robot serve --arm {mine}`)."
        ) from error


def execute_on_robot(
    config: RunConfig,
    link: LinkConfig,
    *,
    tell: Callable[[str], None] = _log.info,
    on_tick: Callable[[TickRecord], None] | None = None,
) -> tuple[dict[str, Any], Path]:
    """Carry out a run on a robot.

    Args:
        config: What to run; its perturbation is only what one believes the arm to carry.
        link: How to reach the robot.
        tell: Told how far it is: before its first tick, a run may compile for a minute.
        on_tick: Called with every tick's record, for a display; in real time, it delays the next tick.

    Returns:
        The summary, and the run folder. A run that ended early says why under ``link.ended``.

    Raises:
        SpikearmError: The configuration cannot be composed, the robot cannot be reached or armed. A run
            that ended before its first tick leaves no run folder.
    """
    require_place(config.out)
    with connect(link, load_arm(config.arm)) as plant:
        lock_step = plant.lock_step
        if not (link.monitor or link.recover):
            plant.require_no_stop()  # now, and not after a minute in which kernels are compiled
    tell(f"robot {config.arm} answers at {link.robot}; preparing {config.controller}")
    # A network elsewhere is waited for in another way if time does not stand still for it.
    control = compose_control(dataclasses.replace(config, realtime=not lock_step))
    try:
        if link.recover:
            with connect(link, control.arm) as plant:
                stopped = plant.stop_reason
                plant.recover()
            if stopped:
                tell(f"the robot had stopped ({describe(stopped)}) and was recovered")
        tell(f"{config.controller} on {config.arm}: {config.n_ticks} ticks")
        folder = make_run_folder(config.out, config.name or f"{default_name(config)}-robot")
        outcome = _Outcome(control.schedule, watch=on_tick)

        def drive(
            log: TickLog, meter: EnergyMeter | None, spikes: SpikeRecorder | None, stop: StopRequest
        ) -> LoopResult:
            outcome.spikes = spikes
            return _drive(config, link, control, outcome, log, meter, stop)

        try:
            summary = record_run(folder, config, control, drive)
        except BaseException:
            if not outcome.n_ticks:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        control.close()
    summary["link"] = {
        **outcome.statistics.document(),
        "robot": link.robot,
        "lock_step": lock_step,
        "monitor_only": link.monitor,
        "state_delay_s": outcome.state_delay.document(),
        "network_age_s": outcome.network_age.document(),
        "stops": outcome.stops,
        "ended": outcome.ended,
    }
    write_json(folder / "summary.json", summary)
    return summary, folder


def _drive(
    config: RunConfig,
    link: LinkConfig,
    control: Control,
    outcome: _Outcome,
    log: TickLog,
    meter: EnergyMeter | None,
    stop: StopRequest,
) -> LoopResult:
    """Loop after loop, until the schedule is done, somebody interrupts, or the robot is not to be had."""
    while True:
        before = outcome.n_ticks
        try:
            _one_loop(config, link, control, outcome, log, meter, stop)
            outcome.ended = "interrupted" if outcome.interrupted else "done"
            break
        except SpikearmError as error:
            if not outcome.n_ticks:
                raise  # there is nothing to sum up
            outcome.ended = f"{type(error).__name__}: {error}"
            if not isinstance(error, ProtectiveStopError | LinkError):
                break  # not the arm's: to recover it would mend nothing
            outcome.stops.append({"tick": log.n_ticks, "why": str(error), "recovered": False})
            if len(outcome.stops) > link.recoveries or isinstance(error, RobotEndedError):
                break
        if stop.requested:  # also while the loop ended by an error: nothing is recovered, nothing armed
            outcome.ended = "interrupted"
            break
        done = outcome.n_ticks - before
        try:
            _recover(link, control, outcome, min(done, len(outcome.schedule) - 1), stop)
        except SpikearmError as error:
            outcome.ended = "interrupted" if stop.requested else f"{type(error).__name__}: {error}"
            break
        if stop.requested:
            outcome.ended = "interrupted"
            break
    return LoopResult(
        n_ticks=outcome.n_ticks,
        n_lost=log.n_lost,
        deadline_misses=outcome.misses,
        max_lateness_s=outcome.max_lateness_s,
        interrupted=outcome.ended != "done",
    )


def _one_loop(
    config: RunConfig,
    link: LinkConfig,
    control: Control,
    outcome: _Outcome,
    log: TickLog,
    meter: EnergyMeter | None,
    stop: StopRequest,
) -> None:
    with connect(link, control.arm, outcome.statistics, stop) as plant:
        # Now, and not when the run began: somebody may have moved the arm by hand.
        real = bool(plant.traits & Trait.REAL)
        if not link.monitor:
            plant.require_no_stop()
        elif plant.stop_reason:
            _log.warning(
                "the robot has stopped (%s), and is looked at as it is.", describe(plant.stop_reason)
            )
        outcome.schedule = led_up(
            control,
            outcome.schedule,
            plant.read().q,
            real=real,
            may_be_long=link.lead_in or not real,
            monitored=link.monitor,
        )
        result = Loop(
            plant,
            control.controller,
            outcome.schedule,
            log,
            clock=LinkClock(plant, arm=not link.monitor),
            meter=meter,
            measure=control.dynamics.pose,
            actuation_delay=config.actuation_delay,
            torque_rate_nm_s=config.torque_rate_nm_s,
            on_tick=outcome.on_tick,
            stop=stop,
        ).run()
    outcome.interrupted = result.interrupted


def _recover(link: LinkConfig, control: Control, outcome: _Outcome, tick: int, stop: StopRequest) -> None:
    """Release the robot, and lead the rest of the path back from where it is found.

    Raises:
        ProtectiveStopError: The robot is real, or has stopped for another reason than missed commands.
    """
    with connect(link, control.arm, outcome.statistics, stop) as plant:
        if plant.traits & Trait.REAL or plant.stop_reason & ~_MISSED:
            raise ProtectiveStopError(
                f"a run recovers simulated arms only, and from missed commands: this one has stopped "
                f"({describe(plant.stop_reason)}). {what_next(plant.stop_reason)}"
            )
        why = plant.stop_reason
        plant.recover()
        q = plant.read().q
    outcome.stops[-1]["recovered"] = True
    if why:  # what one would have to do about it is not said of a stop that is over
        outcome.stops[-1]["why"] = describe(why)
    control.controller.resume()
    outcome.schedule = resumed(
        outcome.schedule, tick, pose=pose_at(control, q), q=q, posture=np.asarray(control.arm.home)
    )
    _log.warning(
        "%s; the arm is led back to the start of reach %d, in %.1f s that belong to no reach.",
        f"the robot had stopped ({describe(why)}) and was recovered" if why else "the robot is joined again",
        outcome.schedule.reach_index[outcome.schedule.n_leading] + 1,
        outcome.schedule.n_leading * outcome.schedule.control_dt_s,
    )
