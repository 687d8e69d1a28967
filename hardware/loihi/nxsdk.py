"""Intel's NxSDK, which nengo-loihi drives boards with: whether it is there, and the board's energy.

NxSDK comes with access to Intel's boards and nowhere else, so nothing here could be tried on a board. What is
used of it beyond nengo-loihi's own calls is one energy probe, called as nengo-loihi's users call it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from nengo_loihi.hardware import nxsdk_shim

from spikearm.errors import ConfigError

logger = logging.getLogger(__name__)

Telemetry: TypeAlias = Callable[[Any, int], Callable[[], float] | None]
"""Given NxSDK's board before it starts and the number of steps to come: what reads the energy used since the
start [J], or None if the board does not say."""

_BIN_STEPS = 4
_BUFFER_BINS = 1024


def require_nxsdk() -> None:
    """Refuse a board where there is no way to reach one.

    Raises:
        ConfigError: NxSDK cannot be imported.
    """
    if not nxsdk_shim.HAS_NXSDK:
        raise ConfigError(
            "target='loihi' runs on a board and needs Intel's NxSDK (0.9 to 1.0), but "
            f"{nxsdk_shim.exception}; install NxSDK where the board is, or use target='sim'."
        )


def nxsdk_energy(nxsdk_board: Any, n_steps: int) -> Callable[[], float] | None:
    """NxSDK's energy probe, in microjoules over the whole board, host processor included.

    Args:
        nxsdk_board: Built and not started.
        n_steps: Steps that are going to be run.

    Returns:
        What reads the energy used since the start [J]; None if this NxSDK has no such probe.
    """
    try:
        kinds = importlib.import_module("nxsdk.api.enums.api_enums")
        conditions = importlib.import_module("nxsdk.graph.monitor.probes")
        when = conditions.PerformanceProbeCondition(
            tStart=1, tEnd=n_steps, bufferSize=_BUFFER_BINS, binSize=_BIN_STEPS
        )
        probe = nxsdk_board.probe(kinds.ProbeParameter.ENERGY, when)
    except (ImportError, AttributeError) as error:
        logger.warning("this NxSDK gives no energy: %s", error)
        return None
    return lambda: 1e-6 * float(probe.totalEnergy)


class BoardMeter:
    """The board's own account of its energy, over as many boards as a program opens one after another."""

    def __init__(self, total_j: Callable[[], float]) -> None:
        self._total_j = total_j
        self._last_j = 0.0

    @property
    def name(self) -> str:
        """What is measured."""
        return "NxSDK energy probe"

    def follow(self, total_j: Callable[[], float]) -> None:
        """Go on with another board, which starts to count at 0."""
        self._total_j, self._last_j = total_j, 0.0

    def read_j(self) -> float:
        """Energy since the previous call [J]; the board reports bins of steps, so some ticks say 0."""
        total_j = self._total_j()
        used_j, self._last_j = total_j - self._last_j, total_j
        return used_j
