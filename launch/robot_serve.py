"""The command ``spikearm robot serve``: an arm behind the wire, in a process of its own."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import tyro

from spikearm.controller.interruption import StopRequest
from spikearm.errors import ConfigError
from spikearm.hardware.link.address import parse_address
from spikearm.hardware.link.stops import describe
from spikearm.hardware.link.wire import Stop
from spikearm.launch.cli import guarded, option, parse, print_json
from spikearm.launch.config import RunConfig, load_config
from spikearm.launch.exit_codes import DONE, FAILED
from spikearm.launch.realtime import no_collections, prioritised
from spikearm.launch.robot import Robot, make_robot
from spikearm.launch.robot_config import RobotConfig, robot_of
from spikearm.launch.teller import Teller, tell_or_lose

_PRIORITY = 60
"""Above that of the client: of two on one machine, the one that watches over the other."""

_OF_THE_ARM = Stop.PLANT | Stop.SENSOR
"""Stops of which the arm itself says more."""

_ANY_HOST = "0.0.0.0"  # noqa: S104 - asked about, not bound to
_COMMON = (
    "arm",
    "listen",
    "key_file",
    "lock_step",
    "drive",
    "seed",
    "control_dt_s",
    "payload_kg",
    "config",
    "json",
)


@dataclass(frozen=True)
class RobotServeCommand:
    """An arm behind the wire, simulated or real, with watchdog and limits of its own; Ctrl-C ends it.

    Attributes:
        robot: The robot.
        config: Serve the arm of a ready-made experiment (by name), a TOML file, or a run's run.json, with its
            seed and perturbation; options on the command line come on top.
        json: Print what happened as one JSON document. It comes on stdout, at the end.
    """

    robot: Annotated[RobotConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=RobotConfig)
    config: str | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_serve, argv)


def _serve(argv: Sequence[str]) -> int:
    name = option(argv, "--config")
    base = RobotConfig() if name is None else robot_of(load_config(name, RunConfig()), RobotConfig())
    command = parse(
        RobotServeCommand,
        argv,
        prog="spikearm robot serve",
        default=RobotServeCommand(robot=base),
        examples=(
            "spikearm robot serve --arm planar3 --payload-kg 0.5",
            "spikearm robot serve --listen udp://0.0.0.0:47001 --key-file link.key",
        ),
        common=_COMMON,
    )
    _require_load_of_a_simulated_arm(command.robot, base)
    with Teller(tell_or_lose) as teller:
        in_time: AbstractContextManager[list[str]]
        in_time = nullcontext([]) if command.robot.lock_step else prioritised(_PRIORITY)
        with StopRequest() as stop, make_robot(command.robot) as robot, in_time as notes:
            for note in notes:
                teller.tell(f"warning: {note}", "yellow")
            teller.tell(_announcement(robot))
            # Closed before all else that ends here: a Franka arm bears 20 ms without a torque.
            with no_collections():
                try:
                    robot.serve(
                        lambda: not stop.requested,
                        on_stop=lambda why: teller.tell(_explained(why, robot), "red" if why else ""),
                    )
                finally:
                    not_closed = _close(robot, teller)
            document = robot.document() | {"not_closed": not_closed or None}
            teller.tell(_last_words(robot, document, not_closed=not_closed))
    if command.json:
        print_json(document)
    return FAILED if not_closed else DONE


def _close(robot: Robot, teller: Teller) -> str:
    """Let the arm go; what could not be done is told at once, and is the arm's last word."""
    try:
        robot.plant.close()
    except Exception as error:  # noqa: BLE001 - whatever a plant raises, somebody has to be told
        teller.tell(f"{type(error).__name__}: {error}", "red")
        return str(error) or type(error).__name__
    return ""


def _require_load_of_a_simulated_arm(robot: RobotConfig, base: RobotConfig) -> None:
    """What a real arm carries and suffers is so, and not told to it.

    Raises:
        ConfigError: It was given on this command line.
    """
    mine, its = robot.perturbation, base.perturbation
    given = [f.name for f in dataclasses.fields(its) if getattr(mine, f.name) != getattr(its, f.name)]
    if robot.drive != "mujoco" and given:
        option = "--" + given[0].replace("_", "-")
        raise ConfigError(
            f"{option} is for simulated arms, and this one is real (--drive {robot.drive}): it carries what "
            "it carries. Leave it out."
        )


def _announcement(robot: Robot) -> str:
    config = robot.config
    pace = "in lock step" if config.lock_step else f"at {1.0 / config.control_dt_s:.0f} Hz"
    return f"robot {config.arm} ready {pace} at {config.listen}; Ctrl-C ends it."


def _last_words(robot: Robot, document: dict[str, Any], *, not_closed: str) -> str:
    served = f"served {document['ticks']} ticks, {document['commands_accepted']} commands"
    if not_closed:
        return f"{served}; the arm was NOT let go, and may be under torque: look at it."
    return f"{served}." if robot.config.lock_step else f"{served}; {_how_it_was_left(robot)}."


def _how_it_was_left(robot: Robot) -> str:
    """What is known of the arm at the end; where nothing is, somebody has to look at it."""
    speed = f"by up to {np.abs(robot.server.reading.dq).max():.2f} rad/s"
    if robot.server.energised:
        left, how = "the arm was let go", "at rest" if robot.still else f"while it moved, {speed}"
    else:
        before = robot.session.stop & Stop.TORQUE_OFF
        left = "the arm was let go before" if before else "the arm was given no torque"
        how = "and is at rest" if robot.still else f"and moves, {speed}"
    if robot.server.blind:
        how = "and nobody knows whether it is at rest: it could not be read. Look at it"
    return f"{left} {how}"


def _explained(why: Stop, robot: Robot) -> str:
    if not why:
        return "recovered: the arm may be commanded again."
    config, fault = robot.config, robot.server.fault
    words = describe(why & ~Stop.ENDED) + (f" ({fault})" if why & _OF_THE_ARM and fault else "")
    if why == Stop.ENDED:
        return (
            "told to end while a client commanded: that run is cut off, and its client is told why. The arm "
            "is braked and let go; serve it again for another run."
        )
    if robot.session.ending:
        return f"stopped while it was told to end: {words}. Look at the arm before it is served again."
    client = [f"--robot {_reached_at(config.listen)}", f"--arm {config.arm}"]
    client += [f"--key-file {config.key_file}"] if config.key_file else []
    client += ["--recover"] + (["--acknowledge-real-arm"] if config.drive != "mujoco" else [])
    return (
        f"protective stop: {words}. Look at the arm; then `spikearm hardware run {' '.join(client)}` "
        "recovers it, and runs."
    )


def _reached_at(listen: str) -> str:
    """The address that a client is given: where all of a machine's are listened at, none is its name."""
    host = parse_address(listen).host
    return listen.replace(host, "THIS-HOST", 1) if host == _ANY_HOST else listen


if __name__ == "__main__":
    sys.exit(main())
