"""The table of center-out is whole on a terminal of 80 columns."""

import io

import pytest
from rich.console import Console

from spikearm.launch.benchmark.center_out_command import _table

INTERVAL = {"mean": -0.98, "low": -1.49, "high": -0.41}


def row(label, rmse_m, *, energy_j=2.21e-3):
    return {
        "label": label,
        "rmse_m": rmse_m,
        "max_m": 0.0448,
        "off_line_rms_m": 2.47e-3,
        "turn_rms_rad": 0.08,
        "more_percent": INTERVAL,
        "latency_model_s": 53.8e-6,
        "energy_model_j": energy_j,
        "energy_chip_j": 554e-6,
    }


def lines(*, feedforward, rows):
    processors = [{"label": "GPU GTX Titan Black (28 nm)", "energy_model_j": 77.1e-6}]
    block = {"feedforward": feedforward, "rows": rows, "processors": processors}
    file = io.StringIO()
    Console(file=file, width=80, markup=False).print(_table(block))
    return file.getvalue().splitlines()


ROWS = [row("analytic", 0.05e-3), row("crossbar, a day old", 2.96e-3)]


@pytest.mark.parametrize("feedforward", [False, True])
def test_nothing_is_cut_on_80_columns(feedforward):
    text = "\n".join(lines(feedforward=feedforward, rows=ROWS))
    assert "…" not in text
    assert "2.96" in text
    assert "2,210" in text


def test_published_form_compares_in_percent_with_an_interval():
    text = "\n".join(lines(feedforward=False, rows=ROWS))
    assert "-1.0 -1.5..-0.4" in text


def test_fed_forward_it_compares_in_millimetres():
    *_, last_row, _processor, _end = lines(feedforward=True, rows=ROWS)
    assert last_row.split() == [
        "crossbar,",
        "a",
        "day",
        "old",
        "2.96",
        "44.8",
        "2.47",
        "4.58",
        "+2.91",
        "53.8",
        "2,210",
        "554",
    ]
    assert "%" not in last_row


def test_without_the_analytic_controller_nothing_is_compared():
    *_, last_row, _processor, _end = lines(feedforward=True, rows=ROWS[1:])
    assert last_row.split()[8] == "-"
