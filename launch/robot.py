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
from spikearm.hardware.link.address import parse_address
from spikearm.hardware.link.channel import Channel, listen
from spikearm.hardware.link.faults import FaultyChannel, FaultyPlant
from spikearm.hardware.link.hold import Hold
from spikearm.hardware.link.key import load_key
from spikearm.hardware.link.limits import Limits
from spikearm.hardware.link.senses import Senses
from spikearm.hardware.link.served_plant import ServedPlant
from spikearm.hardware.link.server import RobotServer
from spikearm.hardware.link.session import RobotSession
from spikearm.hardware.link.stops import describe
from spikearm.hardware.link.wire import Codec, Stop, Trait
from spikearm.launch.robot_checks import FirstLook, drive_limits_of, require_allowed
from spikearm.launch.robot_config import RobotConfig
from spikearm.launch.robot_drives import make_arm
from spikearm.records import FloatArray, JointState
from spikearm.timesteps import ticks_in

_STILL_RAD_S = 0.05
"""Joint speed below which an arm is let go without braking it [rad/s]: two units of a Dynamixel's."""
_TELLING_S, _BRAKING_S = 0.005, 1.0
"""Shortest and longest time between the wish to end and the end of torque [s]."""
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
        first_look: What is asked of the reading that a real arm is held by when serving begins.
    """

    config: RobotConfig
    plant: ServedPlant
    session: RobotSession
    server: RobotServer
    channel: Channel
    first_look: FirstLook

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
        """Serve as long as ``wanted()`` is true, and tell of every stop; then bring the arm to rest.

        Args:
            wanted: Whether to go on.
            on_stop: Told why the arm has stopped: all reasons by now, at each new one, to the very end; and
                no reason, once it was recovered.

        Raises:
            ConfigError: A real arm is not served from where it stands by now; nothing was written to it.
        """
        told = Stop(0)

        def tell() -> None:
            nonlocal told
            if self.session.stop != told:
                told = self.session.stop
                on_stop(told)

        def telling(go_on: Callable[[], bool]) -> Callable[[], bool]:
            def asked() -> bool:
                tell()
                return go_on()

            return asked

        opened = self.server.reading
        self.server.begin(lambda found, given: self._require_as_opened(found, given, opened))
        self.server.run(telling(wanted))
        self.session.wind_up()
        self.server.run(telling(self._answering() if self.config.lock_step else self._braking()))
        tell()

    def _require_as_opened(self, found: JointState, measured: FloatArray, opened: JointState) -> None:
        self.first_look.require(found, measured)
        self.first_look.require_near(found, opened)

    def _answering(self) -> Callable[[], bool]:
        """In lock step nobody is told anything unasked: a client that commands hears it, and takes leave."""
        session, answers = self.session, itertools.count()
        return lambda: session.peer is not None and next(answers) < _LAST_ANSWERS

    def _braking(self) -> Callable[[], bool]:
        """Brake before the torque ends, and tell whoever commands: a moving arm would be let go in motion.

        One that cannot be read is held by what was known of it, until that is too old.
        """
        session = self.session
        if not self.server.energised:
            return lambda: False  # no torque yet, or let go: to brake it would be to switch it on
        told, enough = ticks_in(_TELLING_S, self.plant.dt_s), ticks_in(_BRAKING_S, self.plant.dt_s)
        ticks = itertools.count()  # in which something was done: those slept through brake nothing

        def moves() -> bool:
            tick = next(ticks)
            braked = self.still or tick >= enough or session.stop & Stop.TORQUE_OFF
            return tick < told or not braked

        return moves

    @property
    def still(self) -> bool:
        """Whether the arm is known to be so slow that it may be let go without braking it."""
        slow = bool((np.abs(self.server.reading.dq) <= _STILL_RAD_S).all())
        return slow and not self.server.blind

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
            "speed_rad_s": None if self.server.blind else float(np.abs(self.server.reading.dq).max()),
            "largest_torque_nm": self.server.largest.torque.tolist(),
            "largest_torque_step_nm": self.server.largest.step.tolist(),
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
    require_allowed(config, traits)
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
        require_allowed(config, traits)
        return _wired(plant, arm, config, traits)
    except BaseException as error:
        try:
            plant.close()
        except Exception as also:  # noqa: BLE001 - both are told
            error.add_note(f"And {also}")
        raise


def _wired(plant: ServedPlant, arm: ArmSpec, config: RobotConfig, traits: Trait) -> Robot:
    address, key = parse_address(config.listen), load_key(config.key_file)
    real = bool(traits & Trait.REAL)
    dynamics = MujocoDynamics(arm)
    drive_limits = drive_limits_of(plant, arm.n_joints)
    limits = Limits(
        config.limits,
        dynamics.torque_limits,
        dynamics.joint_ranges,
        dt_s=plant.dt_s,
        real=real,
        drive_limits=drive_limits,
    )
    first, measured = Senses(plant, arm.n_joints).read()
    # A real arm's drives give its weight now, if they hold it; nothing, if they are off.
    given = np.zeros(arm.n_joints) if measured is None else measured
    first_look = FirstLook(dynamics, limits, drive_limits, real)
    first_look.require(first, given)
    session = RobotSession(
        config.session,
        limits,
        Hold(dynamics, config.hold, dynamics.joint_ranges, dt_s=plant.dt_s, real=real),
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
    return Robot(config, plant, session, server, channel, first_look)
