import json
import math
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from fake_plant import some_record

from spikearm.controller import ticklog
from spikearm.controller.journal import read_journal
from spikearm.controller.ticklog import (
    JOURNAL_NAME,
    PARQUET_NAME,
    TickLog,
    column_matrix,
    log_description,
    read_ticks,
    recover,
    stable_bytes,
)
from spikearm.controller.tickschema import TickSchema, columns_from, row_dtype, schema_for
from spikearm.errors import ConfigError, JournalError
from spikearm.hardware.cost import Figure, TableCost
from spikearm.records import COUNT_NAMES, Cost, OpCounts

SCHEMA = TickSchema(2, ("synapses", "leak"), has_energy_chip=True, has_energy_measured=True)
COST = Cost(1e-5, {"leak": 2e-9, "synapses": 3e-9}, 4e-7)


def records(rng, n):
    counts = OpCounts(*rng.integers(0, 100, len(COUNT_NAMES)).astype(float).tolist())
    made = [some_record(rng) for _ in range(n)]
    return [
        replace(r, command=replace(r.command, cost=COST, counts=counts), reach=i // 3, energy_measured_j=1e-3)
        for i, r in enumerate(made)
    ]


def write(folder, given, schema=SCHEMA):
    with TickLog(folder, schema, config_hash="abc") as log:
        for record in given:
            assert log.append(record)


def check(table, given):
    """Every column of the table against the records it was made from."""
    assert table["tick"].to_pylist() == list(range(len(given)))
    assert table["trial"].to_pylist() == [r.trial for r in given]
    assert table["reach"].to_pylist() == [r.reach for r in given]
    assert table["t_s"].to_pylist() == [r.state.t_s for r in given]
    assert table["saturated"].to_pylist() == [r.command.saturated for r in given]
    assert table["latency_tick_s"].to_pylist() == [r.latency_tick_s for r in given]
    for group, unit, values in (
        ("q", "rad", [r.state.q for r in given]),
        ("dq", "rad_s", [r.state.dq for r in given]),
        ("torque_commanded", "nm", [r.command.torque for r in given]),
        ("torque_applied", "nm", [r.applied for r in given]),
        ("torque_task", "nm", [r.command.task_torque for r in given]),
        ("torque_adaptive", "nm", [r.command.adaptive_torque for r in given]),
    ):
        np.testing.assert_array_equal(column_matrix(table, group, unit), values)
    error = [float(np.linalg.norm(r.target.pose.position - r.ee.position)) for r in given]
    np.testing.assert_allclose(table["position_error_m"].to_numpy(), error, rtol=1e-15)


def test_closed_log_is_one_parquet_file_with_every_value(tmp_path, rng):
    given = records(rng, 20)
    write(tmp_path, given)
    assert [path.name for path in tmp_path.iterdir()] == [PARQUET_NAME]
    check(read_ticks(tmp_path), given)


def test_open_log_is_readable(tmp_path, rng):
    given = records(rng, 5)
    with TickLog(tmp_path, SCHEMA) as log:
        for record in given:
            log.append(record)
        check(read_ticks(tmp_path), given)


def test_log_holds_costs_and_all_counts(tmp_path, rng):
    given = records(rng, 3)
    write(tmp_path, given)
    row = read_ticks(tmp_path).to_pylist()[1]
    assert row["energy_model_leak_j"] == 2e-9
    assert row["energy_model_synapses_j"] == 3e-9
    assert row["energy_chip_j"] == 4e-7
    assert row["energy_measured_j"] == 1e-3
    assert row["latency_model_s"] == 1e-5
    assert {name: row[name] for name in COUNT_NAMES} == {
        name: getattr(given[1].command.counts, name) for name in COUNT_NAMES
    }


def test_what_nobody_knows_has_no_column_or_is_null(tmp_path, rng):
    write(tmp_path, [replace(some_record(rng), ee=None)], TickSchema(2))
    table = read_ticks(tmp_path)
    assert not [name for name in table.column_names if name.startswith("energy")]
    row = table.to_pylist()[0]
    assert row["ee_x_m"] is None
    assert row["ee_qw"] is None
    assert row["position_error_m"] is None
    assert row["latency_log_s"] is None  # the first tick has none before it


def test_energies_that_are_not_known_are_null_in_columns_that_there_are(tmp_path, rng):
    record = records(rng, 1)[0]
    cost = replace(COST, energy_chip_j=None)
    write(tmp_path, [replace(record, command=replace(record.command, cost=cost), energy_measured_j=None)])
    row = read_ticks(tmp_path).to_pylist()[0]
    assert row["energy_chip_j"] is None
    assert row["energy_measured_j"] is None
    assert row["energy_model_leak_j"] == 2e-9
    assert row["spikes"] == record.command.counts.spikes


def test_every_dimension_carries_its_unit():
    unitless = {"tick", "trial", "reach", "fallback", "saturated", "deadline_missed", *COUNT_NAMES}
    for column in SCHEMA.columns:
        is_quaternion = column.name[-3:] in ("_qw", "_qx", "_qy", "_qz")
        has_unit = column.name.endswith(("_s", "_rad", "_m", "_nm", "_j"))
        assert has_unit or is_quaternion or column.name in unitless


def test_measured_times_are_marked_and_nothing_else(tmp_path, rng):
    write(tmp_path, records(rng, 1))
    measured = {f.name for f in read_ticks(tmp_path).schema if (f.metadata or {}).get(b"measured")}
    stages = ("read", "law", "network", "write", "log", "tick")
    assert measured == {f"latency_{s}_s" for s in stages} | {
        "lateness_s",
        "network_age_s",
        "deadline_missed",
        "energy_measured_j",
    }


def test_stable_bytes_ignore_measured_times_only(tmp_path, rng):
    given = records(rng, 4)
    slower = [replace(r, latency_read_s=9.0, deadline_missed=True, energy_measured_j=2.0) for r in given]
    other = [*given[:3], replace(given[3], applied=given[3].applied + 1e-15)]
    for name, rows in (("a", given), ("b", slower), ("c", other)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, rows)
    assert stable_bytes(tmp_path / "a") == stable_bytes(tmp_path / "b")
    assert stable_bytes(tmp_path / "a") != stable_bytes(tmp_path / "c")


def test_stable_bytes_are_the_same_before_and_after_closing(tmp_path, rng):
    with TickLog(tmp_path, SCHEMA) as log:
        for record in records(rng, 4):
            log.append(record)
        before = stable_bytes(tmp_path)
    assert stable_bytes(tmp_path) == before


def abandoned(folder, given):
    """A log as a killed process leaves it: nothing closed."""
    with TickLog(folder, SCHEMA, config_hash="abc") as log:
        for record in given:
            log.append(record)
        data = (folder / JOURNAL_NAME).read_bytes()
    (folder / PARQUET_NAME).unlink()
    (folder / JOURNAL_NAME).write_bytes(data)
    return data


def test_recover_turns_the_journal_into_parquet(tmp_path, rng):
    given = records(rng, 7)
    abandoned(tmp_path, given)
    recovery = recover(tmp_path)
    assert (recovery.n_ticks, recovery.n_missing) == (7, 0)
    assert recovery.reason == "end of the journal"
    assert recovery.path == tmp_path / PARQUET_NAME
    assert [path.name for path in tmp_path.iterdir()] == [PARQUET_NAME]
    check(read_ticks(tmp_path), given)
    assert recover(tmp_path).reason == "the log was closed; nothing to recover"
    assert recover(tmp_path).n_ticks == 7


def test_recover_keeps_what_lies_before_the_damage(tmp_path, rng):
    given = records(rng, 7)
    data = bytearray(abandoned(tmp_path, given))
    record_size = row_dtype(SCHEMA.columns).itemsize + 12
    data[-2 * record_size - 1] ^= 4
    (tmp_path / JOURNAL_NAME).write_bytes(data)
    recovery = recover(tmp_path)
    assert (recovery.n_ticks, recovery.reason) == (4, "record 4 has a wrong checksum")
    check(read_ticks(tmp_path), given[:4])
    about = log_description(read_ticks(tmp_path))
    assert (about["complete"], about["ended"]) == (False, "record 4 has a wrong checksum")


def test_recover_finishes_a_conversion_that_was_killed(tmp_path, rng):
    given = records(rng, 3)
    abandoned(tmp_path, given)
    (tmp_path / (PARQUET_NAME + ".partial")).write_bytes(b"half a table")
    assert recover(tmp_path).n_ticks == 3
    assert [path.name for path in tmp_path.iterdir()] == [PARQUET_NAME]


def test_recover_leaves_a_living_log_alone(tmp_path, rng):
    with TickLog(tmp_path, SCHEMA) as log:
        log.append(records(rng, 1)[0])
        with pytest.raises(JournalError, match="still being written by a running process"):
            recover(tmp_path)
    assert read_ticks(tmp_path).num_rows == 1


def test_journal_stays_when_the_table_cannot_be_written(tmp_path, rng, monkeypatch, caplog):
    given = records(rng, 3)

    def full(path, journal):
        path.write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ticklog, "_write_parquet", full)
        write(tmp_path, given)
    assert "the ticks are safe in" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [JOURNAL_NAME]
    assert recover(tmp_path).n_ticks == 3


def test_log_describes_itself(tmp_path, rng):
    write(tmp_path, records(rng, 2))
    about = log_description(read_ticks(tmp_path))
    assert about["config_hash"] == "abc"
    assert (about["format"], about["n_missing"], about["complete"]) == (1, 0, True)
    assert columns_from(about) == SCHEMA.columns
    codecs = pq.ParquetFile(tmp_path / PARQUET_NAME).metadata.row_group(0).column(3).compression
    assert codecs == "ZSTD"


def test_long_logs_are_written_in_row_groups(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(ticklog, "_ROWS_PER_GROUP", 4)
    given = records(rng, 10)
    write(tmp_path, given)
    assert pq.ParquetFile(tmp_path / PARQUET_NAME).num_row_groups == 3
    check(read_ticks(tmp_path), given)


def test_empty_log_is_a_table_without_rows(tmp_path):
    write(tmp_path, [])
    assert read_ticks(tmp_path).num_rows == 0
    assert len(stable_bytes(tmp_path)) > 0


def test_second_log_in_a_folder_is_refused(tmp_path, rng):
    write(tmp_path, records(rng, 1))
    with pytest.raises(JournalError, match=r"ticks\.parquet exists already; choose another folder"):
        TickLog(tmp_path, SCHEMA)


def test_folder_without_a_log_is_refused(tmp_path):
    for use in (read_ticks, recover):
        with pytest.raises(JournalError, match=r"holds no tick log: neither ticks\.parquet nor"):
            use(tmp_path)


def test_broken_parquet_is_a_journal_error(tmp_path):
    (tmp_path / PARQUET_NAME).write_bytes(b"PAR1 nonsense")
    with pytest.raises(JournalError, match="cannot be read"):
        read_ticks(tmp_path)


def test_unknown_columns_are_named(tmp_path, rng):
    write(tmp_path, records(rng, 1))
    with pytest.raises(JournalError, match="the log has no columns speed_0_rad"):
        column_matrix(read_ticks(tmp_path), "speed", "rad")


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ({"format": 2, "columns": []}, "the log has format 2, this version reads format 1"),
        ({"format": 1}, "does not describe its columns as expected"),
        ({"format": 1, "columns": [{"title": "q"}]}, "does not describe its columns as expected"),
        ({"format": 1, "columns": [{"name": "q", "dtype": "<f2"}]}, "column 'q' has type '<f2'"),
    ],
)
def test_foreign_descriptions_are_refused(description, text):
    with pytest.raises(JournalError, match=text):
        columns_from(description)


def test_schema_follows_the_cost_model():
    figure = Figure("spikes", 1e-12, "test")
    plain = TableCost("plain", {"spikes": (figure,)}, latency=())
    anchored = replace(plain, chip=(Figure("dt_s", 0.1, "test"),))
    assert schema_for(7, None, control_dt_s=1e-3) == TickSchema(7)
    assert schema_for(7, plain, control_dt_s=1e-3) == TickSchema(7, ("spikes",))
    assert schema_for(7, anchored, control_dt_s=1e-3, metered=True) == TickSchema(7, ("spikes",), True, True)


def test_schema_needs_a_joint():
    with pytest.raises(ConfigError, match="n_joints must be at least 1, not 0"):
        TickSchema(0)


def test_row_is_packed_and_complete():
    n_floats = sum(column.dtype == "<f8" for column in SCHEMA.columns)
    assert row_dtype(SCHEMA.columns).itemsize == 4 * 8 + 8 * n_floats + 2
    names = [column.name for column in SCHEMA.columns]
    assert len(set(names)) == len(names)


def test_lost_ticks_leave_a_gap_in_the_numbers(tmp_path, rng, monkeypatch):
    log = TickLog(tmp_path, SCHEMA)
    given = records(rng, 3)
    log.append(given[0])
    with monkeypatch.context() as patch:
        patch.setattr("spikearm.controller.journal.os.pwrite", lambda fd, data, offset: 0)
        assert not log.append(given[1])
    log.append(given[2])
    assert (log.n_ticks, log.n_lost) == (3, 1)
    assert read_journal(tmp_path / JOURNAL_NAME).n_missing == 1
    log.close()
    log.close()
    table = read_ticks(tmp_path)
    assert table["tick"].to_pylist() == [0, 2]
    assert log_description(table)["n_missing"] == 1
    assert math.isclose(table["t_s"].to_pylist()[1], given[2].state.t_s)


def test_description_survives_json():
    assert columns_from(json.loads(json.dumps(SCHEMA.description()))) == SCHEMA.columns
