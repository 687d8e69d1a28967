"""Ticks whose torque lagged, counted from the log, beside what the loop itself found."""

import logging
from pathlib import Path

import pyarrow as pa
import pytest

from spikearm.controller import loop
from spikearm.controller.ticklog import read_ticks
from spikearm.controller.torque_rate import TorqueRate
from spikearm.launch.config import RunConfig
from spikearm.launch.display import show_summary
from spikearm.launch.lagging import lagging_ticks
from spikearm.launch.run import execute

SLOW_RATE = 20.0


def config(out: Path, **settings: object) -> RunConfig:
    short = {"arm": "planar2", "controller": "osc", "trials": 1, "duration_s": 0.1}
    return RunConfig(**short | {"torque_rate_nm_s": SLOW_RATE, "out": out} | settings)


@pytest.fixture
def found(monkeypatch):
    """Whether each tick lagged, as the loop found."""
    found = []

    class Told(TorqueRate):
        def torque(self, wanted):
            sent = super().torque(wanted)
            found.append(self.lags)
            return sent

    monkeypatch.setattr(loop, "TorqueRate", Told)
    return found


@pytest.mark.parametrize("settings", [{}, {"distance_m": 0.01}, {"controller": "adaptive"}])
def test_ticks_are_those_in_which_the_loop_found_a_lag(tmp_path, found, settings):
    finished = execute(config(tmp_path, **settings), baseline=False)
    assert len(found) == finished.summary["n_ticks"] == 100
    assert 0 < sum(found) < 100
    assert finished.summary["lagging_ticks"] == sum(found)


def test_modelled_delay_comes_before_the_rate(tmp_path):
    table = read_ticks(execute(config(tmp_path)).folder)
    i = table.column_names.index("latency_model_s")
    late = table.set_column(i, table.schema.field(i), [[2.5e-3] * table.num_rows])  # three ticks
    shifted = table
    for i, name in enumerate(table.column_names):
        if name.startswith("torque_commanded_"):
            torque = table[name].to_numpy()
            shifted = shifted.set_column(i, table.schema.field(i), [[*torque[[0, 0, 0]], *torque[:-3]]])
    counted = lagging_ticks(late, config(tmp_path, actuation_delay="modelled"))
    assert counted == lagging_ticks(shifted, config(tmp_path)) > 0
    assert lagging_ticks(late, config(tmp_path)) == lagging_ticks(table, config(tmp_path))


def test_torques_of_another_loop_are_counted_anew(tmp_path):
    setting = config(tmp_path)
    table = read_ticks(execute(setting).folder)
    twice = lagging_ticks(pa.concat_tables([table, table]), setting)
    assert twice == 2 * lagging_ticks(table, setting) > 0


def test_run_whose_torque_lags_says_so(tmp_path, caplog, capsys):
    finished = execute(config(tmp_path, controller="adaptive"), baseline=False)
    (warning,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    n_lagging = finished.summary["lagging_ticks"]
    assert f"in {n_lagging} of 100 ticks the torque, held to 20 N m/s, lagged behind" in warning.message
    assert "; the network does not learn in such ticks. Let reaches" in warning.message
    show_summary(finished.summary)
    shown = " ".join(capsys.readouterr().err.split())
    assert f"in {n_lagging} ticks: the network does not learn in them" in shown


def test_where_nothing_learns_nothing_is_said_of_learning(tmp_path, caplog, capsys):
    finished = execute(config(tmp_path, controller="pd"))
    (warning,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    show_summary(finished.summary)
    assert "lagged behind. Let reaches" in warning.message
    assert "does not learn" not in warning.message + capsys.readouterr().err


def test_run_whose_torque_arrives_is_silent(short_run, caplog, capsys):
    assert short_run.summary["lagging_ticks"] == 0
    assert not caplog.records
    show_summary(short_run.summary)
    assert "lagged" not in capsys.readouterr().err
