import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.launch.encoder_check import check, reaching
from spikearm.models.encoder import shipped_encoder_path


def test_reaches_go_out_and_come_back_to_several_targets():
    schedule = reaching(ARMS["planar2"], np.random.default_rng(1), 10)
    starts = np.array([schedule[800 * i].pose.position for i in range(10)])
    np.testing.assert_allclose(starts[::2], np.tile(starts[0], (5, 1)))
    assert len(np.unique(starts[1::2].round(6), axis=0)) == 5
    np.testing.assert_allclose(np.linalg.norm(starts[1::2] - starts[0], axis=1), ARMS["planar2"].reach_m)


def test_check_tells_all_four_errors():
    arm = ARMS["planar2"]
    result = check(arm, shipped_encoder_path("planar2"), "curl-field", n_trials=2, seed=1)
    assert result.without_m > 1e-3
    for adapted in (result.raw_m, result.encoded_m, result.quarter_m):
        assert adapted[0] == pytest.approx(np.mean(adapted), rel=0.5)
        assert 0 < adapted[1] < result.without_m
    assert "curl-field:" in result.line()
    assert "a quarter of the neurons" in result.line()
