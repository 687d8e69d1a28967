"""Tells arms apart that have the same number of joints."""

from __future__ import annotations

from functools import cache
from hashlib import blake2s

import numpy as np

from spikearm.envs.arms import ArmSpec
from spikearm.envs.dynamics import MujocoDynamics

_N_STATES = 4
_DECIMALS = 6
"""Figures that are compared: the last bits may differ between machines."""


@cache
def arm_identity(arm: ArmSpec) -> int:
    """64 bits of what an arm is to whoever commands it, however its model is written down and called.

    Inertia, weight and the end effector's Jacobian at some states, joint ranges and torque limits.

    Args:
        arm: The nominal arm.

    Raises:
        ModelError: The arm's model cannot be used.
    """
    dynamics = MujocoDynamics(arm)
    digest = blake2s(digest_size=8)
    parts = [dynamics.joint_ranges, dynamics.torque_limits]
    for q in np.random.default_rng(0).uniform(-1.0, 1.0, (_N_STATES, arm.n_joints)):
        dynamics.update(q, np.zeros_like(q))
        parts += [dynamics.mass_matrix().copy(), dynamics.bias().copy(), dynamics.jacobian().copy()]
    for part in parts:
        # Adding 0 makes -0 the same number as 0.
        digest.update((np.round(part, _DECIMALS) + 0.0).astype("<f8").tobytes())
    return int.from_bytes(digest.digest(), "little")
