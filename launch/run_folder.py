"""The folder of one run, and whole files in it; whether it can be made is known before anything else."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from spikearm.errors import RunFolderError
from spikearm.launch.mapping import to_mapping
from spikearm.version import __version__

PACKAGES = ("numpy", "mujoco", "nengo", "nengo-loihi", "numba", "scipy", "pyarrow", "gymnasium")
"""Libraries whose versions decide what a run comes to."""

WITHOUT_ADAPTATION = "without-adaptation"
"""Folder, inside that of an adaptive run, of the same reaches without the network."""


def require_place(out: Path) -> None:
    """Know before anything is composed that run folders can be made somewhere.

    Raises:
        RunFolderError: They cannot.
    """
    present = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    if not present.is_dir():
        reason = f"{present} is not a directory"
    elif not os.access(present, os.W_OK | os.X_OK):
        reason = f"{present} is not writable"
    else:
        return
    raise RunFolderError(f"cannot make run folder in {out}: {reason}; choose another place with --out.")


def require_folder(path: Path, option: str = "--out") -> None:
    """Know before a file is made that there is a folder for it, in which it can be written.

    Args:
        path: The file.
        option: The option that names it, for who is told to choose another place.

    Raises:
        RunFolderError: There is none, it cannot be written, or the file is a folder itself.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        reason = f"no folder {path.parent} to put {path.name} in; make it first, or choose another place"
    elif path.is_dir():
        reason = f"{path} is a folder; name a file in it"
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = f"{path.parent} is not writable; choose another place for {path.name}"
    else:
        return
    raise RunFolderError(f"{reason} with {option}.")


def make_run_folder(out: Path, name: str) -> Path:
    """A new folder ``<utc>-<name>``; a number is added where two runs start in the same second.

    Raises:
        RunFolderError: It cannot be made there.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for i in range(1000):
        folder = out / (f"{stamp}-{name}" if i == 0 else f"{stamp}-{name}-{i + 1}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not folder.is_dir():
                break
            continue
        except OSError as error:
            raise RunFolderError(
                f"cannot make run folder {folder}: {error.strerror}; choose another place with --out."
            ) from error
        if not os.access(folder, os.W_OK):
            raise RunFolderError(f"run folder {folder} is not writable; choose another place with --out.")
        return folder
    raise RunFolderError(f"cannot make a run folder named {stamp}-{name} in {out}; choose another --out.")


def write_run_json(folder: Path, config: Any, extra: dict[str, Any]) -> None:
    """Everything needed to understand and repeat the run: settings, versions, revision, host."""
    write_json(folder / "run.json", {"config": to_mapping(config)} | provenance() | extra)


def provenance() -> dict[str, Any]:
    """What a result stands on besides its settings: versions, revision, host, time."""
    return {
        "spikearm": __version__,
        **_git_revision(),
        "versions": {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES},
        "host": {"machine": platform.machine(), "system": platform.system(), "cpus": os.cpu_count()},
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document in one step: the file is either whole or not there."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write to; afterwards the file is either whole under its name or not there."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _git_revision() -> dict[str, str]:
    """Revision of the checkout this package is run from; an installed package has its version only."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return {}
    try:
        git = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"git_revision": git.stdout.strip()}
