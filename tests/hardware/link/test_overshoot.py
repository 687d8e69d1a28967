"""How far an arm goes beyond its stop that is driven at it by all of its torque: see docs/safety.md."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.plant import MujocoPlant
from spikearm.hardware.link.hold import Hold, HoldGains
from spikearm.hardware.link.limits import LimitRules, Limits
from spikearm.hardware.link.session import RobotSession, SessionRules
from spikearm.hardware.link.wire import CommandFrame, Flag, Mode, Stop

ARM = ARMS["iiwa14"]
DT_S = 1e-3


def driven(joint: int, side: int, *, real: bool) -> tuple[float, float, Stop]:
    """Largest angle beyond the stop [rad], and largest speed of the joint [rad/s]; and why it was stopped."""
    dynamics = MujocoDynamics(ARM)
    stop_rad = dynamics.joint_ranges[joint, 1 if side > 0 else 0]
    plant = MujocoPlant(ARM, control_dt_s=DT_S)
    start = np.array(ARM.home)
    start[joint] = stop_rad - side * 0.5
    plant._q0 = start
    reading = plant.reset()
    session = RobotSession(
        SessionRules(),
        Limits(LimitRules(), dynamics.torque_limits, dynamics.joint_ranges, dt_s=DT_S, real=real),
        Hold(dynamics, HoldGains(), dynamics.joint_ranges, dt_s=DT_S),
        reading,
        dt_s=DT_S,
    )
    beyond, fastest = -np.inf, 0.0
    for tick in range(1, 800):
        if session.mode is not Mode.STOPPED:
            session.offer(command(session, tick, joint, side * dynamics.torque_limits[joint]), "client")
        plant.write(session.tick(reading))
        reading = plant.read()
        beyond = max(beyond, side * (reading.q[joint] - stop_rad))
        fastest = max(fastest, abs(reading.dq[joint]))
    plant.close()
    return beyond, fastest, session.stop


def command(session: RobotSession, sequence: int, joint: int, torque_nm: float) -> CommandFrame:
    active = session.mode is Mode.COMMAND_ACTIVE
    torque = np.zeros(ARM.n_joints)
    torque[joint] = torque_nm if active else 0.0
    flags = Flag(0) if active else Flag.ARM | Flag.HOLD
    return CommandFrame(session.number, sequence, session.tick_number, 0, -1, flags, 0, torque)


@pytest.mark.parametrize(("joint", "side"), [(1, -1), (2, 1), (2, -1), (3, 1)])
def test_simulated_arm_goes_little_beyond_its_stop(joint, side):
    beyond, fastest, why = driven(joint, side, real=False)
    assert beyond < 0.05
    assert fastest < 7.0
    assert why & (Stop.SPEED_LIMIT | Stop.JOINT_LIMIT)


@pytest.mark.parametrize(("joint", "side"), [(0, 1), (1, 1), (1, -1)])
def test_real_arm_is_stopped_well_before_its_stop(joint, side):
    beyond, fastest, why = driven(joint, side, real=True)
    assert beyond < -0.15
    assert fastest < 2.0
    assert why == Stop.SPEED_LIMIT
