"""The command ``spikearm backend serve``: a run's network on this machine, for a loop on another."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from spikearm.controller.interruption import StopRequest
from spikearm.envs.arms import load_arm
from spikearm.hardware.link.address import open_server_socket, parse_address, require_safe
from spikearm.hardware.link.channel import DatagramChannel
from spikearm.hardware.link.key import load_key
from spikearm.hardware.link.network_packets import MAX_PACKET_BYTES, spec_digest
from spikearm.hardware.link.program_server import ProgramServer
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.compose import make_substrate, network_description, network_seed
from spikearm.launch.config import RunConfig
from spikearm.launch.display import say
from spikearm.launch.exit_codes import DONE
from spikearm.launch.realtime import no_collections
from spikearm.launch.run_command import base_config

DEFAULT_ADDRESS = "local:network"
_COMMON = (
    "listen",
    "key_file",
    "backend",
    "arm",
    "controller",
    "seed",
    "n_neurons",
    "network_dt_s",
    "config",
    "json",
)


@dataclass(frozen=True)
class BackendServeCommand:
    """The network of a run on this machine, for a loop elsewhere; Ctrl-C ends it.

    Give it the same options as the run, which gets ``--substrate-at`` on top: both compile the same
    description, and a client whose description differs is turned away.

    Attributes:
        run: The run whose network it is; only its network, substrate, arm and seed matter here.
        listen: Address to listen at: local:NAME, which only this user can reach, unix:PATH, or
            udp://HOST:PORT. Anything that other machines can reach needs a key.
        key_file: 32-byte key of mode 0600 that the client has as well.
        config: Ready-made experiment, TOML file, or a run.json. Options on the command line come on top.
        json: Print what happened as one JSON document. It comes on stdout, at the end.
    """

    run: Annotated[RunConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=RunConfig)
    listen: str = DEFAULT_ADDRESS
    key_file: Path | None = None
    config: str | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_serve, argv)


def _serve(argv: Sequence[str]) -> int:
    default = BackendServeCommand(run=base_config(argv))
    command = parse(
        BackendServeCommand,
        argv,
        prog="spikearm backend serve",
        default=default,
        examples=(
            "spikearm backend serve --backend loihi",
            "spikearm backend serve --listen udp://0.0.0.0:47002 --key-file link.key",
        ),
        common=_COMMON,
    )
    run, address, key = command.run, parse_address(command.listen), load_key(command.key_file)
    require_safe(address, has_key=bool(key))
    channel = DatagramChannel(open_server_socket(address), max_bytes=MAX_PACKET_BYTES)
    say(f"preparing {run.backend}; on a new machine, kernels are compiled once, a minute or two")
    try:
        spec, dt_s = network_description(run, load_arm(run.arm))
        seed = network_seed(run.seed)
        program = make_substrate(run).compile(spec, dt_s=dt_s, seed=seed)
        digest = spec_digest(spec, dt_s=dt_s, seed=seed, substrate=run.backend)
        server = ProgramServer(program, spec, digest, channel, key)
        say(f"network on {run.backend} ready at {command.listen}; Ctrl-C ends it.")
        with StopRequest() as stop, no_collections():
            server.run(lambda: not stop.requested)
        program.close()
    finally:
        channel.close()
    document = {
        "backend": run.backend,
        "steps": server.n_steps,
        "questions_skipped": server.n_skipped,
        "packets_refused": {cause.value: n for cause, n in sorted(server.refused.items())},
    }
    say(f"served {server.n_steps} steps.")
    if command.json:
        print_json(document)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
