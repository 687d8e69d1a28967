"""A trial compilation of a model file in a process of its own, with limits.

A model file can ask for gigabytes of memory, keep the compiler busy for minutes, or crash it. Whatever
happens to the child, the caller gets a sentence.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from spikearm.errors import ModelError

MEMORY_BYTES = 4 << 30
CPU_S = 20
WALL_S = 60
"""Far above what an arm needs (the iiwa14 compiles in milliseconds), far below harm."""

_CHILD = """
import contextlib, resource, sys
path, memory, cpu = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with contextlib.suppress(ValueError, OSError):  # not every system knows every limit
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import mujoco
with contextlib.suppress(ValueError, OSError):  # after the import, which maps much and uses little
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
try:
    model = mujoco.MjSpec.from_file(path).compile()
    mujoco.mj_forward(model, mujoco.MjData(model))
except Exception as error:
    sys.exit(" ".join(str(error).split()))
"""


def compile_apart(path: Path) -> None:
    """Try whether a model file compiles, outside this process.

    Args:
        path: MJCF file.

    Raises:
        ModelError: It does not, or it took more time or memory than any arm should.
    """
    command = [sys.executable, "-I", "-c", _CHILD, str(path.absolute()), str(MEMORY_BYTES), str(CPU_S)]
    try:
        # MuJoCo writes a log file into the working directory; this one goes away with it.
        with tempfile.TemporaryDirectory() as scratch:
            # The arguments are a list and no shell is involved: a file name cannot become a command.
            child = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, timeout=WALL_S, check=False, cwd=scratch
            )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path} did not compile within {WALL_S} s; simplify the model.") from None
    if child.returncode < 0:
        raise ModelError(
            f"{path} ended MuJoCo's compiler with signal {-child.returncode}: it is broken, or it needs more "
            f"than {CPU_S} s or {MEMORY_BYTES >> 30} GiB; try it alone in `python -m mujoco.viewer`."
        )
    if child.returncode:
        lines = child.stderr.strip().splitlines()
        raise ModelError(cannot_compile(path, lines[-1] if lines else "no reason given"))


def cannot_compile(path: Path, reason: str) -> str:
    """The sentence for a file that MuJoCo refuses, with MuJoCo's reason on one line."""
    reason = " ".join(reason.split()).removeprefix("Error: ").rstrip(".")
    return f"MuJoCo cannot compile {path}: {reason}; correct the file."
