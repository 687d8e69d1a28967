"""What a run comes to: the document of ``spikearm run --json``, computed from the tick log alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spikearm.controller.loop import LoopResult
from spikearm.controller.path import LEADING
from spikearm.controller.ticklog import read_ticks
from spikearm.errors import JournalError
from spikearm.hardware.cost import CostModel
from spikearm.launch.config import RunConfig
from spikearm.launch.lagging import lagging_ticks
from spikearm.records import COUNT_NAMES, FloatArray, OpCounts

_log = logging.getLogger(__name__)

STAGES = ("read", "law", "network", "write", "log")
SUMMARY_NAMES = frozenset(
    {
        "backend",
        "arm",
        "controller",
        "seed",
        "duration_s",
        "n_ticks",
        "control_dt_s",
        "payload_kg",
        "rmse_m",
        "rmse_m_by_trial",
        "mean_error_m",
        "final_error_m",
        "latency_measured_s",
        "latency_stages_s",
        "latency_model_s_mean",
        "energy_model_j_per_tick",
        "energy_chip_j_per_tick",
        "energy_chip_scope",
        "energy_model_of_chip_scope_j_per_tick",
        "energy_measured_j_per_tick",
        "spikes_per_tick",
        "synaptic_ops_per_tick",
        "saturated_weights_per_tick",
        "overflows_per_tick",
        "network_age_s_max",
        "fallback_ticks",
        "deadline_misses",
        "saturated_ticks",
        "lagging_ticks",
        "lead_in_ticks",
        "reach_ticks",
        "reaches_done",
        "unrecorded_ticks",
        "interrupted",
        "run_dir",
        "utilisation",
    }
)
"""Names that every summary has; one that a program of an older version wrote may lack some."""
_N_LATE = 3
_MANY_LAG = 0.01
"""Share of ticks without learning that is worth a warning."""


def summarise(
    config: RunConfig, folder: Path, result: LoopResult, *, cost_model: CostModel | None
) -> dict[str, Any]:
    """The summary of one run.

    ``rmse_m`` and its like are root mean squares of the distance between the end effector and the desired
    trajectory, in reaches only (see :func:`in_reaches`); None if there was none. ``n_ticks`` are all ticks,
    ``lead_in_ticks`` those of them that led the arm to the start of a reach; ``duration_s`` is the time in
    reaches, without these ways and without what was done again; ``reach_ticks`` are the ticks of it that are
    in the log, and ``reaches_done`` the reaches that were done to their end. Latency, energy, spikes and
    operations per tick are of all ticks: substrate and processor work on the way to a reach as they do in it.
    ``latency_measured_s`` is of whole ticks, the record included; the last tick's record is not timed, so
    that tick is left out. A value that nothing modelled or measured is None.

    Args:
        config: The run's configuration.
        folder: Its run folder.
        result: What the loop returned.
        cost_model: What the energies are modelled with, or None without a network.

    Raises:
        JournalError: There is not a single tick to sum up.
    """
    table = read_ticks(folder)
    if not table.num_rows:
        raise JournalError(
            f"{folder} has no ticks: the run was interrupted before the first, or the disk is full."
        )
    if result.n_lost:
        _log.warning(
            "%s: %d of %d ticks are not in the log; errors, energies and times are of the others.",
            folder,
            result.n_lost,
            result.n_ticks,
        )
    n_lagging = _lagging(table, config, folder)
    counted = in_reaches(table)
    error_m = column(table, "position_error_m")[counted]
    whole = config.n_ticks // config.n_trials if result.interrupted else 0
    latency_model_s = float(column(table, "latency_model_s").mean())
    return {
        "backend": config.backend,
        "arm": config.arm,
        "controller": config.controller,
        "seed": config.seed,
        "duration_s": (result.n_ticks - int((~counted).sum())) * config.control_dt_s,
        "n_ticks": result.n_ticks,
        "control_dt_s": config.control_dt_s,
        "payload_kg": config.perturbation.payload_kg,
        "rmse_m": rms(error_m) if error_m.size else None,
        "rmse_m_by_trial": rmse_by_trial(table, whole),
        "mean_error_m": float(error_m.mean()) if error_m.size else None,
        "final_error_m": float(error_m[-1]) if error_m.size else None,
        "latency_measured_s": _latency(whole_ticks_s(table)),
        "latency_stages_s": {stage: _median_or_none(column(table, f"latency_{stage}_s")) for stage in STAGES},
        "latency_model_s_mean": latency_model_s if latency_model_s > 0 else None,
        "energy_model_j_per_tick": _energy_model(table),
        "energy_chip_j_per_tick": _mean_or_none(table, "energy_chip_j"),
        "energy_chip_scope": (cost_model.chip_scope or None) if cost_model else None,
        "energy_model_of_chip_scope_j_per_tick": _of_chip_scope(table, cost_model),
        "energy_measured_j_per_tick": _mean_or_none(table, "energy_measured_j"),
        "spikes_per_tick": float(column(table, "spikes").mean()),
        "synaptic_ops_per_tick": float(column(table, "synaptic_ops").mean()),
        "saturated_weights_per_tick": float(column(table, "saturated_weights").mean()),
        "overflows_per_tick": float(column(table, "overflows").mean()),
        "network_age_s_max": _max_or_none(column(table, "network_age_s")),
        "fallback_ticks": int((column(table, "fallback") > 0).sum()),
        "deadline_misses": result.deadline_misses,
        "saturated_ticks": int(column(table, "saturated").sum()),
        "lagging_ticks": n_lagging,
        "lead_in_ticks": int(leading(table).sum()),
        "reach_ticks": error_m.size,
        "reaches_done": reaches_done(table, whole),
        "unrecorded_ticks": result.n_lost,
        "interrupted": result.interrupted,
        "run_dir": str(folder),
    }


def _lagging(table: pa.Table, config: RunConfig, folder: Path) -> int:
    """Ticks whose torque was not let through in time; says so if there are many."""
    n_lagging = lagging_ticks(table, config)
    if n_lagging > _MANY_LAG * table.num_rows:
        _log.warning(
            "%s: in %d of %d ticks the torque, held to %g N m/s, lagged behind%s. Let reaches be slower or "
            "shorter (--duration-s, --distance-m), or raise --torque-rate-nm-s where the arm allows it.",
            folder,
            n_lagging,
            table.num_rows,
            config.torque_rate_nm_s,
            "; the network does not learn in such ticks" if config.controller == "adaptive" else "",
        )
    return n_lagging


def _of_chip_scope(table: pa.Table, cost_model: CostModel | None) -> float | None:
    """Bottom-up energy per tick of what the chip-anchored figure covers [J]; None without such a figure."""
    if cost_model is None or not cost_model.chip_scope:
        return None
    columns, terms = energy_terms(table), cost_model.chip_terms or cost_model.terms
    return sum(float(column(table, columns[term]).mean()) for term in terms)


def column(table: pa.Table, name: str) -> FloatArray:
    """One column as floats; what is null becomes NaN."""
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)


def energy_terms(table: pa.Table) -> dict[str, str]:
    """Column of each term of the bottom-up energy model, by the term's name."""
    prefix, suffix = "energy_model_", "_j"
    return {
        name.removeprefix(prefix).removesuffix(suffix): name
        for name in table.column_names
        if name.startswith(prefix)
    }


def rms(values: FloatArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def rmse_by_trial(table: pa.Table, whole: int = 0) -> list[float]:
    """Root mean square error of each reach that was done to its end [m]; of the only one, also if it was not.

    Args:
        table: The ticks; those outside of reaches are left out.
        whole: See :func:`reaches_done`.
    """
    counted = in_reaches(table)
    _, index, n_ticks = np.unique(column(table, "reach")[counted], return_inverse=True, return_counts=True)
    squares = np.bincount(index, weights=np.square(column(table, "position_error_m")[counted]))
    errors: list[float] = np.sqrt(squares / n_ticks).tolist()
    return errors[: max(1, reaches_done(table, whole))]


def reaches_done(table: pa.Table, whole: int = 0) -> int:
    """How many reaches were done to their end.

    Args:
        table: The ticks.
        whole: Ticks of a reach; the last one is not done if it has fewer. 0 says that it is.
    """
    numbers, n_ticks = np.unique(column(table, "reach")[in_reaches(table)], return_counts=True)
    return len(numbers) - int(numbers.size > 0 and n_ticks[-1] < whole)


def rows_of(table: pa.Table, reaches: Sequence[int]) -> NDArray[np.intp]:
    """Rows of some reaches, in order, as far as they count; see :func:`in_reaches`."""
    return np.flatnonzero(in_reaches(table) & np.isin(column(table, "reach"), reaches))


def leading(table: pa.Table) -> NDArray[np.bool_]:
    """Whether each tick led the arm to the start of a reach, shape (n_ticks,)."""
    flags: NDArray[np.bool_] = column(table, "reach") == LEADING
    return flags


def in_reaches(table: pa.Table) -> NDArray[np.bool_]:
    """Whether each tick counts as part of a reach, shape (n_ticks,).

    Not on the way to the start of one, and not in a reach that a stop cut short and that was done again.
    """
    way = leading(table)
    counted = ~way
    attempt = np.cumsum(way)[counted]  # the same in all ticks between two ways
    numbers, index = np.unique(column(table, "reach")[counted], return_inverse=True)
    last = np.zeros(len(numbers), dtype=attempt.dtype)
    np.maximum.at(last, index, attempt)
    counted[counted] = attempt == last[index]
    return counted


def late_rms_m(errors_m: Sequence[float]) -> float:
    """Root mean square over the last :func:`n_late` reaches [m]."""
    last = errors_m[-n_late(errors_m) :]
    return float((sum(e * e for e in last) / len(last)) ** 0.5)


def n_late(errors_m: Sequence[float]) -> int:
    """How many reaches count as the last ones: three, or as many as there are."""
    return min(_N_LATE, len(errors_m))


def mean_counts(table: pa.Table) -> OpCounts:
    """Operations of the average tick."""
    return OpCounts(*(float(column(table, name).mean()) for name in COUNT_NAMES))


def _energy_model(table: pa.Table) -> dict[str, float | None]:
    """Mean energy of a tick by term; without a network there is nothing to model, which is not zero."""
    terms = {term: float(column(table, name).mean()) for term, name in energy_terms(table).items()}
    return {**terms, "total": sum(terms.values()) if terms else None}


def whole_ticks_s(table: pa.Table) -> FloatArray:
    """Measured time of whole ticks [s]; the time of a record stands in the record after it.

    Ticks at the end of a loop, whose record nobody timed, are left out.
    """
    ticks_s = column(table, "latency_tick_s")[:-1] + column(table, "latency_log_s")[1:]
    return ticks_s[np.isfinite(ticks_s)]


def _median_or_none(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]  # the first tick's log time is not known
    return float(np.median(known)) if known.size else None


def _max_or_none(values: FloatArray) -> float | None:
    """The largest; before a remote network's first answer its age is infinite, which is no age."""
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else None


def _latency(ticks_s: FloatArray) -> dict[str, float | None]:
    if not ticks_s.size:
        return dict.fromkeys(("p50", "p95", "p99", "max"))
    p50, p95, p99 = np.percentile(ticks_s, (50, 95, 99))
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(ticks_s.max())}


def _mean_or_none(table: pa.Table, name: str) -> float | None:
    return float(np.nanmean(column(table, name))) if name in table.column_names else None
