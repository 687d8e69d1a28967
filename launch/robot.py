"""A robot from its configuration: the arm, its session and its end of the wire."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from spikearm.envs.arms import ArmSpec, load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.identity import arm_identity
from spikearm.errors import AddressError, ConfigError
from spikearm.hardware.link.address import parse_address, require_safe
from spikearm.hardware.link.channel import Channel, listen
from spikearm.hardware.link.faults import FaultyChannel, FaultyPlant
from spikearm.hardware.link.hold import Hold
from spikearm.hardware.link.key import load_key
from spikearm.hardware.link.limits import Limits
from spikearm.hardware.link.served_plant import LimitsTorque, MeasuresTorque, ServedPlant
from spikearm.hardware.link.server import RobotServer
from spikearm.hardware.link.session import AT_REST_RAD_S, RobotSession, SessionRules
from spikearm.hardware.link.stops import describe
from spikearm.hardware.link.wire import Codec, Stop, Trait
from spikearm.launch.robot_config import RobotConfig
from spikearm.launch.robot_drives import make_arm
from spikearm.records import FloatArray, JointState
from spikearm.timesteps import ticks_in

_STILL_RAD_S = 0.05
"""Joint speed below which an arm is let go without braking it [rad/s]: two units of a Dynamixel's."""
_TELLING_S, _BRAKING_S = 0.005, 1.0
"""Shortest and longest time between the wish to end and the end of torque [s]."""
_MOST_PATIENT_S = {"max_missed_s": 0.2, "stale_s": 0.2, "blind_s": 0.2, "runaway_s": 0.5, "silence_s": 10.0}
"""Largest values of what lets a real arm go on: the watchdog's, the session's [s]."""
_LAST_ANSWERS = 5
"""In lock step: packets for which a robot that ends still waits, a tenth of a second each."""


@dataclass(frozen=True)
class Robot:
    """A robot that waits to be served.

    Attributes:
        config: What it was made from.
        plant: The arm.
        session: Who may command it.
        server: Its end of the wire.
        channel: The wire.
    """

    config: RobotConfig
    plant: ServedPlant
    session: RobotSession
    server: RobotServer
    channel: Channel

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.plant.close()
        finally:
            self.channel.close()

    def serve(self, wanted: Callable[[], bool], *, on_stop: Callable[[Stop], None]) -> None:
        """Serve as long as ``wanted()`` is true, and tell of every stop; then bring the arm to rest."""
        told = Stop(0)

        def tell() -> None:
            nonlocal told
            if self.session.stop != told:
                told = self.session.stop
                if told:
                    on_stop(told)

        def go_on() -> bool:
            tell()
            return wanted()

        self.server.begin()
        self.server.run(go_on)
        self.session.wind_up()
        tell()
        if self.config.lock_step:
            self._answer_to_the_last()
        else:
            self._come_to_rest()

    def _answer_to_the_last(self) -> None:
        """In lock step nobody is told anything unasked: a client that commands hears it, and takes leave."""
        session, answers = self.session, itertools.count()
        self.server.run(lambda: session.peer is not None and next(answers) < _LAST_ANSWERS)

    def _come_to_rest(self) -> None:
        """Brake before the torque ends, and tell whoever commands: a moving arm would be let go in motion."""
        session = self.session
        if not self.server.energised:
            return  # told to end before its first torque, or let go: to brake it would be to switch it on
        told, enough = ticks_in(_TELLING_S, self.plant.dt_s), ticks_in(_BRAKING_S, self.plant.dt_s)
        ticks = itertools.count()  # in which something was done: those slept through brake nothing

        def moves() -> bool:
            tick = next(ticks)
            braked = self.still or tick >= enough or session.stop & Stop.TORQUE_OFF
            return tick < told or not braked

        self.server.run(moves)

    @property
    def still(self) -> bool:
        """Whether the arm may be let go without braking it."""
        return bool((np.abs(self.server.reading.dq) <= _STILL_RAD_S).all())

    def document(self) -> dict[str, Any]:
        """What happened to it."""
        injected: Counter[str] = Counter()
        for part in (self.channel, self.plant):
            if isinstance(part, FaultyChannel | FaultyPlant):
                injected += part.injected
        return {
            "arm": self.config.arm,
            "lock_step": self.config.lock_step,
            "ticks": self.session.tick_number,
            "commands_accepted": self.server.n_accepted,
            "packets_refused": {cause.value: n for cause, n in sorted(self.server.refused.items())},
            "mode": self.session.mode.name,
            "speed_rad_s": float(np.abs(self.server.reading.dq).max()),
            "largest_torque_nm": self.server.largest.tolist(),
            "largest_torque_step_nm": self.server.largest_step.tolist(),
            "overruns": self.server.n_overruns,
            "stops": [{"tick": tick, "why": describe(why)} for tick, why in self.session.stops],
            "fault": self.server.fault or None,
            "faults_injected": dict(injected),
        }


def make_robot(config: RobotConfig) -> Robot:
    """All parts of a robot, bound to its address.

    Raises:
        SpikearmError: Of many kinds: the arm, the address, the key, the drive.
    """
    arm = load_arm(config.arm)
    traits = Trait.RESETTABLE if config.drive == "mujoco" else Trait.REAL
    _require_allowed(config, traits)
    traits |= Trait.LOCK_STEP if config.lock_step else Trait(0)
    return robot_around(make_arm(config, arm), arm, config, traits)


def robot_around(plant: ServedPlant, arm: ArmSpec, config: RobotConfig, traits: Trait) -> Robot:
    """A robot around any plant, such as an adapter's.

    Args:
        plant: The arm; it is closed with the robot.
        arm: Its model, for gravity and limits.
        config: Everything else.
        traits: What kind of robot it is; anything that can hurt is ``Trait.REAL``.

    Raises:
        SpikearmError: The address or the key cannot be used.
    """
    try:
        _require_allowed(config, traits)
        return _wired(plant, arm, config, traits)
    except BaseException:
        plant.close()
        raise


def _wired(plant: ServedPlant, arm: ArmSpec, config: RobotConfig, traits: Trait) -> Robot:
    address, key = parse_address(config.listen), load_key(config.key_file)
    real = bool(traits & Trait.REAL)
    dynamics = MujocoDynamics(arm)
    drive_limits = _drive_limits(plant, arm.n_joints)
    limits = Limits(
        config.limits,
        dynamics.torque_limits,
        dynamics.joint_ranges,
        dt_s=plant.dt_s,
        real=real,
        drive_limits=drive_limits,
    )
    first, given = plant.read(), _given(plant, arm.n_joints)
    _require_finite(first, given)
    if real:
        _require_at_rest(first)
    _require_inside(dynamics.joint_ranges, first)
    _require_carried(dynamics, limits, drive_limits, first)
    session = RobotSession(
        config.session,
        limits,
        Hold(dynamics, config.hold, dynamics.joint_ranges, dt_s=plant.dt_s),
        first,
        dt_s=plant.dt_s,
        given=given if real else None,
        real=real,
    )
    codec = Codec(arm.n_joints, key, arm=arm_identity(arm))
    channel: Channel = listen(address)
    if config.faults.any:
        wire_seed, sensor_seed = np.random.SeedSequence(config.faults.fault_seed).spawn(2)
        channel = faulty = FaultyChannel(channel, config.faults, codec, np.random.default_rng(wire_seed))
        plant = FaultyPlant(
            plant, config.faults, np.random.default_rng(sensor_seed), active=lambda: faulty.active
        )
    server = RobotServer(plant, session, channel, codec, first=first, traits=traits)
    return Robot(config, plant, session, server, channel)


def _given(plant: ServedPlant, n_joints: int) -> FloatArray:
    """What a real arm's drives give now [N m]: its weight, if they hold it; nothing, if they are off."""
    return plant.torque_measured if isinstance(plant, MeasuresTorque) else np.zeros(n_joints)


def _drive_limits(plant: ServedPlant, n_joints: int) -> FloatArray | None:
    """Largest torques that the arm's drives give [N m], shape (n_joints,); None if they do not say.

    Raises:
        ConfigError: They say nothing that can be a limit.
    """
    if not isinstance(plant, LimitsTorque):
        return None
    limits = np.asarray(plant.torque_limits, dtype=np.float64)
    if limits.shape != (n_joints,) or not (limits > 0.0).all():
        raise ConfigError(
            f"the drives' torque_limits are {limits}, not {n_joints} positive torques [N m]; mend the "
            "plant, or leave them out where nothing is known."
        )
    return limits


def _require_allowed(config: RobotConfig, traits: Trait) -> None:
    """Whoever can command a real arm, and whoever switches it on, has to be somebody who may.

    Raises:
        AddressError: Others can reach its address.
        ConfigError: Nobody has acknowledged that it may be energised, faults are to be injected, or it shall
            move in lock step, in which there is no watchdog.
    """
    address, has_key = parse_address(config.listen), bool(load_key(config.key_file))
    require_safe(address, has_key=has_key)
    if not traits & Trait.REAL:
        return
    if config.lock_step or traits & Trait.LOCK_STEP:
        raise ConfigError("a real arm does not wait for its commands; leave --lock-step out.")
    _require_watchful(config.session)
    if config.faults.any:
        raise ConfigError("faults are for simulated arms; leave them out for a real one.")
    if address.path is None and not has_key:
        raise AddressError(
            f"every user of this machine could command a real arm at {address}; give --listen unix:PATH, or "
            "a 32-byte key with --key-file (`spikearm robot key FILE` makes one)."
        )
    if not config.acknowledge_real_arm:
        raise ConfigError(
            "this arm is real, and will be held by torque as soon as it is served. Clear its surroundings, "
            "keep a hand on its emergency stop, read docs/safety.md, and say so with --acknowledge-real-arm."
        )


def _require_watchful(rules: SessionRules) -> None:
    """A watchdog of a real arm can be made a little more patient, and not be set away.

    Raises:
        ConfigError: It was.
    """
    for key, most_s in _MOST_PATIENT_S.items():
        value_s = rules.watchdog.max_missed_s if key == "max_missed_s" else getattr(rules, key)
        if value_s > most_s:
            raise ConfigError(
                f"of a real arm, {key} is at most {most_s:g} s, not {value_s:g} s: so long it may go on "
                f"unwatched. Give a smaller --{key.replace('_', '-')}."
            )


def _require_finite(reading: JointState, measured: FloatArray) -> None:
    """An arm of which nothing is known would be held by nothing.

    Raises:
        ConfigError: Its first reading is not finite.
    """
    if not all(np.isfinite(each).all() for each in (reading.q, reading.dq, reading.t_s, measured)):
        raise ConfigError(
            f"the arm's first reading is q = {reading.q} rad, dq = {reading.dq} rad/s at {reading.t_s} s, "
            f"torque {measured} N m; every number has to be finite. Look at its sensors (`spikearm robot "
            "look`), and serve it again."
        )


def _require_at_rest(reading: JointState) -> None:
    """An arm that somebody else moves, or that falls, would be taken over in motion.

    Raises:
        ConfigError: It moves.
    """
    speed_rad_s = float(np.abs(reading.dq).max())
    if speed_rad_s > AT_REST_RAD_S:
        raise ConfigError(
            f"this arm is real and moves, by up to {speed_rad_s:.2f} rad/s. End what moves it, wait until it "
            f"is at rest (below {AT_REST_RAD_S:g} rad/s), and serve it again."
        )


def _require_inside(q_range: FloatArray, reading: JointState) -> None:
    """An arm that reads outside its range would be moved as soon as it is held.

    Raises:
        ConfigError: A servo is a turn off after a power cycle, the homing or the model is wrong, or it is so.
    """
    outside = (reading.q < q_range[:, 0]) | (reading.q > q_range[:, 1])
    if outside.any():
        joint = int(np.flatnonzero(outside)[0])
        low, high = q_range[joint]
        raise ConfigError(
            f"joint {joint} reads {reading.q[joint]:.3f} rad, outside its range of {low:.3f} to {high:.3f} "
            "rad. Check homing, zero and model (--arm), or move it inside by hand, and serve it again."
        )


def _require_carried(
    dynamics: MujocoDynamics, limits: Limits, drive_limits: FloatArray | None, reading: JointState
) -> None:
    """An arm that its allowed torque, or its drives, cannot carry would fall as soon as it is held.

    Raises:
        ConfigError: It is one.
    """
    dynamics.update(reading.q, np.zeros_like(reading.dq))
    weight = np.abs(dynamics.bias())
    if drive_limits is not None and (weight > drive_limits).any():
        joint = int(np.argmax(weight / drive_limits))
        raise ConfigError(
            f"where it stands, the arm's own weight takes {weight[joint]:.3f} N m at joint {joint}, and its "
            f"drive gives {drive_limits[joint]:.3f} N m at most: it would fall. Let the drive give more (of "
            "Dynamixel servos: --servo-limit-a), or move the arm elsewhere."
        )
    if (weight > limits.torque).any():
        needed = (weight / dynamics.torque_limits).max()
        raise ConfigError(
            f"where it stands, the arm's own weight takes {needed:.3f} of its torque limits, more than it is "
            f"allowed: it would fall. Give a --torque-share above {needed:.3f}, or move it elsewhere."
        )
