from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.envs.families import HELD_OUT
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.benchmark.adaptive_payload import (
    FREE,
    PD,
    PERTURBATIONS,
    PID,
    QUICK,
    SEEN,
    WEIGHT,
    AdaptivePayload,
    jobs,
    perturbation_of,
    variants,
)
from spikearm.launch.benchmark.adaptive_payload_summary import summarise
from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig

SMALL = AdaptivePayload(sessions=4, trials=4, last=2, targets=2)


def result(errors_m: list[float]) -> dict:
    return {
        "trials": {"mean_m": errors_m},
        "tick_s": 1e-4,
        "latency_model_s_mean": None,
        "energy_model_j_per_tick": {"total": None},
        "energy_chip_j_per_tick": None,
        "energy_chip_scope": None,
        "energy_measured_j_per_tick": None,
        "counts_per_tick": {"neuron_updates": 378.0},
        "saturated_ticks": 0,
    }


def made_up(settings: AdaptivePayload) -> dict[str, dict]:
    """Results whose errors tell which controller they are of."""
    size = {"pd-unperturbed": 1e-3, "pd": 11e-3, "pid": 3e-3}
    results = {}
    for job in jobs(settings):
        _, row, session = job.key.split("/")
        noise = 1e-4 * int(session.removeprefix("session-"))
        results[job.key] = result([size.get(row, 2e-3) + noise] * settings.trials)
    return results


def test_default_is_the_published_protocol():
    settings = AdaptivePayload()
    assert (settings.sessions, settings.trials, settings.last) == (5, 50, 10)
    assert perturbation_of(settings, WEIGHT, 0).payload_kg == 0.907
    assert settings.perturbations == (WEIGHT, *HELD_OUT)
    assert settings.backends == tuple(BACKENDS)


def test_rows_are_the_laws_and_all_that_neurons_can_see_on_every_substrate():
    labels = [variant.label for variant in variants(AdaptivePayload())]
    assert labels[:2] == [PD, PID]
    full = {f"{state} 1000 {backend}" for state in SEEN for backend in BACKENDS}
    rule = "node-perturbation 1000"
    assert set(labels[2:]) == full | {f"{state} 250 reference" for state in SEEN} | {rule}


def test_other_rules_have_a_row_each_that_differs_in_nothing_else():
    rows = {v.label: v.config for v in variants(AdaptivePayload(learning_rate=0.02))}
    like = rows["encoded 1000 reference"]
    network = dataclasses.replace(like.network, learning_rule="node-perturbation", learning_rate=None)
    assert rows["node-perturbation 1000"] == dataclasses.replace(like, network=network)
    alone = variants(AdaptivePayload(learning_rules=("node-perturbation",)))
    assert {v.config.network.learning_rule for v in alone[2:]} == {"node-perturbation"}
    assert len(alone) == 14


def test_states_learn_at_their_own_rates():
    settings = AdaptivePayload(learning_rate=0.02, raw_learning_rate=0.03)
    for variant in variants(settings)[2:-1]:
        raw = variant.label.startswith("raw")
        assert variant.config.network.encoder == ("none" if raw else "shipped")
        assert variant.config.network.learning_rate == (0.03 if raw else 0.02)


def test_pid_is_the_same_law_with_an_integral():
    pd, pid = variants(AdaptivePayload(pid_ki=7.0))[:2]
    assert pid.config == dataclasses.replace(pd.config, gains=Gains(ki=7.0))


def test_keys_are_unique_and_paths():
    keys = [job.key for job in jobs(AdaptivePayload())]
    assert len(set(keys)) == len(keys) == 5 * (1 + 3 * 15)
    assert all(len(key.split("/")) == 3 and " " not in key for key in keys)


def test_session_is_the_same_for_every_controller():
    """Runs differ in nothing but controller, network and, without one, perturbation."""
    neutral = RunConfig()
    for session in range(2):
        found = set()
        for job in jobs(SMALL):
            if job.key.endswith(f"session-{session + 1}"):
                config = dataclasses.replace(
                    job.config,
                    controller="osc",
                    backend=neutral.backend,
                    network=neutral.network,
                    gains=neutral.gains,
                    perturbation=NO_PERTURBATION,
                )
                found.add(repr(config))
        assert len(found) == 1


def test_perturbation_is_the_same_for_every_controller_of_a_block():
    for name in SMALL.perturbations:
        for session in (1, 2):
            chosen = [j for j in jobs(SMALL) if j.key.startswith(name) and j.key.endswith(f"-{session}")]
            assert {repr(job.config.perturbation) for job in chosen} == {
                repr(perturbation_of(SMALL, name, session - 1))
            }


def test_targets_are_the_same_for_every_controller():
    targets = []
    for job in jobs(dataclasses.replace(SMALL, sessions=1, perturbations=(WEIGHT,), backends=("reference",))):
        run = compose(dataclasses.replace(job.config, trials=4, duration_s=0.04))
        targets.append(np.array([target.pose.position for target in run.control.schedule]))
        run.close()
    assert len(targets) == 10
    for others in targets[1:]:
        np.testing.assert_array_equal(targets[0], others)


@pytest.mark.parametrize("name", [n for n in PERTURBATIONS if n != WEIGHT])
def test_sessions_meet_different_members_of_a_family(name):
    first, second = (perturbation_of(SMALL, name, session) for session in range(2))
    assert first != second
    assert first == perturbation_of(dataclasses.replace(SMALL, perturbations=(name,)), name, 0)


def test_references_are_exactly_zero_and_one():
    for block in summarise(SMALL, made_up(SMALL)):
        rows = {row["label"]: row["normalised"] for row in block["rows"]}
        for window in ("first", "all", "last"):
            assert rows[FREE][window] == {"mean": 0.0, "low": 0.0, "high": 0.0}
            assert rows[PD][window] == {"mean": 1.0, "low": 1.0, "high": 1.0}
            assert rows[PID][window]["mean"] == pytest.approx(0.2)


def test_windows_are_the_first_all_and_the_last_trials():
    results = made_up(SMALL)
    for session in range(1, 5):
        results[f"weight/pid/session-{session}"] = result([9.0, 5.0, 2.0, 1.0])
    block = summarise(SMALL, results)[0]
    (pid,) = (row for row in block["rows"] if row["label"] == PID)
    assert [pid["error_m"][window]["mean"] for window in ("first", "all", "last")] == [9.0, 4.25, 1.5]
    assert [trial["mean"] for trial in pid["error_m_by_trial"]] == [9.0, 5.0, 2.0, 1.0]


def test_rows_are_compared_to_pid_session_by_session():
    for block in summarise(SMALL, made_up(SMALL)):
        rows = {row["label"]: row["minus_pid"] for row in block["rows"]}
        assert rows[PID] == {"mean": 0.0, "low": 0.0, "high": 0.0}
        assert rows[PD] == pytest.approx({"mean": 0.8, "low": 0.8, "high": 0.8})
        assert rows["raw 1000 reference"]["high"] < 0.0


def test_encoder_is_compared_to_the_full_size_network_on_the_state_itself():
    results = made_up(SMALL)
    for session in range(1, 5):
        results[f"weight/encoded-250-reference/session-{session}"] = result(
            [1.5e-3 + 1e-4 * session] * SMALL.trials
        )
    weight = summarise(SMALL, results)[0]
    full, quarter = weight["encoder"][:2]
    assert (full["label"], full["against"]) == ("encoded 1000 reference", "raw 1000 reference")
    assert full["percent_more"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert quarter["label"] == "encoded 250 reference"
    assert quarter["percent_more"]["mean"] == pytest.approx(-50.0, abs=6.0)
    assert (quarter["error_m"], quarter["against_error_m"]) == pytest.approx((1.75e-3, 2.25e-3))
    assert quarter["percent_more_m"]["mean"] == pytest.approx(100.0 * (1.75 / 2.25 - 1.0))


def test_networks_are_compared_on_the_same_substrate_and_small_ones_on_the_state_too():
    pairs = {pair["label"]: pair["against"] for pair in summarise(SMALL, made_up(SMALL))[0]["encoder"]}
    assert pairs == {
        f"{state} {n_neurons} {backend}": f"raw 1000 {backend}"
        for state in SEEN
        for n_neurons in (1000, 250)
        for backend in BACKENDS
        if (state, n_neurons) != ("raw", 1000) and (n_neurons == 1000 or backend == "reference")
    }


def test_few_sessions_have_no_intervals():
    settings = dataclasses.replace(SMALL, sessions=3)
    rows = {row["label"]: row for row in summarise(settings, made_up(settings))[0]["rows"]}
    assert rows[PID]["normalised"]["last"] == {"mean": pytest.approx(0.2), "low": None, "high": None}
    assert rows["raw 1000 reference"]["minus_pid"]["high"] is None


def test_row_says_what_was_run():
    rows = {row["label"]: row for row in summarise(SMALL, made_up(SMALL))[0]["rows"]}
    quarter = rows["encoded 250 reference"]
    assert (quarter["n_neurons"], quarter["neurons_in_all"]) == (250, 378)
    assert quarter["learning_rate"] == pytest.approx(0.0846, abs=1e-4)
    assert quarter["config"]["network"]["n_neurons"] == 250
    assert rows[PID]["config"]["gains"]["ki"] == 1500.0
    assert (rows[PID]["neurons_in_all"], rows[PID]["learning_rate"]) == (None, None)


@pytest.mark.parametrize(("arm", "held_out"), [("iiwa14", True), ("planar2", False)])
def test_held_out_is_what_the_encoder_of_the_arm_was_not_trained_on(arm, held_out):
    settings = dataclasses.replace(SMALL, arm=arm)
    blocks = {block["perturbation"]: block["held_out"] for block in summarise(settings, made_up(settings))}
    assert blocks == {WEIGHT: False, **dict.fromkeys(HELD_OUT, held_out)}


def test_row_with_a_missing_session_is_left_out():
    results = made_up(SMALL)
    del results["weight/pid/session-2"]
    blocks = summarise(SMALL, results)
    assert PID not in {row["label"] for row in blocks[0]["rows"]}
    assert PID in {row["label"] for row in blocks[1]["rows"]}


def test_without_a_reference_there_are_absolute_errors_only():
    results = {key: run for key, run in made_up(SMALL).items() if "pd-unperturbed" not in key}
    for block in summarise(SMALL, results):
        assert all(row["normalised"] == {} for row in block["rows"])
        assert all(row["error_m"]["last"]["mean"] > 0 for row in block["rows"])


def test_perturbation_without_effect_leaves_absolute_errors():
    results = {key: result([1e-3] * SMALL.trials) for key in made_up(SMALL)}
    for block in summarise(SMALL, results):
        assert all(row["normalised"] == {} for row in block["rows"])
        assert all(row["error_m"]["all"]["mean"] == pytest.approx(1e-3) for row in block["rows"])


def test_quick_version_has_every_substrate_and_perturbation():
    assert (QUICK.backends, QUICK.perturbations) == (
        AdaptivePayload().backends,
        AdaptivePayload().perturbations,
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sessions": 0}, "sessions must be at least 1, not 0"),
        ({"trials": 5}, "last=10 is more than the 5 trials"),
        ({"neurons": (0,)}, "neurons must be at least 1 each"),
        ({"neurons": ()}, "neurons needs at least one"),
        ({"backends": ()}, "backends needs at least one"),
        ({"learning_rules": ()}, "learning_rules needs at least one"),
        ({"reach_s": 0.0}, "reach_s must be a positive number, not 0.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        AdaptivePayload(**settings)


def test_unknown_perturbation_is_refused_with_those_there_are():
    with pytest.raises(UnknownNameError, match="Did you mean 'curl-field'"):
        AdaptivePayload(perturbations=("curl-feld",))
