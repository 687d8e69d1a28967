"""Which arm a robot serves that is not the one it was taken for."""

from __future__ import annotations

from contextlib import closing

from spikearm.envs.arms import ARMS, ArmSpec
from spikearm.envs.identity import arm_identity
from spikearm.hardware.link.address import Address
from spikearm.hardware.link.channel import dial
from spikearm.hardware.link.conversation import answers
from spikearm.hardware.link.wire import Codec


def served_arm(address: Address, key: bytes) -> ArmSpec | None:
    """The shipped arm that answers at an address; None if none of them does.

    Each is asked for by a hello of its own, which a robot answers only if the number of joints is right.

    Args:
        address: Of the robot.
        key: Shared key, or ``b""``.

    Raises:
        AddressError: Nobody is at the address.
    """
    for arm in ARMS.values():
        with closing(dial(address)) as channel:
            if answers(channel, Codec(arm.n_joints, key, arm=arm_identity(arm))):
                return arm
    return None
