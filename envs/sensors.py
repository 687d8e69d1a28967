"""Joint sensors that are noisy and late."""

from __future__ import annotations

from collections import deque

import numpy as np

from spikearm.records import FloatArray


class JointSensors:
    """Takes one sample per control tick and reports it some ticks later.

    Noise is drawn once per sample, not once per reading: reading twice gives the same numbers, and a log
    does not depend on how often somebody looked.

    Args:
        rng: Source of the noise.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._std_q_rad = 0.0
        self._std_dq_rad_s = 0.0
        # Oldest first: the reported sample stands at the left, the newest at the right.
        self._samples: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=1)

    def seed(self, rng: np.random.Generator) -> None:
        """Draw further noise from here."""
        self._rng = rng

    def reset(self, q: FloatArray, dq: FloatArray) -> None:
        """Start at a state: the arm is taken to have rested there for longer than the delay.

        Args:
            q: Joint angles [rad], shape (n_joints,).
            dq: Joint velocities [rad/s], shape (n_joints,).
        """
        for _ in range(self._samples.maxlen or 1):
            self.sample(q, dq)

    def configure(self, *, std_q_rad: float, std_dq_rad_s: float, delay_ticks: int) -> None:
        """Change noise and delay from the next sample on.

        A longer delay repeats the oldest sample until newer ones are old enough, as a line of that length
        would; a shorter one drops samples.

        Args:
            std_q_rad: Standard deviation of measured angles [rad].
            std_dq_rad_s: Standard deviation of measured velocities [rad/s].
            delay_ticks: Age of what is reported, in control ticks.
        """
        self._std_q_rad, self._std_dq_rad_s = std_q_rad, std_dq_rad_s
        kept = list(self._samples)[-(delay_ticks + 1) :]
        padding = [kept[0]] * (delay_ticks + 1 - len(kept)) if kept else []
        self._samples = deque(padding + kept, maxlen=delay_ticks + 1)

    def sample(self, q: FloatArray, dq: FloatArray) -> None:
        """Measure a state [rad, rad/s], each shape (n_joints,)."""
        self._samples.append((self._noisy(q, self._std_q_rad), self._noisy(dq, self._std_dq_rad_s)))

    def read(self) -> tuple[FloatArray, FloatArray]:
        """What the sensors report now, as arrays of the caller's own [rad, rad/s], shape (n_joints,)."""
        q, dq = self._samples[0]
        return q.copy(), dq.copy()

    def _noisy(self, value: FloatArray, std: float) -> FloatArray:
        return value + std * self._rng.standard_normal(len(value)) if std else value.copy()
