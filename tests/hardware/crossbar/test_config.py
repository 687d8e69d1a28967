from __future__ import annotations

import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.config import CrossbarConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile_rows": 4096}, "tile_rows must be a whole number from 1 to 2048, not 4096"),
        ({"tile_cols": 0}, "tile_cols must be a whole number from 1 to 2048, not 0"),
        ({"adc_bits": 0}, "adc_bits must be a whole number from 2 to 16, not 0"),
        ({"dac_bits": 8.5}, "dac_bits must be a whole number"),
        ({"adcs_per_tile": 300}, "adcs_per_tile must be a whole number from 1 to 256, not 300"),
        ({"learned_weight_range": -1.0}, "learned_weight_range must be a positive number, not -1.0"),
        ({"programmed_s": -1.0}, "programmed_s must be 0 or a positive number of seconds"),
        ({"refresh_lower": 0.8}, "refresh_lower < refresh_upper"),
        (
            {"row_wire_ohm": -0.35},
            "row_wire_ohm is the resistance from one cell to the next, from 0 to 20 ohm, not",
        ),
        ({"column_wire_ohm": float("nan")}, "column_wire_ohm .* not nan; published values lie between 0.15"),
        ({"column_wire_ohm": 360.0}, "column_wire_ohm .* not 360.0"),
        ({"rows_gated": "yes"}, "rows_gated must be True or False, not 'yes'"),
        ({"pulse_threshold": 0.2}, r"pulse_threshold must lie in \[0.5, 1\]"),
    ],
)
def test_an_impossible_configuration_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        CrossbarConfig(**changes)


def test_digital_labels_may_use_wildcards():
    config = CrossbarConfig(digital=("encoder.*", "features"))
    assert config.is_digital("encoder.w1")
    assert config.is_digital("features")
    assert not config.is_digital("learned")
    assert not config.is_digital(None)
