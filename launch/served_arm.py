"""Which arm a robot serves that is not the one it was taken for."""

from __future__ import annotations

import time
from contextlib import closing, suppress

from spikearm.envs.arms import ARMS, ArmSpec
from spikearm.envs.identity import arm_identity
from spikearm.errors import AddressError
from spikearm.hardware.link.address import Address
from spikearm.hardware.link.channel import dial
from spikearm.hardware.link.greeting import greet
from spikearm.hardware.link.wire import Codec, Refused


def served_arm(address: Address, key: bytes) -> ArmSpec | None:
    """The shipped arm that answers at an address; None if none of them does, or nobody is there any more.

    Each is asked for by a hello of its own, which a robot answers only if the number of joints is right.

    Args:
        address: Of the robot.
        key: Shared key, or ``b""``.
    """
    with suppress(AddressError):
        for arm in ARMS.values():
            codec = Codec(arm.n_joints, key, arm=arm_identity(arm))
            with closing(dial(address)) as channel:
                if greet(channel, codec, time.monotonic_ns, on_refused=_ignored) is not None:
                    return arm
    return None


def _ignored(refusal: Refused) -> None:
    """Another arm's answer; that arm is asked for in its turn."""
