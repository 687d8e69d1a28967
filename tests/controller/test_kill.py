"""SIGKILL at a random moment, again and again: no acknowledged tick may be lost."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from spikearm.controller.ticklog import read_ticks, recover

# Records whose every number follows from the tick; each acknowledgement goes down the pipe by itself.
PROGRAM = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    import numpy as np
    from spikearm.controller.ticklog import TickLog
    from spikearm.controller.tickschema import TickSchema
    sys.path.append(sys.argv[2])
    from fake_plant import some_record
    log = TickLog(Path(sys.argv[1]), TickSchema(2), fsync_period_s=0.01)
    for tick in range(10**9):
        record = some_record(np.random.default_rng(tick))
        if log.append(record):
            os.write(1, tick.to_bytes(8, "little"))
    """
)


# Writes a whole run, says so, and closes the log.
CLOSING_PROGRAM = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    import numpy as np
    from spikearm.controller.ticklog import TickLog
    from spikearm.controller.tickschema import TickSchema
    sys.path.append(sys.argv[2])
    from fake_plant import some_record
    log = TickLog(Path(sys.argv[1]), TickSchema(2))
    for tick in range(2000):
        log.append(some_record(np.random.default_rng(tick)))
    os.write(1, b"closing")
    log.close()
    os.write(1, b"closed")
    """
)


def start(program: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", program, str(folder), str(Path(__file__).parent)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - ours


def killed_run(folder: Path, after_s: float) -> int:
    """Ticks acknowledged by a process that was killed this long after its first one."""
    with start(PROGRAM, folder) as process:
        assert process.stdout is not None
        acknowledged = process.stdout.read(8)
        reader_sees = time.monotonic() + after_s
        while time.monotonic() < reader_sees:
            acknowledged += process.stdout.read1(1 << 16)
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read()
        assert process.wait() == -signal.SIGKILL
    whole = len(acknowledged) // 8
    return int.from_bytes(acknowledged[8 * (whole - 1) : 8 * whole], "little") + 1


@pytest.mark.parametrize("trial", range(4))
def test_killed_run_loses_no_acknowledged_tick(tmp_path, trial):
    rng = np.random.default_rng(trial)
    n_acknowledged = killed_run(tmp_path, float(rng.uniform(0.01, 0.3)))
    before = read_ticks(tmp_path)
    recovery = recover(tmp_path)
    # The last one may have been written without having been acknowledged in time.
    assert recovery.n_ticks in (n_acknowledged, n_acknowledged + 1)
    assert recovery.n_missing == 0
    table = read_ticks(tmp_path)
    assert table.equals(before)
    assert table["tick"].to_pylist() == list(range(recovery.n_ticks))
    last = np.random.default_rng(n_acknowledged - 1).normal(size=2)
    assert table["q_0_rad"].to_pylist()[n_acknowledged - 1] == last[0]


@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.01, 0.02, 0.04, 0.08])
def test_kill_while_closing_loses_no_tick(tmp_path, after_s):
    with start(CLOSING_PROGRAM, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.read(7) == b"closing"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    assert read_ticks(tmp_path).num_rows == 2000
    assert recover(tmp_path).n_ticks == 2000
    assert [path.name for path in tmp_path.iterdir()] == ["ticks.parquet"]
    assert read_ticks(tmp_path).num_rows == 2000
