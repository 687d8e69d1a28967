"""The runs of a benchmark, and the folder in which their results are kept."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from spikearm.errors import RunFolderError
from spikearm.launch.config import RunConfig
from spikearm.launch.run import config_hash
from spikearm.launch.run_folder import PACKAGES, write_json

_FOLDERS = ("spikearm", "models", "hardware", "controller", "envs", "launch")
_DECISIVE = (".py", ".npz", ".xml")
"""Files of this package that decide what a run comes to."""


@dataclass(frozen=True)
class Job:
    """One run of a benchmark.

    Attributes:
        key: Unique within the benchmark, parts separated by slashes; the path of its result.
        config: The run.
    """

    key: str
    config: RunConfig

    @property
    def fingerprint(self) -> str:
        """Tells apart everything that could change the result: settings, code, weights, libraries."""
        parts = [config_hash(self.config), code_digest()]
        files = (self.config.arm, self.config.network.encoder, self.config.spiking.weights)
        parts += [_file_digest(name) for name in files]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class JobStore:
    """Results of jobs in a folder, one JSON file each, whole or not there.

    Args:
        folder: The benchmark's folder; made if it is not there.

    Raises:
        RunFolderError: It cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"cannot make benchmark folder {folder}: {error.strerror}; choose another one with --out."
            ) from error
        if not os.access(folder, os.W_OK):
            raise RunFolderError(f"benchmark folder {folder} is not writable; choose another one with --out.")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps the folder to this process; released even if it is killed.

        Raises:
            RunFolderError: Another process is at work there.
        """
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunFolderError(
                    f"another benchmark is at work in {self.folder}; wait for it, or choose another --out."
                ) from None
            yield

    def load(self, job: Job) -> dict[str, Any] | None:
        """The result of a job that was done with the same settings, code and libraries, or None."""
        document = self._read(job)
        if document is None or document.get("fingerprint") != job.fingerprint:
            return None
        result: dict[str, Any] = document["result"]
        return result

    def has_other(self, job: Job) -> bool:
        """Whether there is a result of this job that is not used, because something else has changed."""
        return self._path(job).exists() and self.load(job) is None

    def save(self, job: Job, result: Mapping[str, Any]) -> None:
        """Keep a result."""
        path = self._path(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": job.key, "fingerprint": job.fingerprint, "result": dict(result)})

    def _read(self, job: Job) -> dict[str, Any] | None:
        try:
            document = json.loads(self._path(job).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) and "result" in document else None

    def _path(self, job: Job) -> Path:
        return self.folder / "jobs" / f"{job.key}.json"


@cache
def code_digest() -> str:
    """Of all code, models and weights of this package, and of the versions of what it stands on."""
    digest = hashlib.sha256(platform.python_version().encode())
    for package in PACKAGES:
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    for name in _FOLDERS:
        module = importlib.import_module(name if name == "spikearm" else f"spikearm.{name}")
        root = Path(module.__path__[0])
        # Installed, the other folders lie within the first, and are taken one by one all the same.
        files = root.glob("*") if name == "spikearm" else root.rglob("*")
        for path in sorted(p for p in files if p.suffix in _DECISIVE):
            digest.update(f"{name}/{path.relative_to(root)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _file_digest(name: str) -> str:
    """Of a file that a configuration names; of the name alone, if it is no file."""
    path = Path(name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else name
