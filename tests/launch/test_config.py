from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.launch.config import CONFIGS, NetworkConfig, RunConfig, load_config
from spikearm.launch.mapping import to_mapping


def test_default_is_ten_reaches_with_the_payload_of_the_literature():
    config = RunConfig()
    assert (config.arm, config.controller, config.backend) == ("iiwa14", "adaptive", "reference")
    assert (config.n_trials, config.n_ticks) == (10, 8000)
    assert config.perturbation.payload_kg == 0.907


@pytest.mark.parametrize(
    ("settings", "n_trials", "reach_s"),
    [
        ({}, 10, 0.8),
        ({"trials": 3}, 3, 0.8),
        ({"duration_s": 4.0}, 5, 0.8),
        ({"duration_s": 4.1}, 5, 0.82),
        ({"duration_s": 0.2}, 1, 0.2),
        ({"trials": 2, "duration_s": 1.0}, 2, 0.5),
        ({"trials": 3, "duration_s": 1.0}, 3, 0.333),
        ({"trials": 1, "duration_s": 0.0001}, 1, 0.001),
        ({"trials": 1, "duration_s": 0.1, "control_dt_s": 0.004}, 1, 0.1),
    ],
)
def test_trials_and_duration_agree(settings, n_trials, reach_s):
    config = RunConfig(**settings)
    assert config.n_trials == n_trials
    assert config.reach_s == pytest.approx(reach_s)
    assert config.n_ticks == n_trials * round(reach_s / config.control_dt_s)


@pytest.mark.parametrize("field", ["duration_s", "distance_m", "control_dt_s", "torque_rate_nm_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_lengths_and_times_must_be_positive(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be a positive number, not {value}"):
        RunConfig(**{field: value})


def test_unknown_learning_rule_is_refused():
    with pytest.raises(UnknownNameError, match=r"no learning rule named 'pse'\. Known: .*'pes'"):
        NetworkConfig(learning_rule="pse")


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_impossible_share_of_neurons_is_refused(share):
    with pytest.raises(ConfigError, match="state_share must be from 0 up to but not 1, not "):
        NetworkConfig(state_share=share)


@pytest.mark.parametrize("field", ["learning_rate", "network_dt_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_network_settings_must_be_positive(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be a positive number, not {value}"):
        NetworkConfig(**{field: value})


def test_trials_must_be_at_least_one():
    with pytest.raises(ConfigError, match="trials must be at least 1, not 0"):
        RunConfig(trials=0)


def test_seed_must_not_be_negative():
    with pytest.raises(ConfigError, match="seed must be 0 or more, not -1"):
        RunConfig(seed=-1)


@pytest.mark.parametrize("name", ["a/b", "/a", "a/"])
def test_name_cannot_be_a_path(name):
    with pytest.raises(ConfigError, match="cannot be a path"):
        RunConfig(name=name)


def test_unknown_controller_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"no controller named 'osk'\. .*Did you mean 'osc'\?"):
        RunConfig(controller="osk")


def test_unknown_actuation_delay_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'modelled'\?"):
        RunConfig(actuation_delay="modeled")  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_ready_made_experiment_is_found_by_name_and_by_path(path):
    config = load_config(path.stem, RunConfig())
    assert config != RunConfig()
    assert load_config(str(path), RunConfig()) == config


def test_unknown_experiment_gets_a_suggestion():
    with pytest.raises(
        UnknownNameError, match=r"no configuration named 'payload-lohi'\. .*'payload-loihi'\?"
    ):
        load_config("payload-lohi", RunConfig())


def test_file_comes_on_top_of_the_base(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('backend = "loihi"\n[network]\nn_neurons = 500\n')
    config = load_config(str(path), RunConfig(seed=5, network=NetworkConfig(n_ensembles=5)))
    assert (config.backend, config.seed) == ("loihi", 5)
    assert (config.network.n_neurons, config.network.n_ensembles) == (500, 5)


def test_run_json_gives_the_settings_of_that_run(tmp_path):
    config = RunConfig(seed=11, arm="planar2", out=Path("elsewhere"))
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"config": to_mapping(config), "versions": {}}))
    assert load_config(str(path), RunConfig()) == config


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "a = [", "cannot read configuration .*a.toml: Invalid value"),
        ("a.json", "{", "cannot read configuration .*a.json: Expecting"),
        ("a.json", "[1]", "it is no run.json"),
        ("a.json", "{}", "it is no run.json"),
        ("a.json", '{"config": 3}', "it is no run.json"),
        ("a.toml", "seed = 1.5", "seed = 1.5 is not of type int"),
        ("a.toml", "trials = 0", "trials must be at least 1"),
        ("a.toml", "control_dt_s = nan", "control_dt_s must be a positive number, not nan"),
    ],
)
def test_file_that_cannot_be_used_says_why(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(str(path), RunConfig())


def test_binary_file_is_no_configuration(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read configuration"):
        load_config(str(path), RunConfig())


def test_missing_file_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"no configuration file .*none\.toml; ready-made ones are 'curl-field', "
    ):
        load_config(str(tmp_path / "none.toml"), RunConfig())


def test_remote_network_is_waited_for_as_long_as_time_stands_still():
    assert RunConfig(substrate_at="local:network").network_wait_s is None
    assert RunConfig(substrate_at="local:network", substrate_wait_s=2.0).network_wait_s == 2.0


def test_remote_network_is_waited_for_less_than_a_tick_in_real_time():
    assert RunConfig(realtime=True).network_wait_s == pytest.approx(4e-4)
    assert RunConfig(realtime=True, substrate_wait_s=2e-4).network_wait_s == 2e-4
    fast = NetworkConfig(network_dt_s=2.5e-4)
    assert RunConfig(realtime=True, network=fast).network_wait_s == pytest.approx(1e-4)
    with pytest.raises(ConfigError, match=r"substrate_wait_s = 0.001 s would hold up a real-time tick"):
        RunConfig(realtime=True, substrate_at="local:network", substrate_wait_s=1e-3)
    with pytest.raises(ConfigError, match="would hold up a real-time tick"):
        RunConfig(realtime=True, substrate_at="local:network", substrate_wait_s=3e-4, network=fast)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_neurons": 0}, "n_neurons=0 cannot be split into n_ensembles=1 equal parts; both are at least 1"),
        ({"n_neurons": 100, "n_ensembles": 3}, "the first is a multiple of the second, e.g. 300"),
        ({"committee": 0}, "committee must be at least 1, not 0"),
    ],
)
def test_network_that_cannot_be_is_refused_before_anything_is_composed(settings, message):
    with pytest.raises(ConfigError, match=message):
        NetworkConfig(**settings)
