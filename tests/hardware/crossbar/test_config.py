from __future__ import annotations

import nengo
import pytest

from spikearm.errors import SpikearmError
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.devices import DEVICES
from spikearm.hardware.crossbar.simulator import CrossbarSimulator


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
        ({"exact_wires": 1}, "exact_wires must be True or False, not 1"),
        ({"rows_gated": "yes"}, "rows_gated must be True or False, not 'yes'"),
        ({"devices_per_synapse": 0}, "devices_per_synapse must be a whole number from 1 to 64, not 0"),
        ({"drift_compensation": "columns"}, r"no drift compensation named 'columns'.*Did you mean 'column'"),
        ({"stuck_at_min": -0.1}, r"stuck_at_min must lie in \[0, 1\], not -0.1"),
        ({"stuck_at_min": 0.6, "stuck_at_max": 0.6}, "at most 1 together, not 0.6 and 0.6"),
        ({"program_rounds": 0}, "program_rounds must be a whole number from 1 to 100, not 0"),
        ({"program_tolerance": 0.0}, "program_tolerance must be a positive number, not 0.0"),
        ({"fault_seed": -1}, "fault_seed must be a whole number from 0"),
        (
            {"overrides": {"a": {"adc_bit": 8}}},
            r"no crossbar setting for 'a' named 'adc_bit'.*mean 'adc_bits'",
        ),
        ({"overrides": {"a": {"adc_bits": 0}}}, "adc_bits must be a whole number from 2 to 16, not 0"),
        ({"overrides": {"a": {"ageing_steps": 4}}}, "ageing_steps holds for the whole substrate and cannot"),
        ({"overrides": {"a": 3}}, r"overrides\['a'\] must be settings by name, not 3"),
        ({"overrides": {"a": {"device": "pmc"}}}, "no crossbar device named 'pmc'"),
        ({"device": 3}, "device must be a Device or the name of one, not 3"),
        ({"digital": "learned"}, "digital must be a tuple of labels, not the text 'learned'"),
        ({"pulse_threshold": 0.2}, r"pulse_threshold must lie in \[0.5, 1\]"),
        ({"pulse_threshold": "half"}, r"pulse_threshold must lie in \[0.5, 1\], not 'half'"),
        ({"programmed_s": "a day"}, "programmed_s must be 0 or a positive number of seconds, not 'a day'"),
        ({"drift_compensation_s": None}, "drift_compensation_s must be 0 or a positive number of seconds"),
        ({"row_wire_ohm": "0.35"}, "row_wire_ohm .* from 0 to 20 ohm, not '0.35'"),
        ({"adc_margin": [1.25]}, r"adc_margin must be a positive number, not \[1.25\]"),
        ({"stuck_at_max": "5 %"}, r"stuck_at_max must lie in \[0, 1\], not '5 %'"),
        ({"activity_limit": 0.0}, "activity_limit must be a positive number, not 0.0"),
        ({"refresh_upper": None}, r"refresh_upper must lie in \[0, 1\], not None"),
        ({"learned_headroom": True}, "learned_headroom must be a positive number, not True"),
        ({"learning": 3}, "learning scheme must be the name of one, 'mixed-precision', .*; not 3"),
        ({"digital": ["learned"]}, r"digital must be a tuple of labels, not \['learned'\]"),
        ({"digital": (3,)}, r"digital must be a tuple of labels, not \(3,\)"),
        ({"overrides": [("a", {})]}, "overrides must be settings by name, by label, not"),
        ({"max_pulses_per_step": 10**9}, "max_pulses_per_step must be a whole number from 1 to 1000, not"),
        ({"figures": {"set_pulse": 1e-12}}, r"no figure of 'PCM crossbar.* 'set_pulse'.*mean 'set_pulses'"),
        ({"figures": {"set_pulses": "1 pJ"}}, r"figures\['set_pulses'\] must be 0 or a positive number"),
        ({"figures": ("set_pulses", 1e-12)}, "figures must be amounts by count, not"),
        ({"overrides": {"a": {"figures": {}}}}, "figures holds for the whole substrate"),
        ({"fault_map": 3}, "fault_map must be the path of an .npz file or None, not 3"),
    ],
)
def test_an_impossible_configuration_is_refused(changes, message):
    with pytest.raises(SpikearmError, match=message):
        CrossbarConfig(**changes)


def test_digital_labels_may_use_wildcards():
    config = CrossbarConfig(digital=("encoder.*", "features"))
    assert config.is_digital("encoder.w1")
    assert config.is_digital("features")
    assert not config.is_digital("learned")
    assert not config.is_digital(None)


def test_overrides_change_what_they_name_for_the_labels_they_match():
    config = CrossbarConfig(
        adc_bits=7,
        overrides={"encoder.*": {"device": "pcm-hermes", "adc_bits": 6}, "encoder.w2": {"adc_bits": 5}},
    )
    assert config.for_label("learned").adc_bits == 7
    assert config.for_label(None).adc_bits == 7
    assert config.for_label("encoder.w1").adc_bits == 6
    assert config.for_label("encoder.w1").device == DEVICES["pcm-hermes"]
    assert config.for_label("encoder.w2").adc_bits == 5
    assert config.for_label("encoder.w2").device == DEVICES["pcm-hermes"]


def test_overrides_reach_the_matrices():
    with nengo.Network(seed=0) as network:
        a, b = (nengo.Ensemble(20, 2, label=label) for label in "ab")
        nengo.Connection(nengo.Node([0.1, 0.2]), a)
        nengo.Connection(a, b, label="between")
        nengo.Connection(b, nengo.Node(size_in=2), label="out")
    config = CrossbarConfig(overrides={"between": {"device": "reram-hfo2", "devices_per_synapse": 3}})
    with CrossbarSimulator(network, config=config, progress_bar=False) as sim:
        found = {m.label: (m.config.device.technology, m.cells.n_devices) for m in sim.matrices}
    assert found["connection between"] == ("reram", 6)
    assert found["ensemble a"] == found["connection out"] == ("pcm", 2)


def test_a_configuration_can_be_a_key():
    assert hash(CrossbarConfig(overrides={"a": {"adc_bits": 7}})) == hash(CrossbarConfig())
