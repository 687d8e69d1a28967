"""Learning in the closed loop without running it: what PES leaves after some repetitions, in closed form.

A controller pushes back what its model lacks: its task torque is the missing torque, less what was learned,
passed through the loop,

    u = F (d - w),    F(s) = (kd s + kp) / (s^2 + kd s + kp),

and PES adds ``gain * activity`` times that torque to the decoders at every moment. Along a motion that is
known beforehand everything is linear, so with ``K[t, s]``, the product of the activities at two moments,

    w = K c + tril(K) u,    (1 + F tril(K)) u = F (d - K c),    c <- c + u,

where c is what all earlier repetitions have taught. ``F`` is a recursion of second order, so the system is
triangular and one repetition costs one substitution. What remains of the torque moves the end effector
through ``1 / (s^2 + kd s + kp)``. Spikes, synapses and the arm's own deviation from the motion are left out.
Against the loop itself (five targets, payload, neurons on the state, 30 repetitions of 0.8 s) the error comes
out about a tenth too small; how soon the loop becomes unstable is not in it.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.signal import cont2discrete, lfilter


class LearningLoop:
    """The closed loop along one motion, sampled at equal steps.

    Args:
        n_samples: Moments of the motion.
        dt_s: Time between them [s].
        kp: Acceleration per position error of the law [1/s^2].
        kd: Acceleration per velocity error [1/s].
    """

    def __init__(self, n_samples: int, dt_s: float, *, kp: float, kd: float) -> None:
        (pushed,), poles, _ = cont2discrete(([kd, kp], [1.0, kd, kp]), dt_s, "zoh")
        (moved,), _, _ = cont2discrete(([1.0], [1.0, kd, kp]), dt_s, "zoh")
        impulse = np.eye(n_samples)[0]
        self._dt_s = dt_s
        self._poles = _band(poles, n_samples)
        self._zeros = _band(pushed, n_samples)
        self._pushed = [float(b) for b in pushed]
        response = lfilter(moved, poles, impulse)
        self._moved = torch.tensor(_lower_toeplitz(response), dtype=torch.float32)

    def errors(
        self,
        activity: torch.Tensor,
        missing: torch.Tensor,
        mobility: torch.Tensor,
        gain: torch.Tensor,
        n_repeats: int,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mean distance from the path in the first and in the last repetition, and without learning.

        Args:
            activity: Of the neurons at every moment, shape (b, t, n_neurons); its size does not matter.
            missing: Torque that the controller's model lacks, shape (b, t, n_joints).
            mobility: Acceleration of the end effector per torque, shape (b, t, 3, n_joints).
            gain: How fast the torque learned follows a constant task torque [1/s], shape (b,).
            n_repeats: How often the motion is repeated.

        Returns:
            Three distances, each shape (b,), in units of torque times mobility times s^2.
        """
        power = activity.square().sum(-1).mean(1)  # (b,)
        kernel = activity @ activity.transpose(1, 2) * (self._dt_s * gain / power)[:, None, None]
        causal = torch.tril(kernel)
        system = self._poles + self._through_loop(causal)
        taught, first = torch.zeros_like(missing), torch.zeros_like(missing)
        left = missing
        for repeat in range(n_repeats):
            before = missing - kernel @ taught if repeat else missing
            pushed = torch.linalg.solve_triangular(system, self._zeros @ before, upper=False)
            left = before - causal @ pushed
            taught = taught + pushed
            if repeat == 0:
                first = left
        return (
            self._distance(first, mobility),
            self._distance(left, mobility),
            self._distance(missing, mobility),
        )

    def _through_loop(self, matrix: torch.Tensor) -> torch.Tensor:
        """The loop's zeros applied down the columns; rows move down by one and by two samples."""
        result = torch.zeros_like(matrix)
        for delay in (1, 2):
            result[:, delay:] += self._pushed[delay] * matrix[:, :-delay]
        return result

    def _distance(self, torque: torch.Tensor, mobility: torch.Tensor) -> torch.Tensor:
        way = self._moved @ torch.einsum("btij,btj->bti", mobility, torque)
        return torch.linalg.vector_norm(way, dim=-1).mean(1)


def _band(coefficients: np.ndarray, n: int) -> torch.Tensor:
    """Lower triangular matrix of a filter's recursion."""
    matrix = sum(c * np.eye(n, k=-delay) for delay, c in enumerate(coefficients))
    return torch.tensor(matrix, dtype=torch.float32)


def _lower_toeplitz(response: np.ndarray) -> np.ndarray:
    n = len(response)
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    return np.where(lag >= 0, response[np.maximum(lag, 0)], 0.0)
