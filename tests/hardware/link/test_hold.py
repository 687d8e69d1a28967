from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from rig import MassDynamics, Masses

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ConfigError
from spikearm.hardware.link import hold as hold_module
from spikearm.hardware.link.hold import Hold, HoldGains
from spikearm.hardware.link.limits import LimitRules, Limits
from spikearm.records import JointState

FREE = np.tile((-np.inf, np.inf), (2, 1))


def held(plant: Masses, hold: Hold, seconds: float) -> Masses:
    for _ in range(round(1000 * seconds)):
        plant.write(hold.torque(plant.read()))
    return plant


def test_known_weight_is_held_still_from_the_first_tick():
    plant = Masses(weight=9.0)
    held(plant, Hold(MassDynamics(weight=9.0), HoldGains(), FREE, dt_s=1e-3), 1.0)
    np.testing.assert_allclose(plant.q, 0.0, atol=1e-12)


def test_unknown_weight_is_held_where_it_was():
    plant = Masses(weight=3.0)
    held(plant, Hold(MassDynamics(), HoldGains(), FREE, dt_s=1e-3), 3.0)
    np.testing.assert_allclose(plant.q, 0.0, atol=1e-3)
    np.testing.assert_allclose(plant.dq, 0.0, atol=1e-3)


def test_moving_arm_brakes_within_its_bound_and_stays_where_it_comes_to_rest():
    plant = Masses()
    plant.q, plant.dq = np.array((0.4, -0.2)), np.array((2.0, -1.0))
    held(plant, Hold(MassDynamics(), HoldGains(), FREE, dt_s=1e-3), 3.0)
    assert np.abs(plant.applied).max() <= 15.0 + 5.0
    np.testing.assert_allclose(plant.dq, 0.0, atol=1e-3)
    # 2 rad/s brake within 2^2 / (2 * 15) rad, are pulled back by 0.03 rad, and let go on the way.
    travelled = plant.q - (0.4, -0.2)
    assert 0.08 < travelled[0] < 0.25
    assert -travelled[0] < travelled[1] < 0.0


@pytest.mark.parametrize(
    ("speed_rad_s", "seed"), [(1.0, 0), (1.0, 1), (3.0, 2), (3.0, 7), (3.0, 8), (3.0, 9)]
)
def test_stopped_arm_is_at_rest_within_a_second(speed_rad_s, seed):
    """From any motion up to the speed limit, with a payload, while torque changes by 1 N m per tick only."""
    rng = np.random.default_rng(seed)
    arm = ARMS["iiwa14"]
    dynamics = MujocoDynamics(arm)
    plant = MujocoPlant(
        arm, perturbation=Perturbation(payload_kg=0.907), q0=arm.home + rng.uniform(-0.7, 0.7, 7)
    )
    plant._data.qvel[:] = scaled(rng.uniform(-1.0, 1.0, 7), speed_rad_s)
    limits = Limits(LimitRules(), dynamics.torque_limits, dynamics.joint_ranges, dt_s=1e-3)
    hold = Hold(dynamics, HoldGains(), dynamics.joint_ranges, dt_s=1e-3)
    state = plant.read()
    dynamics.update(state.q, state.dq)
    applied, fastest = dynamics.bias().copy(), 0.0
    for _ in range(1000):
        state = plant.read()
        fastest = max(fastest, np.abs(state.dq).max())
        applied = plant.write(limits.clamp(hold.torque(state), applied))
    assert fastest < speed_rad_s + 2.0  # the torque at the beginning lacks the payload's weight
    assert np.abs(plant.read().dq).max() < 0.02


def scaled(values: np.ndarray, largest: float) -> np.ndarray:
    return values * largest / np.abs(values).max()


def test_released_hold_begins_anew():
    plant, hold = Masses(), Hold(MassDynamics(), HoldGains(), FREE, dt_s=1e-3)
    held(plant, hold, 0.1)
    plant.q = np.array((1.0, 1.0))
    assert np.abs(hold.torque(plant.read())).max() > 5.0
    hold.release()
    np.testing.assert_array_equal(hold.torque(plant.read()), 0.0)


@pytest.mark.parametrize("beyond_rad", [0.1, 0.3, 0.5, 1.0, 3.3])
def test_arm_beyond_its_range_is_brought_back_inside_slowly(beyond_rad):
    hold = Hold(MassDynamics(), HoldGains(), np.array(((-1.0, 1.0), (-1.0, 1.0))), dt_s=1e-3)
    plant, fastest = Masses(), 0.0
    plant.q = np.array((1.0 + beyond_rad, -1.0 - 0.5 * beyond_rad))
    for _ in range(round(1000 * (4.0 + beyond_rad / 0.3))):
        held(plant, hold, 1e-3)
        fastest = max(fastest, np.abs(plant.dq).max())
    assert (np.abs(plant.q) < 1.0).all()
    assert fastest < 0.5  # 0.3 rad/s, and what the integral adds


def test_encoder_that_jumps_beyond_the_range_moves_the_arm_slowly():
    hold = Hold(MassDynamics(), HoldGains(), np.array(((-1.0, 1.0), (-1.0, 1.0))), dt_s=1e-3)
    plant = held(Masses(), hold, 0.1)
    plant.q = np.array((0.0, 2.0 * np.pi))
    for _ in range(1000):
        held(plant, hold, 1e-3)
        assert np.abs(plant.dq).max() < 0.5


def test_hold_of_an_arm_that_is_pushed_stays_bounded():
    hold, plant = Hold(MassDynamics(), HoldGains(), FREE, dt_s=1e-3), Masses()
    hold.torque(plant.read())
    plant.q = np.array((-0.1, 0.1))
    pushed = np.array([hold.torque(plant.read()) for _ in range(5000)])
    np.testing.assert_allclose(pushed[-1], (14.0, -14.0))


DAMPER = {"hold_stiffness": 0.0, "hold_integral": 0.0}
SHAKEN = [
    (HoldGains(), 0.07, False),
    (HoldGains(), 0.03, True),
    (HoldGains(), 0.05, True),
    (HoldGains(hold_damping=300.0), 0.01, False),
    (HoldGains(hold_damping=300.0), 0.005, True),
    (HoldGains(hold_damping=2010.0, **DAMPER), 0.001, False),
    (HoldGains(hold_damping=1010.0, **DAMPER), 0.001, True),
]
QUIET = [
    (HoldGains(), 0.06, False),
    (HoldGains(), 0.025, True),
    (HoldGains(hold_damping=300.0), 0.005, False),
    (HoldGains(hold_damping=1990.0, **DAMPER), 0.001, False),
    (HoldGains(hold_damping=990.0, **DAMPER), 0.001, True),
    (HoldGains(hold_damping=0.0, **DAMPER), 0.1, False),
]


@pytest.mark.parametrize(
    ("gains", "dt_s", "late"), [*SHAKEN, (HoldGains(hold_damping=0.0, hold_stiffness=100.0), 0.001, False)]
)
def test_gains_by_which_an_arm_does_not_come_to_rest_are_refused(gains, dt_s, late):
    """The arm would be driven by its own hold, as soon as it is served."""
    said = (
        rf"hold_damping = {gains.hold_damping:g}, .* an arm never comes to rest at a period of {dt_s:g} s\. "
        rf"Give a shorter --control-dt-s, or gains that fit it: .* up to {0.026 if late else 0.066} s"
    )
    with pytest.raises(ConfigError, match=said):
        Hold(MassDynamics(), gains, FREE, dt_s=dt_s, real=late)


@pytest.mark.parametrize(("gains", "dt_s", "late"), SHAKEN + QUIET)
def test_gains_that_are_refused_are_those_that_shake_an_arm(gains, dt_s, late, monkeypatch):
    """Against the hold itself: a slight push dies out, or grows until a bound stops it."""
    monkeypatch.setattr(hold_module, "_require_quiet", lambda *_, **__: None)
    hold = Hold(MassDynamics(), gains, FREE, dt_s=dt_s, real=late)
    q, dq, before, speeds = np.zeros(2), np.array((1e-4, -1e-4)), np.zeros(2), []
    for _ in range(10_000):
        wanted = hold.torque(JointState(q, dq, 0.0))
        applied, before = (before, wanted) if late else (wanted, wanted)
        q, dq = q + dt_s * dq + 0.5 * dt_s**2 * applied, dq + dt_s * applied
        speeds.append(np.abs(dq).max())
    assert bool(max(speeds[-1000:]) > 1.1e-4) is ((gains, dt_s, late) in SHAKEN)


def test_longest_period_that_is_recommended_is_the_longest():
    for late in (False, True):
        longest_s = hold_module._longest_period(HoldGains(), late=late)
        Hold(MassDynamics(), HoldGains(), FREE, dt_s=longest_s, real=late)
        with pytest.raises(ConfigError):
            Hold(MassDynamics(), HoldGains(), FREE, dt_s=longest_s + 1e-3, real=late)


def test_simulated_arm_comes_to_rest_at_a_period_that_is_allowed():
    arm = ARMS["planar2"]
    plant = MujocoPlant(arm, control_dt_s=0.06, physics_dt_s=0.001)
    dynamics = MujocoDynamics(arm)
    hold = Hold(dynamics, HoldGains(), dynamics.joint_ranges, dt_s=0.06)
    plant._data.qvel[:] = 0.2
    for _ in range(200):
        plant.write(hold.torque(plant.read()))
    assert np.abs(plant.read().dq).max() < 1e-6


def test_real_arm_is_damped_whatever_its_settings_say():
    with pytest.raises(ConfigError, match=r"of a real arm, hold_damping is at least 5 1/s, not 0: "):
        Hold(MassDynamics(), HoldGains(0.0, 0.0, 0.0), FREE, dt_s=1e-3, real=True)
    Hold(MassDynamics(), HoldGains(0.0, 0.0, 0.0), FREE, dt_s=1e-3)


@pytest.mark.parametrize("key", ["hold_damping", "hold_stiffness", "hold_integral"])
def test_gains_out_of_range_are_refused(key):
    with pytest.raises(ConfigError, match=f"{key} must be 0 or a positive number, not -1"):
        HoldGains(**{key: -1.0})


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("key", ["q", "dq"])
@pytest.mark.parametrize("n_before", [0, 100])
def test_hold_keeps_nothing_that_is_not_finite(key, wrong, n_before):
    plants, holds = [], []
    for _ in range(2):
        plants.append(Masses(weight=3.0))
        holds.append(Hold(MassDynamics(weight=1.0), HoldGains(), FREE, dt_s=1e-3))
        held(plants[-1], holds[-1], 1e-3 * n_before)
    spoilt = dataclasses.replace(plants[0].read(), **{key: np.array((wrong, 0.0))})
    np.testing.assert_array_equal(holds[0].torque(spoilt), 0.0)
    np.testing.assert_array_equal(holds[0].torque(plants[0].read()), holds[1].torque(plants[1].read()))
