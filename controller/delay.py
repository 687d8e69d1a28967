"""When a commanded torque reaches the arm: at once, or after the time the substrate would have taken."""

from __future__ import annotations

import math
from collections import deque

from spikearm.controller.protocols import Command
from spikearm.records import FloatArray


class ModelledDelay:
    """Torques that arrive after the modelled latency of their command.

    The arm latches a torque at the beginning of a tick, so a latency is rounded up to whole ticks: a
    substrate never looks faster than its model. Until the first torque arrives, the arm holds it already, as
    if the substrate had been running before the arm was released. Of torques that have arrived, the one
    commanded last counts.

    Args:
        control_dt_s: Control time step [s].
    """

    def __init__(self, control_dt_s: float) -> None:
        self._control_dt_s = control_dt_s
        self._tick = 0
        self._held: FloatArray | None = None
        self._travelling: deque[tuple[int, FloatArray]] = deque()  # (tick of arrival, torque), in order

    def torque(self, command: Command) -> FloatArray:
        """Torque at the arm in this tick, given what was just commanded [N m], shape (n_joints,)."""
        # 1e-6 of a tick: a latency of exactly n ticks is n ticks, whatever its last bit.
        n_ticks = math.ceil(command.cost.latency_s / self._control_dt_s - 1e-6)
        arrival = self._tick + max(n_ticks, 0)
        while self._travelling and self._travelling[-1][0] >= arrival:
            self._travelling.pop()  # overtaken by a newer torque
        self._travelling.append((arrival, command.torque))
        if self._held is None:
            self._held = command.torque
        while self._travelling and self._travelling[0][0] <= self._tick:
            self._held = self._travelling.popleft()[1]
        self._tick += 1
        return self._held
