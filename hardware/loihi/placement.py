"""Where blocks lie on the chip: a mesh of 8 x 4 tiles with 4 cores each (Davies et al. 2018).

One block takes one core. Blocks that send each other many spikes should share a tile or lie on neighbouring
ones: every link between tiles that a message crosses costs energy. Placing them is a quadratic assignment
problem, solved here by descent over exchanges of two cores from several starts, always the same ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.records import FloatArray

MESH_COLUMNS = 8
"""Tiles from west to east."""
MESH_ROWS = 4
CORES_PER_TILE = 4
_MAX_STARTS = 16

Places = NDArray[np.int64]


def path(source: int, target: int) -> tuple[float, float, float]:
    """One message from core to core, first along the row and then along the column.

    Returns:
        1 for the message itself, hops between tiles along the row, hops along the column.
    """
    row_s, column_s = divmod(source // CORES_PER_TILE, MESH_COLUMNS)
    row_t, column_t = divmod(target // CORES_PER_TILE, MESH_COLUMNS)
    return 1.0, float(abs(column_t - column_s)), float(abs(row_t - row_s))


def n_tiles(cores: Places) -> int:
    """Tiles on which these cores lie."""
    return int(np.unique(np.asarray(cores) // CORES_PER_TILE).size)


def traffic(blocks: list[Any]) -> FloatArray:
    """Messages from block to block if every compartment spikes once, shape (n_blocks, n_blocks).

    All neurons are taken to fire at the same rate: rates are drawn from one range for all of them, and how
    they differ is known only when the network runs.

    Args:
        blocks: Those of a built model.
    """
    block_of = {id(synapse): i for i, block in enumerate(blocks) for synapse in block.synapses}
    messages = np.zeros((len(blocks), len(blocks)))
    for i, block in enumerate(blocks):
        for axon in block.axons:
            messages[i, block_of[id(axon.target)]] += connected(axon, block.n_neurons).sum()
    return messages


def connected(axon: Any, n_neurons: int) -> NDArray[np.bool_]:
    """Which compartments of a block send along this axon group."""
    sends: NDArray[np.bool_] = np.asarray(axon.map_axon(np.arange(n_neurons))) >= 0
    return sends


def hops(messages: FloatArray, cores: Places) -> float:
    """Links that all messages cross.

    Args:
        messages: From block to block.
        cores: Core of each block.
    """
    return float((messages * _distances(np.asarray(cores))).sum())


def place(messages: FloatArray) -> Places:
    """A core for each block, on as few tiles as possible, near those it talks to.

    Never worse than placing blocks in the order in which they were built; that is the first start. The
    others lie on tiles that form a rectangle, each grown from another block.

    Args:
        messages: From block to block, shape (n_blocks, n_blocks).

    Returns:
        Core numbers, shape (n_blocks,).
    """
    n = len(messages)
    both_ways = messages + messages.T
    np.fill_diagonal(both_ways, 0.0)
    compact = _compact_cores(n)
    seeds = np.argsort(-both_ways.sum(axis=1), kind="stable")[:_MAX_STARTS]
    built = _descend(both_ways, np.arange(compact.size))
    grown = [_descend(both_ways, compact[_grow(both_ways, int(seed))]) for seed in seeds]
    return min([np.arange(n), built[:n], *(cores[:n] for cores in grown)], key=lambda c: hops(messages, c))


def _compact_cores(n_blocks: int) -> Places:
    """Cores of the fewest tiles, which form a rectangle as near to a square as the mesh allows."""
    tiles = math.ceil(n_blocks / CORES_PER_TILE)
    width = max(math.ceil(math.sqrt(tiles)), math.ceil(tiles / MESH_ROWS))
    rows, columns = np.divmod(np.arange(tiles), max(1, width))
    first = CORES_PER_TILE * (rows * MESH_COLUMNS + columns)
    cores: Places = (first[:, None] + np.arange(CORES_PER_TILE)).ravel()
    return cores


def _grow(both_ways: FloatArray, seed: int) -> Places:
    """Positions of all blocks in a sequence in which each talks most to those before it; then free cores."""
    n = len(both_ways)
    sequence, near, left = [seed], both_ways[seed].copy(), np.ones(n, dtype=bool)
    left[seed] = False
    for _ in range(n - 1):
        chosen = int(np.where(left, near, -1.0).argmax())
        sequence.append(chosen)
        left[chosen] = False
        near += both_ways[chosen]
    n_cores = CORES_PER_TILE * math.ceil(n / CORES_PER_TILE)
    position = np.arange(n_cores)
    position[sequence] = np.arange(n)
    return position


def _descend(both_ways: FloatArray, cores: Places) -> Places:
    """Exchange the two cores that save most, until none do.

    Args:
        both_ways: Messages between two blocks, symmetric.
        cores: Core of each block, and after those, free cores.
    """
    n = cores.size
    talk = np.zeros((n, n))
    talk[: len(both_ways), : len(both_ways)] = both_ways
    cores = cores.copy()
    while True:
        far = _distances(cores)
        there = talk @ far  # what block i would cross at the core of block j
        here = np.diag(there)
        # Blocks i and j stay as far apart as they were, which the first four terms do not know.
        saved = here[:, None] + here[None, :] - there - there.T - 2 * talk * far
        i, j = divmod(int(saved.argmax()), n)
        if saved[i, j] <= 1e-9:
            return cores
        cores[[i, j]] = cores[[j, i]]


def _distances(cores: Places) -> FloatArray:
    """Links between each two cores."""
    row, column = np.divmod(cores // CORES_PER_TILE, MESH_COLUMNS)
    away: Any = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
    distances: FloatArray = away.astype(np.float64)
    return distances
