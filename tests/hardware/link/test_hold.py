from __future__ import annotations

import numpy as np
import pytest
from rig import MassDynamics, Masses

from spikearm.errors import ConfigError
from spikearm.hardware.link.hold import Hold, HoldGains

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


def test_moving_arm_comes_to_rest_where_the_hold_began():
    plant = Masses()
    plant.q, plant.dq = np.array((0.4, -0.2)), np.array((2.0, -1.0))
    hold = Hold(MassDynamics(), HoldGains(), FREE, dt_s=1e-3)
    held(plant, hold, 3.0)
    np.testing.assert_allclose(plant.q, (0.4, -0.2), atol=2e-3)
    np.testing.assert_allclose(plant.dq, 0.0, atol=2e-3)


def test_released_hold_begins_anew():
    plant, hold = Masses(), Hold(MassDynamics(), HoldGains(), FREE, dt_s=1e-3)
    held(plant, hold, 0.1)
    plant.q = np.array((1.0, 1.0))
    assert np.abs(hold.torque(plant.read())).max() > 50.0
    hold.release()
    np.testing.assert_array_equal(hold.torque(plant.read()), 0.0)


def test_arm_beyond_its_range_is_brought_back_inside():
    hold = Hold(MassDynamics(), HoldGains(), np.array(((-1.0, 1.0), (-1.0, 1.0))), dt_s=1e-3)
    plant = Masses()
    plant.q = np.array((1.1, -1.3))
    held(plant, hold, 4.0)
    assert (np.abs(plant.q) < 1.0).all()


def test_hold_of_an_arm_that_is_pushed_stays_bounded():
    hold, plant = Hold(MassDynamics(), HoldGains(), FREE, dt_s=1e-3), Masses()
    hold.torque(plant.read())
    plant.q = np.array((-0.1, 0.1))
    pushed = np.array([hold.torque(plant.read()) for _ in range(5000)])
    np.testing.assert_allclose(pushed[-1], (15.0, -15.0))


@pytest.mark.parametrize("key", ["hold_damping", "hold_stiffness", "hold_integral"])
def test_gains_out_of_range_are_refused(key):
    with pytest.raises(ConfigError, match=f"{key} must be 0 or a positive number, not -1"):
        HoldGains(**{key: -1.0})
