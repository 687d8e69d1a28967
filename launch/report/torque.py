"""The torque that the neurons decode, against the torque that was really missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.controller.ticklog import column_matrix
from spikearm.envs.arms import load_arm
from spikearm.envs.missing_torque import MissingTorque
from spikearm.errors import SpikearmError
from spikearm.launch.report.plot import GHOST, annotation, axis, axis_look, every, layout, legend_px, numbers
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section
from spikearm.launch.summary import in_reaches
from spikearm.launch.words import of_run
from spikearm.records import FloatArray

_MOST_TICKS = 1200
_ROW_PX = 130
_NM = "N\N{NO-BREAK SPACE}m"


def torque(runs: Sequence[RunData]) -> Section | None:
    """Decoded and true missing torque of adaptive runs; None without one whose arm is still to be had."""
    shown = [(run, true) for run in runs if run.adaptive and (true := _true(run)) is not None]
    if not shown:
        return None
    figure = _joints(*shown[0]) if len(shown) == 1 else _left(shown)
    what = (
        "The truth is what the perturbation adds to the inverse dynamics of the arm that the controller "
        "knows, at the measured motion; the controller never sees it."
    )
    return Section(
        "torque",
        "Missing torque",
        [*(of_run(run.label, len(runs), _lead(run, true)) for run, true in shown), what],
        [figure],
    )


def _rows(run: RunData) -> np.ndarray[Any, np.dtype[np.intp]]:
    return every(run.ticks.num_rows, _MOST_TICKS)


def _true(run: RunData) -> FloatArray | None:
    """Missing torque at some ticks [N m], shape (n_rows, n_joints); None if the arm's file is gone."""
    try:
        arm = load_arm(run.config.arm)
    except (SpikearmError, OSError):
        return None
    if run.ticks.num_rows < 3:
        return None
    missing = MissingTorque(arm)
    missing.perturb(run.config.perturbation)
    q, dq = column_matrix(run.ticks, "q", "rad"), column_matrix(run.ticks, "dq", "rad_s")
    ddq = np.gradient(dq, run.config.control_dt_s, axis=0)
    return np.array([missing(q[i], dq[i], ddq[i]) for i in _rows(run)])


def _decoded(run: RunData) -> FloatArray:
    decoded: FloatArray = column_matrix(run.ticks, "torque_adaptive", "nm")[_rows(run)]
    return decoded


def _counted(run: RunData) -> NDArray[np.bool_]:
    """Which of these ticks are part of a reach; where one was cut short, the acceleration is not known."""
    counted: NDArray[np.bool_] = in_reaches(run.ticks)[_rows(run)]
    return counted


def _lead(run: RunData, true: FloatArray) -> str:
    late = np.flatnonzero(_counted(run))
    late = late[2 * len(late) // 3 :]
    size, left = _rms(true[late]), _rms((true - _decoded(run))[late])
    return (
        f"in the last third of the run {size:#.3g} {_NM} are missing (rms over joints and time), and "
        f"{left:#.3g} {_NM} are left when the decoded torque is taken off."
    )


def _joints(run: RunData, true: FloatArray) -> Figure:
    """One row per joint."""
    n = true.shape[1]
    shown = np.where(_counted(run)[:, None], 0.0, np.nan)  # ways between reaches are gaps in the lines
    true, decoded = true + shown, _decoded(run) + shown
    t_s = numbers(run.column("t_s")[_rows(run)], 5)
    data: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    for j in range(n):
        key = "" if j == 0 else str(j + 1)
        for name, values, colour, width in (
            ("true", true, GHOST, 3),
            ("decoded from spikes", decoded, run.colour, 1.5),
        ):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": j == 0,
                    "x": t_s,
                    "y": numbers(values[:, j]),
                    "xaxis": "x",
                    "yaxis": f"y{key}",
                    "line": {"color": colour, "width": width},
                    "hovertemplate": "%{y:.3g} N m",
                }
            )
        top = 1.0 - j / n
        more[f"yaxis{key}"] = {
            **axis_look(),
            "domain": [top - 0.82 / n, top],
            "nticks": 4,
            "automargin": True,
        }
    names = [
        annotation(
            f"joint {j} [N m]",
            xref="paper",
            x=0,
            yref="paper",
            y=1.0 - j / n,
            xanchor="left",
            yanchor="bottom",
        )
        for j in range(n)
    ]
    return Figure(
        "missing-torque",
        "Decoded and true missing torque of each joint.",
        60 + _ROW_PX * n,
        data,
        layout(
            xaxis={**axis("time [s]", zeroline=False), "anchor": f"y{n}" if n > 1 else "y"},
            annotations=names,
            margin={"l": 8, "r": 16, "t": 56, "b": 8},
            legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top"},
            hovermode="x",
            **more,
        ),
    )


def _left(shown: Sequence[tuple[RunData, FloatArray]]) -> Figure:
    """Several runs: what is left of the missing torque, reach by reach."""
    data = []
    for run, true in shown:
        counted = _counted(run)
        reach = run.column("reach")[_rows(run)][counted]
        missing, left = true[counted], (true - _decoded(run))[counted]
        numbers_of = np.unique(reach)
        share = [100 * _rms(left[reach == r]) / max(_rms(missing[reach == r]), 1e-12) for r in numbers_of]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": run.label,
                "x": [int(r) + 1 for r in numbers_of],
                "y": numbers(share),
                "line": {"color": run.colour, "width": 2},
                "hovertemplate": "%{y:.3g} %",
            }
        )
    return Figure(
        "missing-torque",
        "Share of the missing torque that is left in each reach.",
        360 + legend_px(data),
        data,
        layout(
            xaxis=axis(
                "reach", dtick=1 if max(len(line["x"]) for line in data) <= 20 else None, zeroline=False
            ),
            yaxis=axis("left of the missing torque [%]", rangemode="tozero"),
            hovermode="x unified",
        ),
    )


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
