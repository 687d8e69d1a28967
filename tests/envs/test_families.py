import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.families import FAMILIES, HELD_OUT, TRAINED, draw_from
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import UnknownNameError

ARM = ARMS["iiwa14"]


@pytest.mark.parametrize("family", FAMILIES)
def test_family_perturbs_and_is_drawn_from_the_generator_alone(family):
    one, again, other = (draw_from(ARM, np.random.default_rng(seed), family) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert one != NO_PERTURBATION


def test_families_are_trained_on_or_held_out():
    assert set(TRAINED) | set(HELD_OUT) == set(FAMILIES)
    assert not set(TRAINED) & set(HELD_OUT)


def test_families_are_combined():
    both = draw_from(ARM, np.random.default_rng(1), "payload", "force")
    assert both.payload_kg > 0
    assert any(both.force_n)


def test_no_family_is_no_perturbation():
    assert draw_from(ARM, np.random.default_rng(1)) == NO_PERTURBATION


def test_curl_field_does_no_work():
    for seed in range(5):
        field = np.array(draw_from(ARM, np.random.default_rng(seed), "curl-field").force_field)
        np.testing.assert_array_equal(field, -field.T)


def test_unknown_family_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'payload'"):
        draw_from(ARM, np.random.default_rng(1), "paylaod")
