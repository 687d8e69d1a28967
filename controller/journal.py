"""An append-only file of fixed records that loses nothing when the process is killed.

A record is a sequence number, a payload of fixed size and a CRC-32, handed to the kernel by one system
call per tick: once :meth:`JournalWriter.append` has returned True, SIGKILL cannot take the record away.
A power failure can: a helper thread calls ``fsync`` every ``fsync_period_s`` (0.5 s), so at most the ticks
of that period and of one ``fsync`` are at risk.

Layout, little-endian: ``SPKJRNL1``, size of the description (u32), payload size (u32), description (JSON),
CRC-32 of all before (u32); then the records: sequence (u64), payload, CRC-32 (u32). The records' CRC
starts from that of the header, so a record of another journal is not taken for one of this.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikearm.errors import JournalError

_MAGIC = b"SPKJRNL1"
_PREFIX = struct.Struct("<8sII")
_SEQUENCE = struct.Struct("<Q")
_CRC = struct.Struct("<I")

_log = logging.getLogger(__name__)


def _never(_reason: str) -> bool:
    return False


class JournalWriter:
    """Writes one record per call; a full disk costs records, never an exception.

    Use :attr:`payload` as the place to put the next record's bytes, then call :meth:`append`.

    Args:
        path: File to create; it must not exist.
        description: What the payload is, readable by :func:`read_journal`; any JSON object.
        payload_size: Bytes of one payload.
        fsync_period_s: Time between two flushes to the disk itself [s].

    Attributes:
        payload: Bytes of the next record, shape (payload_size,), uint8, written in place.
        n_written: Records in the file.
        n_lost: Records that could not be written.

    Raises:
        JournalError: The file exists already, or cannot be created.
    """

    def __init__(
        self,
        path: Path,
        description: Mapping[str, Any],
        payload_size: int,
        *,
        fsync_period_s: float = 0.5,
    ) -> None:
        header = _header(description, payload_size)
        self.path = path
        self.n_written = 0
        self.n_lost = 0
        self._fd = _create(path, header)
        self._end = len(header)
        self._crc_start = _crc_of_header(header)
        self._record = bytearray(_SEQUENCE.size + payload_size + _CRC.size)
        self._body = memoryview(self._record)[: -_CRC.size]
        self.payload: NDArray[np.uint8] = np.frombuffer(
            self._record, dtype=np.uint8, count=payload_size, offset=_SEQUENCE.size
        )
        self._closing = threading.Event()
        self._flusher = threading.Thread(
            target=self._flush_often, args=(fsync_period_s,), name="journal-fsync", daemon=True
        )
        self._flusher.start()

    def append(self, again: Callable[[str], bool] = _never) -> bool:
        """Write the payload as the next record.

        Args:
            again: Asked after a try that failed whether to try once more; given the reason.

        Returns:
            Whether the record is in the file. A record that is not is counted in ``n_lost``, its sequence
            number is left out, and the next call tries again at the same place.
        """
        record = self._record
        _SEQUENCE.pack_into(record, 0, self.n_written + self.n_lost)
        _CRC.pack_into(record, len(self._body), zlib.crc32(self._body, self._crc_start))
        reason = self._write(record)
        while reason and again(reason):
            reason = self._write(record)
        if reason:
            self._report_loss(reason if again is not _never else f"{reason}; control goes on")
            return False
        self._end += len(record)
        self.n_written += 1
        return True

    def close(self) -> None:
        """Flush to the disk and close; closing twice is not an error."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._flusher.join()
        self._flush()
        os.close(self._fd)
        if self.n_lost:
            _log.error("%s: %d records could not be written.", self.path, self.n_lost)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, record: bytearray) -> str:
        """Write a record; what prevented it, or nothing."""
        done = 0
        # Written at an explicit place: what a failed write left there is simply overwritten.
        try:
            while done < len(record):
                n = os.pwrite(self._fd, record[done:] if done else record, self._end + done)
                if not n:
                    return "only a part of the record could be written"
                done += n
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _report_loss(self, reason: str) -> None:
        if self.n_lost == 0:
            _log.error("%s: a record could not be written: %s.", self.path, reason)
        self.n_lost += 1

    def _flush_often(self, period_s: float) -> None:
        while not self._closing.wait(period_s):
            self._flush()

    def _flush(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            _log.error("%s: fsync failed: %s; a power failure may cost ticks.", self.path, error.strerror)


@dataclass(frozen=True)
class Journal:
    """What could be read of a journal.

    Attributes:
        description: What the writer said about the payload.
        payloads: One row per record, shape (n_records, payload_size), uint8.
        sequence: Sequence number of each record, shape (n_records,).
        reason: Why reading stopped.
        complete: Whether it stopped at the end of the file, after a whole record.
    """

    description: dict[str, Any]
    payloads: NDArray[np.uint8]
    sequence: NDArray[np.uint64]
    reason: str
    complete: bool

    @property
    def n_missing(self) -> int:
        """Records that the writer counted but could not write, as far as the numbers show."""
        return int(self.sequence[-1]) + 1 - len(self.sequence) if len(self.sequence) else 0


def read_journal(path: Path) -> Journal:
    """Read all records up to the first that is incomplete or damaged.

    Raises:
        JournalError: There is no such file, or its header is damaged.
    """
    data = _mapped(path)
    view = data.data
    description, payload_size, start = _read_header(view, path)
    size = _SEQUENCE.size + payload_size + _CRC.size
    n_whole, n_left = divmod(len(data) - start, size)
    n_good, reason = _count_good(view[start:], size, _crc_of_header(view[:start]), n_whole)
    if not reason and n_left:
        reason = f"record {n_good} is incomplete: {n_left} of {size} bytes"
    records = data[start : start + n_good * size].reshape(n_good, size)
    return Journal(
        description=description,
        payloads=records[:, _SEQUENCE.size : -_CRC.size],
        sequence=records[:, : _SEQUENCE.size].copy().view("<u8").reshape(n_good),
        reason=reason or "end of the journal",
        complete=not reason,
    )


def holds_records(path: Path) -> bool:
    """Whether a journal begins with a whole record; of an hour of ticks, only this one is read.

    Raises:
        JournalError: There is no such file, or its header is damaged.
    """
    data = _mapped(path)
    if not len(data):
        return False  # its process ended before the header was written
    _, payload_size, start = _read_header(data.data, path)
    size = _SEQUENCE.size + payload_size + _CRC.size
    if len(data) < start + size:
        return False
    crc_start = _crc_of_header(data.data[:start])
    return _count_good(data.data[start : start + size], size, crc_start, 1)[0] == 1


def lock_for_recovery(path: Path) -> int:
    """Make sure that nobody is writing this journal any more.

    Returns:
        A file descriptor that holds the lock until it is closed.

    Raises:
        JournalError: A living process still writes it, or it cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError as error:
        raise JournalError(f"journal {path} cannot be opened: {error.strerror}.") from error
    try:
        _lock(fd, path)
    except BlockingIOError as error:
        os.close(fd)
        raise JournalError(
            f"journal {path} is still being written by a running process; stop that first."
        ) from error
    return fd


def is_written(path: Path) -> bool:
    """Whether a living process still writes this journal; False where nobody can tell."""
    try:
        os.close(lock_for_recovery(path))
    except JournalError as error:
        return isinstance(error.__cause__, BlockingIOError)
    return False


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _mapped(path: Path) -> NDArray[np.uint8]:
    """All bytes of a file, mapped, not read: an hour of ticks is gigabytes."""
    try:
        # An empty file cannot be mapped.
        return np.memmap(path, np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
    except OSError as error:
        raise JournalError(f"journal {path} cannot be read: {error.strerror}.") from error


def _header(description: Mapping[str, Any], payload_size: int) -> bytes:
    text = json.dumps(description, sort_keys=True).encode()
    head = _PREFIX.pack(_MAGIC, len(text), payload_size) + text
    return head + _CRC.pack(zlib.crc32(head))


def _crc_of_header(header: bytes | memoryview) -> int:
    """The CRC at its end; that of a header together with its own CRC is the same for all headers."""
    crc: int = _CRC.unpack_from(header, len(header) - _CRC.size)[0]
    return crc


def _create(path: Path, header: bytes) -> int:
    """A new, locked file that starts with the header; its name is safe on the disk."""
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
    except FileExistsError as error:
        raise JournalError(
            f"journal {path} exists already; choose another folder, or recover it with "
            "`spikearm logs recover`."
        ) from error
    except OSError as error:
        raise JournalError(f"journal {path} cannot be created: {error.strerror}.") from error
    try:
        _lock(fd, path)
        if os.pwrite(fd, header, 0) != len(header):
            raise OSError(0, "only a part of the header could be written")
        os.fsync(fd)
        sync_folder(path.parent)
    except OSError as error:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise JournalError(f"journal {path} cannot be written: {error.strerror}.") from error
    return fd


def _lock(fd: int, path: Path) -> None:
    """Lock a file for this process; released by the kernel when the process ends, however it ends.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        # Some network file systems have no locks; a log without one is better than no log.
        _log.warning("%s: not locked (%s); recover it only after its run has ended.", path, error.strerror)


def _read_header(data: memoryview, path: Path) -> tuple[dict[str, Any], int, int]:
    """Description, payload size, and where the records start."""
    if len(data) < _PREFIX.size or data[: len(_MAGIC)] != _MAGIC:
        raise JournalError(f"{path} is no journal of this version: it does not start with {_MAGIC!r}.")
    _, text_size, payload_size = _PREFIX.unpack_from(data)
    end = _PREFIX.size + text_size
    if len(data) < end + _CRC.size or _CRC.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise JournalError(f"the header of journal {path} is damaged; its records cannot be told apart.")
    description: dict[str, Any] = json.loads(data[_PREFIX.size : end].tobytes())
    return description, payload_size, end + _CRC.size


def _count_good(records: memoryview, size: int, crc_start: int, n_whole: int) -> tuple[int, str]:
    """Records before the first bad one, and what is wrong with that one (empty: nothing)."""
    next_sequence = 0
    for i in range(n_whole):
        record = records[i * size : (i + 1) * size]
        body = record[: -_CRC.size]
        if zlib.crc32(body, crc_start) != _CRC.unpack_from(record, len(body))[0]:
            return i, f"record {i} has a wrong checksum"
        sequence = _SEQUENCE.unpack_from(record)[0]
        if sequence < next_sequence:
            return i, f"record {i} is out of order: number {sequence} after {next_sequence - 1}"
        next_sequence = sequence + 1
    return n_whole, ""
