"""The limits of the spiking controller, in center-out sessions that no choice was made on."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from functools import cache

import numpy as np
import pytest

from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig
from spikearm.launch.device_variants import DAY_S
from spikearm.launch.reaches import Targets

pytestmark = pytest.mark.slow

SEEDS = (9401, 9402, 9403)
N_REACHES = {True: 16, False: 4}
"""Of each session, with feed-forward and without: all; out and back twice, far from the limits."""
SESSION = RunConfig(
    trials=16,
    duration_s=16.0,
    distance_m=0.15,
    targets=Targets(n=8, arrangement="cube", turn_rad=0.35),
    perturbation=NO_PERTURBATION,
)


@cache
def rmse_m(controller, backend, *, feedforward, age_s=SESSION.crossbar.programmed_s, overrides=True):
    """Root mean square distance from the path, over all sessions."""
    crossbar = SESSION.crossbar if overrides else CrossbarConfig()
    config = dataclasses.replace(
        SESSION,
        controller=controller,
        backend=backend,
        feedforward=feedforward,
        crossbar=dataclasses.replace(crossbar, programmed_s=age_s),
    )
    n_ticks = round(N_REACHES[feedforward] / config.control_dt_s)  # a reach takes one second
    squares = []
    for seed in SEEDS:
        with closing(compose(dataclasses.replace(config, seed=seed))) as run:
            run.control.controller.reset()
            for target in run.control.schedule.targets[:n_ticks]:
                squares.append(np.sum((run.plant.ee_position() - target.pose.position) ** 2))
                run.plant.write(run.control.controller.update(run.plant.read(), target).torque)
    return float(np.sqrt(np.mean(squares)))


@pytest.mark.parametrize(
    ("backend", "limit_m"),
    [("reference", 1.5e-3), ("loihi", 1.5e-3), ("crossbar", 2.5e-3)],
)
def test_with_feedforward_the_controller_adds_at_most_its_limit(backend, limit_m):
    analytic = rmse_m("osc", "reference", feedforward=True)
    assert analytic < 1e-4
    assert rmse_m("spiking-osc", backend, feedforward=True) - analytic < limit_m


@pytest.mark.parametrize(("backend", "limit"), [("reference", 0.0413), ("loihi", 0.0413), ("crossbar", 0.05)])
def test_in_the_published_form_the_controller_deviates_little_more_than_the_analytic_one(backend, limit):
    analytic = rmse_m("osc", "reference", feedforward=False)
    assert rmse_m("spiking-osc", backend, feedforward=False) / analytic - 1.0 < limit


def test_in_the_published_form_a_crossbar_may_be_a_day_old():
    analytic = rmse_m("osc", "reference", feedforward=False)
    assert rmse_m("spiking-osc", "crossbar", feedforward=False, age_s=DAY_S) / analytic - 1.0 < 0.10


@pytest.mark.xfail(
    strict=True, reason="2.9 mm in the published sessions: docs/benchmarks.md says what was tried"
)
def test_with_feedforward_a_crossbar_a_day_old_keeps_the_limit_of_a_fresh_one():
    analytic = rmse_m("osc", "reference", feedforward=True)
    assert rmse_m("spiking-osc", "crossbar", feedforward=True, age_s=DAY_S) - analytic < 2.5e-3


@pytest.mark.xfail(strict=True, reason="one pair a weight: docs/benchmarks.md, limits met and missed")
def test_with_feedforward_a_crossbar_with_the_plain_mapping_keeps_the_limit():
    analytic = rmse_m("osc", "reference", feedforward=True)
    assert rmse_m("spiking-osc", "crossbar", feedforward=True, overrides=False) - analytic < 2.5e-3
