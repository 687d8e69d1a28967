"""``spikearm compare``: the same reaches under every controller and substrate, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from spikearm.controller.tickschema import TickRecord
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.compose import Run, compose
from spikearm.launch.config import RunConfig
from spikearm.launch.device_variants import make_variant
from spikearm.launch.newest import COMPARE_NAME
from spikearm.launch.run import execute_composed
from spikearm.launch.run_folder import make_run_folder, require_place, write_json
from spikearm.launch.subject import about

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


class Variant(NamedTuple):
    """One run of a comparison.

    Attributes:
        name: Ends the name of its folder.
        label: What it is called in the table.
        config: The run.
    """

    name: str
    label: str
    config: RunConfig


def variants(config: RunConfig, devices: Sequence[str] = ()) -> Iterator[Variant]:
    """Every run: two references, PID, and adaptation on each substrate and on kinds of crossbar.

    Args:
        config: What the runs share.
        devices: Names of kinds of crossbar, of :data:`~.device_variants.DEVICE_VARIANTS`. One that is the
            crossbar of ``config`` takes the place of the plain row of that substrate.

    Raises:
        UnknownNameError: There is no such kind.
    """
    plain = dataclasses.replace(config, controller="osc")
    yield _named(NO_PAYLOAD, dataclasses.replace(plain, perturbation=NO_PERTURBATION))
    yield _named(NO_ADAPTATION, plain)
    yield _named(PID, dataclasses.replace(config, controller="pid"))
    on_devices = [
        Variant(name, (v := make_variant(name)).label, v.of(config)) for name in dict.fromkeys(devices)
    ]
    known = [variant.config for variant in on_devices]
    for backend in BACKENDS:
        adaptive = dataclasses.replace(config, controller="adaptive", backend=backend)
        if adaptive not in known:
            yield _named(backend, adaptive)
    yield from on_devices


def compare(
    config: RunConfig, devices: Sequence[str] = (), *, panel: Callable[[str, RunConfig], Panel]
) -> dict[str, Any]:
    """Run all variants.

    Args:
        config: What they share.
        devices: Names of kinds of crossbar, each a variant.
        panel: Makes the display of a variant from its label and configuration.

    Returns:
        The document of ``spikearm compare --json``.

    Raises:
        SpikearmError: A variant cannot be composed, the folder cannot be made, or a run failed.
    """
    require_place(config.out)
    with ExitStack() as stack:
        # All of them first: what does not fit on a substrate is known before the first run.
        # Their list is whole before: a kind of crossbar that does not exist is known before that.
        chosen = list(variants(config, devices))
        composed = [(v, _open(v, stack)) for v in chosen]
        folder = make_run_folder(config.out, config.name or "compare")
        runs: list[dict[str, Any]] = []
        for number, (variant, run) in enumerate(composed, start=1):
            named = dataclasses.replace(variant.config, out=folder, name=variant.name)
            title = f"{variant.label} ({number} of {len(composed)})"
            with about(variant.label), panel(title, named) as display:
                summary = execute_composed(named, run, on_tick=display.on_tick)
            runs.append({**summary, "label": variant.label})
            if summary["interrupted"]:
                break
    document = {"runs": runs, "normalised_error": normalised_errors(runs), "run_dir": str(folder)}
    write_json(folder / COMPARE_NAME, document)
    return document


def _named(label: str, config: RunConfig) -> Variant:
    return Variant(label.replace(" ", "-"), label, config)


def _open(variant: Variant, stack: ExitStack) -> Run:
    with about(variant.label):
        return stack.enter_context(closing(compose(variant.config)))


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
