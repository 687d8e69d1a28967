"""``spikearm compare``: the same reaches under every controller and substrate, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from spikearm.controller.tickschema import TickRecord
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute
from spikearm.launch.run_folder import make_run_folder, write_json

NO_PAYLOAD, NO_ADAPTATION, PID = "no payload", "no adaptation", "pid"


class Panel(Protocol):
    """Shows a run while it lasts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def on_tick(self, record: TickRecord) -> None:
        """Take note of a tick."""
        ...


def variants(config: RunConfig) -> Iterator[tuple[str, RunConfig]]:
    """Label and configuration of each run: two references, PID, and adaptation on each substrate."""
    plain = dataclasses.replace(config, controller="osc")
    yield NO_PAYLOAD, dataclasses.replace(plain, perturbation=NO_PERTURBATION)
    yield NO_ADAPTATION, plain
    yield PID, dataclasses.replace(config, controller="pid")
    for backend in BACKENDS:
        yield backend, dataclasses.replace(config, controller="adaptive", backend=backend)


def compare(config: RunConfig, *, panel: Callable[[str, RunConfig], Panel]) -> dict[str, Any]:
    """Run all variants.

    Args:
        config: What they share.
        panel: Makes the display of a variant from its label and configuration.

    Returns:
        The document of ``spikearm compare --json``.

    Raises:
        SpikearmError: A variant cannot be composed, the folder cannot be made, or a run failed.
    """
    _require_composable(config)
    folder = make_run_folder(config.out, config.name or "compare")
    runs: list[dict[str, Any]] = []
    for label, variant in variants(config):
        named = dataclasses.replace(variant, out=folder, name=label.replace(" ", "-"))
        with panel(label, named) as display:
            finished = execute(named, on_tick=display.on_tick, baseline=False)
        runs.append({**finished.summary, "label": label})
        if finished.summary["interrupted"]:
            break
    document = {"runs": runs, "normalised_error": normalised_errors(runs), "run_dir": str(folder)}
    write_json(folder / "compare.json", document)
    return document


def _require_composable(config: RunConfig) -> None:
    """What does not fit on one of the substrates is known before the first run, not after the third."""
    for _, variant in variants(config):
        run = compose(variant)
        run.control.controller.close()
        run.plant.close()


def normalised_errors(runs: list[dict[str, Any]]) -> dict[str, float | None]:
    """Errors on the scale of DeWolf et al. 2020: 0 without payload, 1 with it and without adaptation.

    The error of a run is the mean distance from the desired trajectory over all its reaches, those before
    anything was learned included. None where the payload made no difference, or where a reference run is
    missing.
    """
    errors = {run["label"]: run["mean_error_m"] for run in runs}
    if NO_PAYLOAD not in errors or NO_ADAPTATION not in errors:
        return dict.fromkeys(errors)
    zero, one = errors[NO_PAYLOAD], errors[NO_ADAPTATION]
    return {label: (error - zero) / (one - zero) if one > zero else None for label, error in errors.items()}
