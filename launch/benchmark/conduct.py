"""What the commands of all benchmarks share: run, keep the document, say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikearm.errors import ConfigError
from spikearm.launch.benchmark.display import JobProgress
from spikearm.launch.benchmark.jobs import Job, JobStore
from spikearm.launch.benchmark.runner import run_jobs
from spikearm.launch.display import console
from spikearm.launch.exit_codes import DONE, FAILED
from spikearm.launch.mapping import to_mapping
from spikearm.launch.realtime import usable_cpus
from spikearm.launch.run_folder import provenance, write_json


@dataclass(frozen=True)
class Place:
    """Where and how a benchmark runs.

    Attributes:
        name: The benchmark.
        out: Its folder, or None for ``runs/benchmark-<name>``.
        quick: Whether it is the small version, which has a folder of its own.
        processes: Runs at a time, or None for one per core.
    """

    name: str
    out: Path | None
    quick: bool
    processes: int | None

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise ConfigError(
                f"processes must be at least 1, not {self.processes}; leave it out for all cores."
            )

    @property
    def folder(self) -> Path:
        """The benchmark's folder."""
        size = "-quick" if self.quick else ""
        return Path("runs") / f"benchmark-{self.name}{size}" if self.out is None else self.out

    @property
    def n_processes(self) -> int:
        """Runs at a time."""
        return self.processes or usable_cpus()


def conduct(
    place: Place,
    settings: Any,
    jobs: Sequence[Job],
    summarise: Callable[[Mapping[str, Mapping[str, Any]]], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Run all jobs that are not done yet, sum up what there is, and keep the document.

    Args:
        place: Where and how.
        settings: The protocol's, for the document.
        jobs: The runs.
        summarise: From results by key to the blocks of the table.

    Returns:
        The document of ``--json``, also in ``results.json``.

    Raises:
        RunFolderError: The folder cannot be used.
    """
    store = JobStore(place.folder)
    about = provenance()
    with JobProgress(place.name, store) as progress:
        outcome = run_jobs(jobs, store, n_processes=place.n_processes, progress=progress)
    document = {
        "benchmark": place.name,
        "quick": place.quick,
        "settings": to_mapping(settings),
        **about,
        "processor_s": sum(result["cpu_seconds"] for result in outcome.results.values()),
        "blocks": summarise(outcome.results),
        "failures": outcome.failures,
        "interrupted": outcome.interrupted,
        "folder": str(place.folder),
    }
    write_json(place.folder / "results.json", document)
    return document


def ending(document: Mapping[str, Any], n_jobs: int) -> int:
    """Say what is missing and how to go on; returns the exit code."""
    console.print(f"results: {document['folder']}/results.json", highlight=False, soft_wrap=True)
    minutes = f"{document['processor_s'] / 60.0:.1f}"
    console.print(f"processor time of all runs, those done before included: {minutes} min", highlight=False)
    if document["failures"]:
        console.print(f"{len(document['failures'])} of {n_jobs} runs failed; see above.", style="red")
    if document["interrupted"]:
        console.print(
            "interrupted; runs that ended are kept. The same command goes on from there.", style="yellow"
        )
    return FAILED if document["failures"] or document["interrupted"] else DONE
