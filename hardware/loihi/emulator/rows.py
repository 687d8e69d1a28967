"""Weights and indices of synapses, row by row, in flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class FlatRows(NamedTuple):
    """Rows of weights, one after another.

    Attributes:
        start: Where each row starts in ``weights``.
        length: Number of its weights.
        index_start: Where its indices start in ``indices``, or -1 if they count up from ``first``.
        first: See there; otherwise 0.
        weights: All weights.
        indices: All indices that do not count up.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    index_start: NDArray[np.int64]
    first: NDArray[np.int64]
    weights: NDArray[Any]
    indices: NDArray[np.int32]


class Rows:
    """All rows of weights, one after another."""

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype
        self._weights: list[NDArray[Any]] = []
        self._indices: list[NDArray[Any]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._index: list[NDArray[np.int64]] = []
        self._first: list[NDArray[np.int64]] = []
        self._n_rows = self._n_weights = self._n_indices = 0
        self._adopt: list[tuple[Any, int]] = []

    def add(self, synapse: Any) -> int:
        """Add all rows of a synapse group; the number of the first."""
        first = self._n_rows
        shapes = np.array([weights.shape for weights in synapse.weights], dtype=np.int64).reshape(-1, 2)
        lengths = np.repeat(shapes[:, 1], shapes[:, 0])
        weights = joined([weights.ravel() for weights in synapse.weights], self._dtype)
        indices = joined([indices.ravel() for indices in synapse.indices], np.int64)
        keep = _last_of_each(indices, lengths)
        if keep.all():
            self._adopt.append((synapse, self._n_weights))
        else:
            lengths = np.bincount(_row_of(lengths)[keep], minlength=lengths.size)
            weights, indices = weights[keep], indices[keep]
        starts = starts_of(lengths)[:-1]
        if _counts_up(indices, lengths):
            self._index.append(np.full(lengths.size, -1))
            self._first.append(np.append(indices, 0)[starts])
        else:
            self._index.append(self._n_indices + starts)
            self._first.append(np.zeros(lengths.size, dtype=np.int64))
            self._indices.append(indices)
            self._n_indices += indices.size
        self._weights.append(weights)
        self._lengths.append(lengths)
        self._n_weights += weights.size
        self._n_rows += lengths.size
        return first

    def arrays(self) -> FlatRows:
        """The flat arrays; the synapse groups' weights are views of them from now on."""
        weights = joined(self._weights, self._dtype)
        for synapse, start in self._adopt:
            ends = start + np.cumsum([rows.size for rows in synapse.weights], dtype=np.int64)
            synapse.weights = [
                weights[end - rows.size : end].reshape(rows.shape)
                for rows, end in zip(synapse.weights, ends.tolist(), strict=True)
            ]
        lengths = joined(self._lengths, np.int64)
        return FlatRows(
            start=starts_of(lengths)[:-1],
            length=lengths,
            index_start=joined(self._index, np.int64),
            first=joined(self._first, np.int64),
            weights=weights,
            indices=joined(self._indices, np.int32),
        )


def _row_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of each element."""
    return np.repeat(np.arange(lengths.size), lengths)


def _steps(indices: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
    """From each index to the next of its row; 1 from row to row."""
    rows = _row_of(lengths)
    return np.where(rows[1:] == rows[:-1], np.diff(indices), 1)


def _counts_up(indices: NDArray[Any], lengths: NDArray[np.int64]) -> bool:
    """Whether each row's indices are consecutive."""
    return bool((_steps(indices, lengths) == 1).all())


def _last_of_each(indices: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where an index is not repeated later in its row: of equal ones, NumPy's ``x[i] += w`` adds the last."""
    keep = np.ones(indices.size, dtype=np.bool_)
    rows = _row_of(lengths)
    starts = starts_of(lengths)
    for row in np.unique(rows[1:][_steps(indices, lengths) <= 0]):
        own = indices[starts[row] : starts[row + 1]]
        _, from_end = np.unique(own[::-1], return_index=True)
        keep[starts[row] : starts[row + 1]] = False
        keep[starts[row + 1] - 1 - from_end] = True
    return keep


def starts_of(sizes: Iterable[int]) -> NDArray[np.int64]:
    """Where parts of these sizes begin when they follow each other, and the end of the last."""
    return np.concatenate([[0], np.cumsum(np.fromiter(sizes, dtype=np.int64))]).astype(np.int64)


def joined(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    """All parts, one after another."""
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype=dtype)
