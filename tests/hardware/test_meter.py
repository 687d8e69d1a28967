from __future__ import annotations

from pathlib import Path

import pytest

from spikearm.hardware.meter import RaplMeter, make_meter


def _domain(root: Path, folder: str, name: str, energy_uj: int, range_uj: int = 1_000_000) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    counter = path / "energy_uj"
    counter.write_text(f"{energy_uj}\n")
    return counter


def test_meter_reads_the_energy_between_two_calls(tmp_path):
    counter = _domain(tmp_path, "intel-rapl:0", "package-0", 1000)
    meter = RaplMeter(tmp_path)
    counter.write_text("251000\n")
    assert meter.read_j() == pytest.approx(0.25)
    assert meter.read_j() == 0.0
    assert meter.name == "RAPL package-0"


def test_meter_adds_up_packages_and_leaves_out_their_parts(tmp_path):
    first = _domain(tmp_path, "intel-rapl:0", "package-0", 0)
    core = _domain(tmp_path, "intel-rapl:0:0", "core", 0)
    second = _domain(tmp_path, "intel-rapl:1", "package-1", 0)
    meter = RaplMeter(tmp_path)
    for counter in (first, core, second):
        counter.write_text("100000\n")
    assert meter.read_j() == pytest.approx(0.2)


def test_meter_survives_the_turnover_of_the_counter(tmp_path):
    counter = _domain(tmp_path, "intel-rapl:0", "package-0", 999_000, range_uj=1_000_000)
    meter = RaplMeter(tmp_path)
    counter.write_text("2000\n")
    assert meter.read_j() == pytest.approx(0.003)


def test_there_is_no_meter_without_counters(tmp_path):
    assert make_meter(tmp_path) is None
    assert make_meter(tmp_path / "nowhere") is None
    _domain(tmp_path, "intel-rapl:0", "psys", 0)
    assert make_meter(tmp_path) is None


def test_there_is_no_meter_where_the_counter_may_not_be_read(tmp_path, monkeypatch):
    counter = _domain(tmp_path, "intel-rapl:0", "package-0", 0)
    read_text = Path.read_text

    def refuse(self, *args, **kwargs):
        if self == counter:
            raise PermissionError(13, "Permission denied", str(self))
        return read_text(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert make_meter(tmp_path) is None


def test_there_is_no_meter_where_the_counter_is_not_a_number(tmp_path):
    _domain(tmp_path, "intel-rapl:0", "package-0", 0).write_text("unknown\n")
    assert make_meter(tmp_path) is None


def test_make_meter_gives_a_readable_meter(tmp_path):
    counter = _domain(tmp_path, "intel-rapl:0", "package-0", 5)
    meter = make_meter(tmp_path)
    counter.write_text("1000005\n")
    assert meter is not None
    assert meter.read_j() == pytest.approx(1.0)
