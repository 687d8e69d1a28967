"""The log as one table in a file: Parquet and CSV."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import csv

from spikearm.controller.ticklog import read_ticks


def export_parquet(run: Path, path: Path) -> int:
    """One Parquet file; returns the number of ticks.

    Args:
        run: The run folder; a run that is still going on gives the ticks it has.
        path: The file; one that is there is replaced.

    Raises:
        JournalError: There is no log, or it cannot be read.
        OSError: The file cannot be written.
    """
    table = read_ticks(run)
    pq.write_table(table, path, compression="zstd")
    return int(table.num_rows)


def export_csv(run: Path, path: Path) -> int:
    """One CSV file with a heading; what is null is empty. All else is as in :func:`export_parquet`."""
    table = read_ticks(run)
    csv.write_csv(table, path)
    return int(table.num_rows)
