"""The tick log of a run folder: the one place that knows how ticks are kept.

While a run lasts, every tick goes into ``ticks.journal`` (see :mod:`spikearm.controller.journal`). Closing
turns it into ``ticks.parquet`` and removes the journal, which then holds nothing that the table does not;
it stays if the table could not be written. A run that was killed leaves its journal for :func:`recover`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spikearm.controller.journal import (
    Journal,
    JournalWriter,
    holds_records,
    lock_for_recovery,
    read_journal,
    sync_folder,
)
from spikearm.controller.tickschema import (
    Column,
    TickEncoder,
    TickRecord,
    TickSchema,
    columns_from,
    row_dtype,
)
from spikearm.errors import JournalError
from spikearm.records import FloatArray

JOURNAL_NAME = "ticks.journal"
PARQUET_NAME = "ticks.parquet"
_METADATA_KEY = b"spikearm.ticks"
_ROWS_PER_GROUP = 50_000

_log = logging.getLogger(__name__)


class TickLog:
    """Records ticks; use it as a context manager, so that it is closed whatever happens.

    Args:
        folder: Run folder; it exists and holds no log yet.
        schema: The columns.
        config_hash: Tells which configuration made the log.
        fsync_period_s: Time between two flushes to the disk itself [s].

    Raises:
        JournalError: The folder holds a log already, or cannot be written.
    """

    def __init__(
        self, folder: Path, schema: TickSchema, *, config_hash: str = "", fsync_period_s: float = 0.5
    ) -> None:
        if (folder / PARQUET_NAME).exists():
            raise JournalError(f"{folder / PARQUET_NAME} exists already; choose another folder.")
        self.folder = folder
        self.schema = schema
        description = {**schema.description(), "config_hash": config_hash}
        self._journal = JournalWriter(
            folder / JOURNAL_NAME,
            description,
            row_dtype(schema.columns).itemsize,
            fsync_period_s=fsync_period_s,
        )
        self._encoder = TickEncoder(schema, self._journal.payload)
        self._closed = False

    @property
    def n_ticks(self) -> int:
        """Ticks given to the log so far, written or lost."""
        return self._journal.n_written + self._journal.n_lost

    @property
    def n_lost(self) -> int:
        """Ticks that could not be written, because the disk is full or broken."""
        return self._journal.n_lost

    def append(self, record: TickRecord, again: Callable[[str], bool] | None = None) -> bool:
        """Record one tick.

        Args:
            record: What happened in it.
            again: Asked, with the reason, whether to try once more when the tick could not be written; None
                does not: control goes on.

        Returns:
            Whether it is in the log for good, so that even SIGKILL cannot take it away. One that could
            not be written is counted in ``n_lost``.
        """
        self._encoder.encode(self.n_ticks, record)
        return self._journal.append() if again is None else self._journal.append(again)

    def close(self) -> None:
        """Turn the journal into Parquet; closing twice is not an error.

        If the table cannot be written, the journal stays, and the log says so.
        """
        if self._closed:
            return
        self._closed = True
        self._journal.close()
        try:
            _convert(self.folder)
        except OSError as error:
            _log.error(
                "%s cannot be written (%s); the ticks are safe in %s, `spikearm logs recover` tries again.",
                self.folder / PARQUET_NAME,
                error,
                self.folder / JOURNAL_NAME,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was saved of a run that did not close its log.

    Attributes:
        n_ticks: Ticks kept.
        n_missing: Ticks between them that could not be written at the time.
        reason: Why reading stopped where it did.
        path: The table.
    """

    n_ticks: int
    n_missing: int
    reason: str
    path: Path


def recover(folder: Path) -> Recovery:
    """Turn the journal of a killed run into ``ticks.parquet``.

    Raises:
        JournalError: The folder holds no log, its run is still going on, or the header is damaged.
        OSError: The table cannot be written; the journal stays.
    """
    path = folder / PARQUET_NAME
    if not (folder / JOURNAL_NAME).exists() and path.exists():
        table = read_ticks(folder)
        n_missing = int(log_description(table)["n_missing"])
        return Recovery(table.num_rows, n_missing, "the log was closed; nothing to recover", path)
    _require_journal(folder)
    lock = lock_for_recovery(folder / JOURNAL_NAME)
    try:
        journal = _convert(folder)
    finally:
        os.close(lock)
    return Recovery(len(journal.sequence), journal.n_missing, journal.reason, path)


def has_log(folder: Path) -> bool:
    """Whether a folder holds a log, be it without a single tick, as a table or as a journal."""
    return (folder / PARQUET_NAME).exists() or (folder / JOURNAL_NAME).exists()


def has_ticks(folder: Path) -> bool:
    """Whether a folder holds a tick. A damaged log counts as one that does: reading it says what is wrong."""
    path = folder / PARQUET_NAME
    try:
        if path.exists():
            return bool(pq.read_metadata(path).num_rows)
        return (folder / JOURNAL_NAME).exists() and holds_records(folder / JOURNAL_NAME)
    except (JournalError, OSError, pa.ArrowException):
        return True


def drop_empty_journal(folder: Path) -> None:
    """Remove a journal in which there is not a single tick: the run was killed before its first.

    Raises:
        JournalError: Its run is still going on.
    """
    path = folder / JOURNAL_NAME
    if not path.exists() or has_ticks(folder):
        return
    lock = lock_for_recovery(path)
    try:
        # Its run may have written ticks, and ended, just now.
        if not has_ticks(folder):
            path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def read_ticks(folder: Path) -> pa.Table:
    """The ticks of a run, from Parquet or, while it is going on or after it was killed, from the journal.

    The fields of measured times carry the metadata ``measured: true``.

    Raises:
        JournalError: The folder holds no log, or it cannot be read.
    """
    path = folder / PARQUET_NAME
    if path.exists():
        try:
            return pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise JournalError(f"tick log {path} cannot be read: {error}.") from error
    _require_journal(folder)
    journal = read_journal(folder / JOURNAL_NAME)
    columns = columns_from(journal.description)
    return _table(journal.payloads, columns, _arrow_schema(journal, columns))


def column_matrix(table: pa.Table, group: str, unit: str) -> FloatArray:
    """The columns ``group_0_unit``, ``group_1_unit``, ... side by side, e.g. ``("q", "rad")``.

    Args:
        table: A log, as :func:`read_ticks` returns it.
        group: What the columns' names begin with.
        unit: What they end with.

    Returns:
        Shape (n_ticks, number of such columns), in that unit.

    Raises:
        JournalError: The log has no such columns.
    """
    names: list[str] = []
    while (name := f"{group}_{len(names)}_{unit}") in table.column_names:
        names.append(name)
    if not names:
        raise JournalError(f"the log has no columns {group}_0_{unit}, ...; it has {table.column_names}.")
    return np.column_stack([table[name].to_numpy() for name in names])


def stable_bytes(folder: Path) -> bytes:
    """All that a seed determines: every column but those of measured times, as bytes.

    Two runs of the same configuration, versions and seed on one machine give the same bytes.
    """
    table = read_ticks(folder)
    stable = [field.name for field in table.schema if not (field.metadata or {}).get(b"measured")]
    parts = [json.dumps(stable).encode()]
    parts += [np.ascontiguousarray(table[name].to_numpy()).tobytes() for name in stable]
    return b"\n".join(parts)


def log_description(table: pa.Table) -> dict[str, Any]:
    """What the log says about itself: format, config hash, columns, missing ticks, why it ended."""
    description: dict[str, Any] = json.loads(table.schema.metadata[_METADATA_KEY])
    return description


def _require_journal(folder: Path) -> None:
    if not (folder / JOURNAL_NAME).exists():
        raise JournalError(f"{folder} holds no tick log: neither {PARQUET_NAME} nor {JOURNAL_NAME}.")


def _convert(folder: Path) -> Journal:
    """Journal to Parquet: complete under its name or not there at all; then the journal goes."""
    journal = read_journal(folder / JOURNAL_NAME)
    partial = folder / (PARQUET_NAME + ".partial")
    try:
        _write_parquet(partial, journal)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(folder / PARQUET_NAME)
    sync_folder(folder)
    (folder / JOURNAL_NAME).unlink()
    return journal


def _write_parquet(path: Path, journal: Journal) -> None:
    columns = columns_from(journal.description)
    schema = _arrow_schema(journal, columns)
    with path.open("wb") as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for start in range(0, len(journal.payloads), _ROWS_PER_GROUP):
                rows = journal.payloads[start : start + _ROWS_PER_GROUP]
                writer.write_table(_table(rows, columns, schema))
        file.flush()
        os.fsync(file.fileno())


def _arrow_schema(journal: Journal, columns: tuple[Column, ...]) -> pa.Schema:
    about: Mapping[str, Any] = {
        **journal.description,
        "n_missing": journal.n_missing,
        "complete": journal.complete,
        "ended": journal.reason,
    }
    types = {"<i8": pa.int64(), "<f8": pa.float64(), "?": pa.bool_()}
    fields = [
        pa.field(
            column.name,
            types[column.dtype],
            nullable=column.nullable,
            metadata={"measured": "true"} if column.measured else None,
        )
        for column in columns
    ]
    return pa.schema(fields, metadata={_METADATA_KEY: json.dumps(about)})


def _table(payloads: np.ndarray, columns: tuple[Column, ...], schema: pa.Schema) -> pa.Table:
    rows = np.ascontiguousarray(payloads).view(row_dtype(columns))[:, 0]
    arrays = []
    for column in columns:
        values = np.ascontiguousarray(rows[column.name])
        arrays.append(pa.array(values, mask=np.isnan(values) if column.nullable else None))
    return pa.Table.from_arrays(arrays, schema=schema)
