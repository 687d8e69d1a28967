import json
import logging
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from spikearm.controller import journal
from spikearm.controller.journal import JournalWriter, lock_for_recovery, read_journal
from spikearm.errors import JournalError

SIZE = 40
RECORD = 8 + SIZE + 4


def write(path, n_records, rng):
    """A closed journal of random payloads; returns them."""
    payloads = rng.integers(0, 256, size=(n_records, SIZE), dtype=np.uint8)
    with JournalWriter(path, {"what": "test"}, SIZE) as writer:
        for payload in payloads:
            writer.payload[:] = payload
            assert writer.append()
    return payloads


def test_journal_gives_back_what_was_written(tmp_path, rng):
    payloads = write(tmp_path / "j", 50, rng)
    read = read_journal(tmp_path / "j")
    np.testing.assert_array_equal(read.payloads, payloads)
    np.testing.assert_array_equal(read.sequence, np.arange(50))
    assert read.description == {"what": "test"}
    assert (read.complete, read.reason, read.n_missing) == (True, "end of the journal", 0)


def test_journal_without_records_reads_as_empty(tmp_path, rng):
    write(tmp_path / "j", 0, rng)
    read = read_journal(tmp_path / "j")
    assert read.payloads.shape == (0, SIZE)
    assert read.complete


def test_records_are_readable_while_the_journal_is_open(tmp_path, rng):
    with JournalWriter(tmp_path / "j", {}, SIZE) as writer:
        for n in range(1, 4):
            writer.append()
            assert len(read_journal(tmp_path / "j").payloads) == n


def test_truncation_anywhere_keeps_every_whole_record(tmp_path, rng):
    path = tmp_path / "j"
    payloads = write(path, 6, rng)
    data = path.read_bytes()
    header = len(data) - 6 * RECORD
    for size in range(header, len(data) + 1):
        path.write_bytes(data[:size])
        read = read_journal(path)
        whole, left = divmod(size - header, RECORD)
        np.testing.assert_array_equal(read.payloads, payloads[:whole])
        assert read.complete == (left == 0)
        if left:
            assert read.reason == f"record {whole} is incomplete: {left} of {RECORD} bytes"


def test_truncated_header_is_refused(tmp_path, rng):
    path = tmp_path / "j"
    write(path, 1, rng)
    data = path.read_bytes()
    for size in range(len(data) - RECORD):
        path.write_bytes(data[:size])
        with pytest.raises(JournalError, match=r"is no journal of this version|header of journal .* damaged"):
            read_journal(path)


def test_flipped_bit_anywhere_in_the_records_is_noticed(tmp_path, rng):
    path = tmp_path / "j"
    payloads = write(path, 4, rng)
    data = path.read_bytes()
    header = len(data) - 4 * RECORD
    for at in range(header, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        read = read_journal(path)
        bad = (at - header) // RECORD
        np.testing.assert_array_equal(read.payloads, payloads[:bad])
        assert read.reason == f"record {bad} has a wrong checksum"


def test_flipped_bit_in_the_header_is_refused(tmp_path, rng):
    path = tmp_path / "j"
    write(path, 1, rng)
    data = path.read_bytes()
    for at in range(len(data) - RECORD):
        damaged = bytearray(data)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(JournalError):
            read_journal(path)


def test_record_of_another_journal_is_not_taken(tmp_path, rng):
    write(tmp_path / "a", 2, rng)
    with JournalWriter(tmp_path / "b", {"what": "else"}, SIZE) as writer:
        writer.append()
    foreign = (tmp_path / "b").read_bytes()[-RECORD:]
    with (tmp_path / "a").open("ab") as file:
        file.write(foreign)
    read = read_journal(tmp_path / "a")
    assert len(read.payloads) == 2
    assert read.reason == "record 2 has a wrong checksum"


def test_repeated_record_is_out_of_order(tmp_path, rng):
    path = tmp_path / "j"
    write(path, 3, rng)
    data = path.read_bytes()
    path.write_bytes(data + data[-2 * RECORD : -RECORD])
    read = read_journal(path)
    assert len(read.payloads) == 3
    assert read.reason == "record 3 is out of order: number 1 after 2"


class FailingWrites:
    """Stands in for ``os.pwrite``: fails for some records, at once or, as a full disk does, after a part."""

    def __init__(self, failing, part):
        self.failing, self.part, self.n_calls, self.real = failing, part, 0, os.pwrite
        self.is_rest = False

    def __call__(self, fd, data, offset):
        if self.is_rest:
            self.is_rest = False
            raise OSError(28, "No space left on device")
        call, self.n_calls = self.n_calls, self.n_calls + 1
        if call not in self.failing:
            return self.real(fd, data, offset)
        if self.part is None:
            raise OSError(28, "No space left on device")
        self.is_rest = self.part > 0
        return self.real(fd, data[: self.part], offset)


@pytest.mark.parametrize("part", [None, 0, 7, RECORD - 1])
def test_failed_writes_cost_their_records_and_nothing_else(tmp_path, rng, monkeypatch, caplog, part):
    payloads = rng.integers(0, 256, size=(10, SIZE), dtype=np.uint8)
    writer = JournalWriter(tmp_path / "j", {}, SIZE)
    monkeypatch.setattr(journal.os, "pwrite", FailingWrites({3, 4, 8}, part))
    kept = []
    for payload in payloads:
        writer.payload[:] = payload
        kept.append(writer.append())
    writer.close()
    assert kept == [i not in (3, 4, 8) for i in range(10)]
    assert (writer.n_written, writer.n_lost) == (7, 3)
    read = read_journal(tmp_path / "j")
    np.testing.assert_array_equal(read.payloads, payloads[kept])
    np.testing.assert_array_equal(read.sequence, np.flatnonzero(kept))
    assert read.n_missing == 3
    errors = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 2  # once when it begins, once when the journal is closed
    assert "control goes on" in errors[0]
    assert "3 records could not be written" in errors[1]


def test_partial_write_at_the_end_is_told_apart(tmp_path, monkeypatch):
    writer = JournalWriter(tmp_path / "j", {}, SIZE)
    writer.append()
    monkeypatch.setattr(journal.os, "pwrite", FailingWrites({0}, 9))
    assert not writer.append()
    writer.close()
    read = read_journal(tmp_path / "j")
    assert len(read.payloads) == 1
    assert read.reason == f"record 1 is incomplete: 9 of {RECORD} bytes"


def test_file_size_limit_does_not_stop_the_writer(tmp_path):
    # The kernel's own refusal, in a process of its own: the limit cannot be raised again.
    program = textwrap.dedent(
        f"""
        import resource
        from pathlib import Path
        from spikearm.controller.journal import JournalWriter
        writer = JournalWriter(Path({str(tmp_path / "j")!r}), {{}}, {SIZE})
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        kept = sum(writer.append() for _ in range(100))
        writer.close()
        print(kept, writer.n_written, writer.n_lost)
        """
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    kept, n_written, n_lost = map(int, done.stdout.split())
    assert 0 < kept < 100
    assert (n_written, n_lost) == (kept, 100 - kept)
    assert len(read_journal(tmp_path / "j").payloads) == kept


def test_existing_journal_is_never_overwritten(tmp_path, rng):
    write(tmp_path / "j", 3, rng)
    with pytest.raises(JournalError, match="exists already; choose another folder"):
        JournalWriter(tmp_path / "j", {}, SIZE)
    assert len(read_journal(tmp_path / "j").payloads) == 3


def test_missing_folder_is_a_journal_error(tmp_path):
    with pytest.raises(JournalError, match="cannot be created: No such file or directory"):
        JournalWriter(tmp_path / "none" / "j", {}, SIZE)
    with pytest.raises(JournalError, match="cannot be read: No such file or directory"):
        read_journal(tmp_path / "none" / "j")


def test_journal_is_flushed_to_the_disk_regularly(tmp_path, monkeypatch):
    flushed = []
    real = os.fsync
    monkeypatch.setattr(journal.os, "fsync", lambda fd: (flushed.append(fd), real(fd)))
    writer = JournalWriter(tmp_path / "j", {}, SIZE, fsync_period_s=0.005)
    at_start = len(flushed)
    give_up = time.monotonic() + 10.0
    while len(flushed) < at_start + 3 and time.monotonic() < give_up:
        time.sleep(0.005)
    assert len(flushed) >= at_start + 3
    writer.close()
    writer.close()


def test_failing_fsync_is_reported_and_harmless(tmp_path, monkeypatch, caplog):
    writer = JournalWriter(tmp_path / "j", {}, SIZE)

    def fail(fd):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal.os, "fsync", fail)
    assert writer.append()
    writer.close()
    assert "fsync failed: Input/output error; a power failure may cost ticks" in caplog.text


def test_living_journal_cannot_be_locked_for_recovery(tmp_path):
    writing = JournalWriter(tmp_path / "j", {}, SIZE)
    with writing, pytest.raises(JournalError, match="still being written by a running process"):
        lock_for_recovery(tmp_path / "j")
    os.close(lock_for_recovery(tmp_path / "j"))


def test_file_system_without_locks_only_warns(tmp_path, rng, monkeypatch, caplog):
    def unsupported(fd, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(journal.fcntl, "flock", unsupported)
    write(tmp_path / "j", 2, rng)
    assert "not locked (No locks available)" in caplog.text
    os.close(lock_for_recovery(tmp_path / "j"))
    assert len(read_journal(tmp_path / "j").payloads) == 2


def test_description_is_any_json(tmp_path):
    description = {"columns": [{"name": "q_0_rad", "µ": 1.5, "none": None}]}
    JournalWriter(tmp_path / "j", description, SIZE).close()
    assert read_journal(tmp_path / "j").description == json.loads(json.dumps(description))


def test_a_record_that_is_written_in_parts_is_not_lost(tmp_path, monkeypatch):
    """POSIX lets a write stop half-way; the rest has to be written by another."""
    real = os.pwrite
    with monkeypatch.context() as patch, JournalWriter(tmp_path / "j", {}, 16) as writer:
        patch.setattr(
            "spikearm.controller.journal.os.pwrite",
            lambda fd, data, offset: real(fd, bytes(data)[:5], offset),
        )
        for value in range(3):
            writer.payload[:] = value
            assert writer.append()
    journal = read_journal(tmp_path / "j")
    assert journal.complete
    np.testing.assert_array_equal(journal.payloads[:, 0], [0, 1, 2])
