"""What is left of a run that could not end by itself: its table, and the summary it did not write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spikearm.controller.journal import is_written
from spikearm.controller.loop import LoopResult
from spikearm.controller.ticklog import (
    JOURNAL_NAME,
    PARQUET_NAME,
    Recovery,
    drop_empty_journal,
    has_log,
    has_ticks,
    log_description,
    read_ticks,
    recover,
)
from spikearm.errors import ConfigError, RunFolderError
from spikearm.launch.compose import make_substrate
from spikearm.launch.config import NETWORKED, RunConfig, load_config
from spikearm.launch.run import ledger_document
from spikearm.launch.run_folder import WITHOUT_ADAPTATION, write_json
from spikearm.launch.summary import SUMMARY_NAMES, column, leading, summarise

RUN_NAME, SUMMARY_NAME, LEDGER_NAME = "run.json", "summary.json", "ledger.json"


@dataclass(frozen=True)
class Recovered:
    """What was recovered of a run.

    Attributes:
        recovery: Of the run's log.
        folder: The folder of that log: the run's own, or that of its reaches without adaptation if the
            run was killed during those, before its own first tick.
        summary: The summary; None if ticks are all there is, without the settings that made them.
    """

    recovery: Recovery
    folder: Path
    summary: dict[str, Any] | None


def recover_run(folder: Path) -> Recovered:
    """Turn the journals of a killed run into tables and write summaries and ledgers that are missing.

    Raises:
        RunFolderError: There is no such folder, it holds no ticks, or it is a comparison.
        JournalError: Its run is still going on, or a log is damaged at its beginning.
        OSError: Something cannot be written; the journal stays.
    """
    if not folder.is_dir():
        raise RunFolderError(f"no run folder {folder}; `spikearm run` makes one.")
    parts = (folder / WITHOUT_ADAPTATION, folder)
    for part in parts:
        drop_empty_journal(part)
    logs = [part for part in parts if has_ticks(part)]
    rows = run_folders_in(folder)
    if not logs and rows:
        raise RunFolderError(f"{folder} is a comparison; recover its runs one by one: {_named(rows)}.")
    if not logs:
        raise RunFolderError(f"{folder} holds no ticks: the run ended before its first tick.")
    recovered = [(part, recover(part)) for part in logs]
    summaries = [_mend_summary(part) for part in logs]
    if len(logs) == 2 and summaries[0] is not None and summaries[1] is not None:
        # Nothing is written twice: a run that ended by itself has this already.
        name = "rmse_m_by_trial_without_adaptation"
        if name not in summaries[1]:
            summaries[1][name] = summaries[0]["rmse_m_by_trial"]
            write_json(folder / SUMMARY_NAME, summaries[1])
    return Recovered(recovered[-1][1], logs[-1], summaries[-1])


def require_log(folder: Path) -> None:
    """Know that a folder has ticks of its own to read.

    Raises:
        RunFolderError: It has none; what it has instead is named.
    """
    if has_ticks(folder):
        return
    if has_ticks(folder / WITHOUT_ADAPTATION):
        reason = f"it has its reaches without adaptation only, {folder / WITHOUT_ADAPTATION}: name these"
    elif rows := run_folders_in(folder):
        reason = f"it is a comparison; name one of its runs: {_named(rows)}"
    elif has_log(folder) or (folder / RUN_NAME).exists():
        reason = "the run ended before its first; name another"
    else:
        reason = f"there is neither {PARQUET_NAME} nor {JOURNAL_NAME} in it; name a run's folder"
    raise RunFolderError(f"{folder} holds no ticks: {reason}.")


def _named(rows: Sequence[Path]) -> str:
    """Some runs, as they can be copied to a command line."""
    return ", ".join(map(str, rows))


def run_folders_in(folder: Path) -> list[Path]:
    """The runs in the folder of a comparison that have ticks, in the order in which they were begun."""
    return [run for run in _begun_in(folder) if _has_any_ticks(run)]


def left_out(folder: Path) -> list[Path]:
    """The runs in the folder of a comparison that were killed before their first tick."""
    return [run for run in _begun_in(folder) if not _has_any_ticks(run)]


def _begun_in(folder: Path) -> list[Path]:
    runs = [part for part in folder.iterdir() if (part / RUN_NAME).exists()]
    return sorted((run for run in runs if run.name != WITHOUT_ADAPTATION), key=lambda run: run.name)


def _has_any_ticks(run: Path) -> bool:
    """Its own, or those of its reaches without adaptation."""
    return has_ticks(run) or has_ticks(run / WITHOUT_ADAPTATION)


def unrecovered(folder: Path) -> str | None:
    """What to know of a run that has not ended by itself, and what to do; None of all others."""
    journals = [part / JOURNAL_NAME for part in (folder, folder / WITHOUT_ADAPTATION)]
    left = [journal for journal in journals if journal.exists()]
    if not left:
        return None
    if any(map(is_written, left)):
        return f"{folder} is still going on: this is what it came to so far."
    return (
        f"the log of {folder} was not closed (killed, or no room): `spikearm logs recover {folder}` makes "
        "its table, summary and ledger."
    )


def settings_of(folder: Path) -> RunConfig:
    """The settings of a run.

    Raises:
        RunFolderError: The folder has no ``run.json``, or one of another version.
    """
    try:
        return load_config(str(folder / RUN_NAME), RunConfig())
    except (ConfigError, ValueError) as error:
        raise RunFolderError(f"{folder / RUN_NAME} does not say what the run was: {error}") from error


def summary_of(folder: Path) -> dict[str, Any]:
    """The summary of a run: the one it wrote, or that of the ticks that are there, or some of each.

    Raises:
        RunFolderError: It is not known what the run was.
        JournalError: There are no ticks.
    """
    path = folder / SUMMARY_NAME
    if not path.exists():
        return _summarise(folder)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}; delete it to have it made again.") from error
    if not isinstance(document, dict):
        raise RunFolderError(f"{path} is no summary of a run; delete it to have it made again.")
    if document.keys() >= SUMMARY_NAMES:
        return document
    # An older version wrote fewer names, or meant something else by them: what ticks say is theirs to say.
    return document | _summarise(folder) | {"utilisation": document.get("utilisation")}


def _mend_summary(folder: Path) -> dict[str, Any] | None:
    """The summary of a folder, written if it was missing; None where there is no ``run.json``."""
    if not (folder / RUN_NAME).exists():
        return None
    summary = summary_of(folder)
    if not (folder / SUMMARY_NAME).exists():
        write_json(folder / SUMMARY_NAME, summary)
    _mend_ledger(folder)
    return summary


def _mend_ledger(folder: Path) -> None:
    """The source of every joule: counts are in the log, figures in the cost model."""
    config = settings_of(folder)
    if config.controller in NETWORKED and not (folder / LEDGER_NAME).exists():
        ledger = ledger_document(make_substrate(config).cost_model, folder, config.control_dt_s)
        write_json(folder / LEDGER_NAME, ledger)


def _finished(table: pa.Table, config: RunConfig) -> bool:
    """Whether the last tick of the last reach is there; ticks before it may be missing."""
    tick, reach = column(table, "tick"), column(table, "reach")
    whole = config.n_ticks // config.n_trials
    ways = np.flatnonzero(leading(table))
    if not ways.size:
        return bool(tick[-1] + 1 >= config.n_trials * whole)
    first = int(ways[-1]) + 1
    if first == table.num_rows:
        return False
    return bool(tick[-1] - tick[first] + 1 >= (config.n_trials - reach[first]) * whole)


def _summarise(folder: Path) -> dict[str, Any]:
    config = settings_of(folder)
    table = read_ticks(folder)
    n_lost = int(log_description(table)["n_missing"])
    n_ticks = table.num_rows + n_lost
    result = LoopResult(
        n_ticks=n_ticks,
        n_lost=n_lost,
        deadline_misses=int(np.nansum(column(table, "deadline_missed"))),
        max_lateness_s=float(column(table, "lateness_s").max(initial=0.0)),
        interrupted=not _finished(table, config),
    )
    networked = config.controller in NETWORKED
    cost_model = make_substrate(config).cost_model if networked else None
    # What only the program knew is gone with it.
    return summarise(config, folder, result, cost_model=cost_model) | {"utilisation": None}
