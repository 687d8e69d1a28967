"""A hello to a robot, and its answer: by both, nothing changes there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikearm.hardware.link.channel import Channel
from spikearm.hardware.link.wire import Codec, CommandFrame, Flag, Refused, StateFrame

REPEAT_S = 0.05
"""After this time without an answer, a question is asked again [s]."""


def greet(
    channel: Channel, codec: Codec, now_ns: Callable[[], int], *, on_refused: Callable[[Refused], None]
) -> StateFrame | None:
    """The answer of a robot of this arm to one hello; None if there is none in time.

    To this hello and to no other: an old answer, played again, echoes another time.

    Args:
        channel: The wire.
        codec: Packs and unpacks, for this arm.
        now_ns: Monotonic clock [ns].
        on_refused: Told of every packet that is no state of this arm.
    """
    hello_ns = now_ns()
    zero = np.zeros(codec.n_joints)
    channel.send(codec.pack_command(CommandFrame(0, 0, 0, hello_ns, -1, Flag.HELLO, 0, zero)))
    deadline_ns = hello_ns + round(1e9 * REPEAT_S)
    while (remaining_ns := deadline_ns - now_ns()) > 0:
        came = channel.receive(1e-9 * remaining_ns)
        if came is None:
            continue
        try:
            state = codec.unpack_state(came[0])
        except Refused as refusal:
            on_refused(refusal)
            continue
        if state.echo_ns == hello_ns:
            return state
    return None
