"""A run that was killed, and what is made of what it left."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spikearm.controller.journal import JournalWriter
from spikearm.controller.path import LEADING
from spikearm.controller.ticklog import JOURNAL_NAME, PARQUET_NAME, log_description, read_ticks, recover
from spikearm.controller.tickschema import columns_from, row_dtype
from spikearm.errors import RunFolderError
from spikearm.launch.mapping import to_mapping
from spikearm.launch.recovery import settings_of, summary_of
from spikearm.launch.run_folder import WITHOUT_ADAPTATION, write_json


def unclose(folder, n_ticks, leave_out=()):
    """Turn a closed log back into the journal it was, as far as some tick."""
    table = pq.read_table(folder / PARQUET_NAME)
    whole = log_description(table)
    description = {key: whole[key] for key in ("format", "columns", "config_hash")}
    dtype = row_dtype(columns_from(description))
    (folder / PARQUET_NAME).unlink()
    with JournalWriter(folder / JOURNAL_NAME, description, dtype.itemsize) as journal:
        for row in table.slice(0, n_ticks).to_pylist():
            if row["tick"] in leave_out:
                journal.n_lost += 1
                continue
            values = tuple(float("nan") if row[name] is None else row[name] for name in dtype.names)
            journal.payload[:] = np.frombuffer(np.array([values], dtype=dtype).tobytes(), dtype=np.uint8)
            journal.append()


@pytest.fixture
def killed(short_run, tmp_path):
    """The short run as a SIGKILL would have left it in its second reach."""
    folder = tmp_path / "killed"
    shutil.copytree(short_run.folder, folder)
    for name in ("summary.json", "ledger.json", "spikes.npz"):
        (folder / name).unlink()
    unclose(folder, 300)
    return folder


def test_recovered_run_has_table_and_summary(spikearm, killed, short_run):
    ended = spikearm("logs", "recover", killed, "--json")
    assert ended.code == 0
    assert ended.document == {
        "n_ticks": 300,
        "n_missing": 0,
        "reason": "end of the journal",
        "path": str(killed / PARQUET_NAME),
        "summary": str(killed / "summary.json"),
    }
    assert f"next: spikearm report {killed}" in ended.complaint
    summary, whole = json.loads((killed / "summary.json").read_text()), short_run.summary
    assert set(summary) == set(whole)
    assert summary["interrupted"]
    # The second reach is not finished.
    assert summary["rmse_m_by_trial"] == pytest.approx(whole["rmse_m_by_trial"][:1])
    assert summary["rmse_m_by_trial_without_adaptation"] == whole["rmse_m_by_trial_without_adaptation"]
    assert summary["energy_chip_scope"] == whole["energy_chip_scope"]


def test_killed_run_that_was_led_to_its_start_was_not_finished(killed, short_run):
    """With the way to its first reach it has as many ticks as a whole run; 100 of its reaches are missing."""
    table = read_ticks(short_run.folder)
    way = table.slice(0, 100).set_column(
        table.column_names.index("reach"), "reach", pa.array([LEADING] * 100)
    )
    whole = pa.concat_tables([way.cast(table.schema), table])
    pq.write_table(whole, killed / PARQUET_NAME)
    (killed / JOURNAL_NAME).unlink()
    assert summary_of(killed)["interrupted"] is False
    pq.write_table(whole.slice(0, 400), killed / PARQUET_NAME)
    summary = summary_of(killed)
    assert summary["interrupted"] is True
    assert (summary["n_ticks"], summary["lead_in_ticks"]) == (400, 100)
    assert summary["rmse_m_by_trial"] == pytest.approx(short_run.summary["rmse_m_by_trial"][:1])


def test_report_of_a_killed_run_says_how_to_recover_it(spikearm, killed):
    hint = (
        f"the log of {killed} was not closed (killed, or no room): `spikearm logs recover {killed}` makes "
        "its table, summary and ledger."
    )
    assert hint in spikearm("report", killed).complaint
    spikearm("logs", "recover", killed)
    assert "not closed" not in spikearm("report", killed).complaint


def test_report_of_a_run_that_is_still_going_on_says_so(spikearm, killed):
    journal = killed / JOURNAL_NAME
    hold = (
        f"import fcntl, sys; f = open({str(journal)!r}); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True)"
    )
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", f"{hold}; sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        writer.stdout.readline()
        said = spikearm("report", killed).complaint
        writer.communicate()
    assert f"{killed} is still going on: this is what it came to so far." in said
    assert "recover" not in said


@pytest.fixture
def killed_comparison(killed, tmp_path):
    """A comparison that was killed in its second run."""
    folder = tmp_path / "runs" / "20990101T000000Z-compare"
    shutil.copytree(killed, folder / "20990101T000002Z-loihi")
    shutil.copytree(killed, folder / "20990101T000001Z-reference")
    shutil.rmtree(killed)
    return folder


def test_report_of_a_killed_comparison_has_its_runs(spikearm, killed_comparison, monkeypatch):
    monkeypatch.chdir(killed_comparison.parents[1])
    said = spikearm("report").complaint
    for run in killed_comparison.glob("2*"):
        shown = run.relative_to(Path.cwd())
        assert f"`spikearm logs recover {shown}`" in said
    assert "2 runs of iiwa14" in (killed_comparison / "report.html").read_text()


def test_recovery_of_a_comparison_names_its_runs(spikearm, killed_comparison):
    ended = spikearm("logs", "recover", killed_comparison)
    assert ended.code == 2
    runs = (killed_comparison / f"20990101T00000{i}Z-{name}" for i, name in ((1, "reference"), (2, "loihi")))
    wanted = f"recover its runs one by one: {', '.join(map(str, runs))}."
    assert wanted in ended.complaint


def test_recovered_run_has_the_source_of_every_joule(spikearm, killed, short_run):
    spikearm("logs", "recover", killed)
    mended, whole = (json.loads((run / "ledger.json").read_text()) for run in (killed, short_run.folder))
    assert [line["source"] for line in mended["lines"]] == [line["source"] for line in whole["lines"]]
    summary = json.loads((killed / "summary.json").read_text())
    joules = sum(line["joules_per_tick"] for line in mended["lines"] if line["tier"] == "bottom-up")
    assert joules == pytest.approx(summary["energy_model_j_per_tick"]["total"])
    assert not (killed / WITHOUT_ADAPTATION / "ledger.json").exists()


def test_recovering_twice_says_the_same(spikearm, killed):
    spikearm("logs", "recover", killed)
    before = (killed / "summary.json").read_bytes()
    again = spikearm("logs", "recover", killed, "--json")
    assert again.code == 0
    assert again.document["n_ticks"] == 300
    assert again.document["reason"] == "the log was closed; nothing to recover"
    assert "kept" not in again.err
    assert (killed / "summary.json").read_bytes() == before


@pytest.mark.parametrize("first", [0, 50])
def test_missing_ticks_are_told_each_time(spikearm, short_run, tmp_path, first):
    folder = tmp_path / "full"
    shutil.copytree(short_run.folder, folder)
    (folder / "summary.json").unlink()
    unclose(folder, 400, leave_out=range(first, first + 10))
    for _ in range(2):
        ended = spikearm("logs", "recover", folder, "--json")
        assert (ended.document["n_ticks"], ended.document["n_missing"]) == (390, 10)
        assert "10 ticks between them could not be written at the time" in ended.complaint
    assert summary_of(folder)["unrecorded_ticks"] == 10
    assert not summary_of(folder)["interrupted"]


def test_run_killed_before_its_first_tick_still_has_its_baseline(spikearm, killed):
    (killed / JOURNAL_NAME).unlink()
    shutil.copy(killed / "run.json", killed / WITHOUT_ADAPTATION)
    ended = spikearm("logs", "recover", killed, "--json")
    assert ended.code == 0
    assert ended.document["n_ticks"] == read_ticks(killed / WITHOUT_ADAPTATION).num_rows
    assert "killed before its own first tick: these are its reaches without adaptation" in ended.complaint


def nothing(folder):
    """A journal as its process left it when it was killed before anything was written."""
    (folder / JOURNAL_NAME).write_bytes(b"")


def header(folder):
    """A journal without a tick."""
    shutil.copytree(folder / WITHOUT_ADAPTATION, folder / "other")
    unclose(folder / "other", 0)
    (folder / "other" / JOURNAL_NAME).rename(folder / JOURNAL_NAME)
    shutil.rmtree(folder / "other")


def torn(folder):
    """A journal whose first tick is not whole."""
    header(folder)
    with (folder / JOURNAL_NAME).open("ab") as file:
        file.write(bytes(20))


def no_rows(folder):
    """A table without a tick."""
    header(folder)
    recover(folder)


@pytest.fixture(params=[nothing, header, torn, no_rows])
def killed_early(request, killed):
    """A run that was killed between its reaches without adaptation and its own first tick."""
    (killed / JOURNAL_NAME).unlink()
    shutil.copy(killed / "run.json", killed / WITHOUT_ADAPTATION)
    request.param(killed)
    return killed


def test_run_killed_between_journal_and_first_tick_has_a_report(spikearm, killed_early):
    for _ in range(2):
        assert spikearm("report", killed_early).code == 0
        assert "without adaptation" in (killed_early / "report.html").read_text()
        ended = spikearm("logs", "recover", killed_early, "--json")
        assert ended.code == 0
        assert ended.document["n_ticks"] == read_ticks(killed_early / WITHOUT_ADAPTATION).num_rows
        assert f"next: spikearm report {killed_early}" in ended.complaint
    assert not (killed_early / JOURNAL_NAME).exists()
    assert "not closed" not in spikearm("report", killed_early).complaint


def test_journal_of_a_run_that_is_just_starting_stays(spikearm, killed_early):
    (killed_early / PARQUET_NAME).unlink(missing_ok=True)
    journal = killed_early / JOURNAL_NAME
    with journal.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended = spikearm("logs", "recover", killed_early)
    assert ended.code == 1
    assert "still being written by a running process" in ended.complaint


def test_comparison_leaves_runs_without_ticks_out(spikearm, killed_comparison, caplog):
    first, second = sorted(killed_comparison.glob("2*"))
    shutil.rmtree(second / WITHOUT_ADAPTATION)
    (second / JOURNAL_NAME).write_bytes(b"")
    ended = spikearm("report", killed_comparison)
    assert ended.code == 0
    assert caplog.messages == [f"{second} ended before its first tick and is left out."]
    assert f"`spikearm logs recover {first}`" in ended.complaint
    assert f"recover {second}" not in ended.complaint


def test_run_without_a_tick_has_nothing_to_report(spikearm, killed_early):
    shutil.rmtree(killed_early / WITHOUT_ADAPTATION)
    wanted = f"{killed_early} holds no ticks: the run ended before its first; name another."
    for words in (("report",), ("video",), ("logs", "export", "--to", "csv")):
        ended = spikearm(*words, killed_early)
        assert ended.code == 2
        assert wanted in ended.complaint


@pytest.mark.parametrize(
    ("reaches", "tick", "finished"),
    [
        ([0] * 200 + [1] * 200, range(400), True),
        ([0] * 200 + [1] * 199, range(399), False),
        ([-1] * 60 + [0] * 200 + [1] * 150, [*range(30, 60), *range(90, 120), *range(120, 470)], False),
        ([-1] * 60 + [0] * 200 + [1] * 200, [*range(30, 60), *range(90, 120), *range(120, 520)], True),
        ([0] * 200 + [1] * 90 + [-1] * 50 + [1] * 110, range(450), False),
        ([0] * 200 + [1] * 90 + [-1] * 50 + [1] * 200, range(540), True),
        ([0] * 200 + [1] * 90 + [-1] * 50, range(340), False),
        ([0] * 200 + [1] * 190, [*range(200), *range(210, 400)], True),
    ],
)
def test_run_is_finished_if_the_end_of_its_last_reach_is_there(short_run, tmp_path, reaches, tick, finished):
    """Ticks that were lost on a way, or in an attempt that was cut short, are not ticks of a reach."""
    config, table = settings_of(short_run.folder), read_ticks(short_run.folder)
    rows = table.take(np.arange(len(reaches)) % table.num_rows)
    for name, values in (("reach", reaches), ("tick", list(tick))):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    about = log_description(table) | {"n_missing": max(tick) + 1 - len(reaches)}
    (key,) = table.schema.metadata
    folder = tmp_path / "run"
    folder.mkdir()
    pq.write_table(rows.replace_schema_metadata({key: json.dumps(about)}), folder / PARQUET_NAME)
    write_json(folder / "run.json", {"config": to_mapping(config)})
    assert summary_of(folder)["interrupted"] != finished


def test_run_killed_before_any_tick_is_explained(spikearm, tmp_path):
    ended = spikearm("logs", "recover", tmp_path)
    assert ended.code == 2
    assert "holds no ticks: the run ended before its first tick" in ended.complaint


def test_ticks_without_settings_are_recovered_without_summary(spikearm, killed):
    (killed / "run.json").unlink()
    ended = spikearm("logs", "recover", killed, "--json")
    assert ended.code == 0
    assert ended.document["summary"] is None
    assert read_ticks(killed).num_rows == 300


def test_recovered_summary_of_a_whole_log_is_that_of_the_run(short_run, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(short_run.folder, folder)
    (folder / "summary.json").unlink()
    made, own = summary_of(folder), dict(short_run.summary)
    del own["rmse_m_by_trial_without_adaptation"]  # stands in another folder
    assert made | {"run_dir": own["run_dir"]} == own


def test_killed_run_of_the_spiking_controller_has_a_report(spikearm, tmp_path):
    words = ("--controller", "spiking-osc", "--trials", 1, "--duration-s", 0.02, "--distance-m", 0.001)
    assert spikearm("run", *words, "--payload-kg", 0, "--out", tmp_path).code == 0
    (folder,) = tmp_path.iterdir()
    for name in ("summary.json", "ledger.json"):
        (folder / name).unlink()
    assert summary_of(folder)["energy_chip_scope"]
    assert spikearm("report", folder).code == 0
    assert "spiking-osc on reference" in (folder / "report.html").read_text()


def test_what_an_older_summary_says_of_ticks_is_made_again(killed):
    """Names may have meant something else; what only the program knew is kept."""
    document = {"rmse_m_by_trial": [1.0], "utilisation": "3 of 128 cores", "link": {"ended": "done"}}
    (killed / "summary.json").write_text(json.dumps(document))
    made = summary_of(killed)
    assert made["rmse_m_by_trial"][0] < 0.1
    assert (made["utilisation"], made["link"]) == (document["utilisation"], document["link"])


def test_summary_that_is_none_is_named(killed):
    (killed / "summary.json").write_text("[]")
    with pytest.raises(RunFolderError, match=r"summary\.json is no summary of a run; delete it"):
        summary_of(killed)
