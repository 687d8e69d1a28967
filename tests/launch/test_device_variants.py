from __future__ import annotations

import dataclasses

import pytest

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.launch.config import CONFIGS, RunConfig, load_config
from spikearm.launch.device_variants import DAY_S, DEVICE_VARIANTS, STANDARD, make_variant
from spikearm.launch.run import execute


def test_every_variant_has_a_label_of_its_own_that_fits_the_table():
    labels = [variant.label for variant in DEVICE_VARIANTS.values()]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 30


def test_every_variant_is_a_crossbar_that_no_other_is():
    configs = [
        variant.of(RunConfig(controller="osc", backend="loihi")) for variant in DEVICE_VARIANTS.values()
    ]
    assert {(c.controller, c.backend) for c in configs} == {("adaptive", "crossbar")}
    assert all(left != right for i, left in enumerate(configs) for right in configs[:i])


def test_a_variant_changes_nothing_but_what_it_names():
    config = RunConfig(seed=3, trials=4, rest_s=5.0)
    config = dataclasses.replace(config, crossbar=dataclasses.replace(config.crossbar, adc_bits=6))
    variant = make_variant("stuck-10").of(config)
    assert variant.crossbar == dataclasses.replace(config.crossbar, stuck_at_min=0.05, stuck_at_max=0.05)
    assert (variant.seed, variant.trials, variant.rest_s) == (3, 4, 5.0)
    assert make_variant("pcm-committee").of(config).network.committee == 3
    assert make_variant("pcm-day-between").of(config).rest_s == DAY_S


def test_the_usual_variants_are_those_that_were_asked_for():
    kinds = [make_variant(name).of(RunConfig()) for name in STANDARD]
    crossbars = [kind.crossbar for kind in kinds]
    assert {c.devices_per_synapse for c in crossbars} == {1, 4, 7}
    assert {c.stuck_at_min + c.stuck_at_max for c in crossbars} == {0.0, 0.05, 0.1}
    assert {c.device.technology for c in crossbars} == {"pcm", "reram"}
    assert DAY_S in {c.programmed_s for c in crossbars}
    assert DAY_S in {kind.rest_s for kind in kinds}
    assert RunConfig().crossbar in crossbars


@pytest.mark.parametrize("experiment", sorted(path.stem for path in CONFIGS.glob("*.toml")))
def test_every_variant_can_be_made_of_every_experiment_that_is_shipped(experiment):
    config = load_config(experiment, RunConfig())
    kinds = [variant.of(config) for variant in DEVICE_VARIANTS.values()]
    assert {kind.perturbation for kind in kinds} == {config.perturbation}


def test_a_run_that_a_variant_cannot_make_is_refused_by_its_name():
    with pytest.raises(ConfigError, match=r"PCM, a day passes half-way: rest_s = .* set trials to 2"):
        make_variant("pcm-day-between").of(RunConfig(trials=1))


def test_an_unknown_variant_is_refused_with_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"no device variant named 'pair-4'.*Did you mean 'pairs-4'\?"):
        make_variant("pair-4")


@pytest.mark.parametrize("name", ["stuck-10-blind", "reram-hfo2"])
def test_an_arm_on_badly_written_devices_is_not_thrown_about(name, tmp_path):
    """Features that are wrong make many times as many neurons fire; at their own rate they throw it 0.2 m.

    Without a bound on the torque's change, which would stop them from learning before they do.
    """
    run = RunConfig(trials=2, distance_m=0.2, seed=101, torque_rate_nm_s=1e9, out=tmp_path)
    config = make_variant(name).of(run)
    without_limit = dataclasses.replace(config.crossbar, activity_limit=None)
    limited, thrown = (
        execute(dataclasses.replace(config, crossbar=crossbar), baseline=False).summary["rmse_m"]
        for crossbar in (config.crossbar, without_limit)
    )
    assert limited < 0.02  # a reach without adaptation is 0.016 m off
    assert thrown > 2 * limited
