"""The exact currents of an array with resistive wires: Kirchhoff's law at every crossing.

Slow, and exact for devices that obey Ohm's law: the measure of every approximation in :mod:`.ir_drop`. Rows
are driven at the side of column 0; columns end below the last row, at the virtual ground of a converter.
From one crossing to the next, and to driver and converter, a wire has one segment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from spikearm.records import FloatArray


class NodalArray:
    """An array of cells and wires, factorised once.

    Args:
        g: Conductance of the cells [S], shape (n_rows, n_cols), every bit line a column of its own. Rows
            whose transistors are off have cells of 0 S.
        row_ohm: Resistance of one segment of a row [ohm]; 0 makes rows perfect conductors.
        column_ohm: The same of columns.
    """

    def __init__(self, g: FloatArray, *, row_ohm: float, column_ohm: float) -> None:
        self.n_rows: int = g.shape[0]
        self.n_cols: int = g.shape[1]
        ends = self.n_rows + self.n_cols  # drivers, then converters: the nodes whose voltage is known
        rows, columns, n_nodes = self._number_nodes(ends, row_ohm > 0, column_ohm > 0)
        a, b, siemens = [rows[:, 1:].ravel()], [columns[:-1].ravel()], [g.ravel()]
        if row_ohm > 0:
            a, b = [*a, rows[:, :-1].ravel()], [*b, rows[:, 1:].ravel()]
            siemens.append(np.full(g.size, 1.0 / row_ohm))
        if column_ohm > 0:
            a, b = [*a, columns[:-1].ravel()], [*b, columns[1:].ravel()]
            siemens.append(np.full(g.size, 1.0 / column_ohm))
        laplacian = _laplacian(np.concatenate(a), np.concatenate(b), np.concatenate(siemens), n_nodes)
        self._inner_ends = laplacian[ends:, :ends]
        self._ends = laplacian[:ends, :ends]
        self._solve = splu(laplacian[ends:, ends:]).solve if n_nodes > ends else None

    def _number_nodes(
        self, ends: int, wired_rows: bool, wired_columns: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Node of every crossing on rows and on columns, the driver's before and the converter's behind."""
        m, n = self.n_rows, self.n_cols
        drivers = np.arange(m)[:, None]
        converters = np.arange(m, ends)[None, :]
        next_free = ends
        if wired_rows:
            rows = np.hstack([drivers, next_free + np.arange(m * n).reshape(m, n)])
            next_free += m * n
        else:
            rows = np.repeat(drivers, n + 1, axis=1)
        if wired_columns:
            columns = np.vstack([next_free + np.arange(m * n).reshape(m, n), converters])
            next_free += m * n
        else:
            columns = np.repeat(converters, m + 1, axis=0)
        return rows, columns, next_free

    def solve(self, volts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Currents with these voltages on the rows.

        Args:
            volts: Voltage of every driver [V], shape (n_rows,).

        Returns:
            Current into every converter, shape (n_cols,), and out of every driver, shape (n_rows,) [A].
        """
        ends = np.concatenate([volts, np.zeros(self.n_cols)])
        out_of_ends = self._ends @ ends
        if self._solve is not None:
            out_of_ends += self._inner_ends.T @ self._solve(-(self._inner_ends @ ends))
        return -out_of_ends[self.n_rows :], out_of_ends[: self.n_rows]

    def effective(self) -> FloatArray:
        """Conductance from every driver to every converter [S], shape (n_rows, n_cols).

        The network is reciprocal: what driver i at 1 V sends into converter j, converter j at 1 V would
        send into driver i. One solution per column therefore gives its whole column of the matrix, and
        every later read is a plain product with it.
        """
        m = self.n_rows
        result: FloatArray = -self._ends[:m, m:].toarray()
        if self._solve is not None:
            for j in range(self.n_cols):
                inner = self._solve(-self._inner_ends[:, [m + j]].toarray().ravel())
                result[:, j] -= self._inner_ends[:, :m].T @ inner
        return result


def _laplacian(a: NDArray[np.int64], b: NDArray[np.int64], siemens: FloatArray, n: int) -> csc_matrix:
    """Currents out of the nodes by their voltages, for conductances between nodes ``a`` and ``b``."""
    values = np.concatenate([-siemens, -siemens, siemens, siemens])
    places = (np.concatenate([a, b, a, b]), np.concatenate([b, a, a, b]))
    return csc_matrix((values, places), shape=(n, n))
