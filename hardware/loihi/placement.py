"""Where blocks lie on the chip: a mesh of 8 x 4 tiles with 4 cores each (Davies et al. 2018).

Blocks are placed one per core in the order in which they were built, cores tile by tile and tiles row by row.
This is a plain placement, not an optimised one.
"""

from __future__ import annotations

MESH_COLUMNS = 8
"""Tiles from west to east; there are 4 rows."""
CORES_PER_TILE = 4


def path(source: int, target: int) -> tuple[float, float, float]:
    """One message from core to core, first along the row and then along the column.

    Returns:
        1 for the message itself, hops between tiles along the row, hops along the column.
    """
    row_s, column_s = divmod(source // CORES_PER_TILE, MESH_COLUMNS)
    row_t, column_t = divmod(target // CORES_PER_TILE, MESH_COLUMNS)
    return 1.0, float(abs(column_t - column_s)), float(abs(row_t - row_s))


def n_tiles(n_cores: int) -> int:
    """Tiles that hold so many cores."""
    return -(-n_cores // CORES_PER_TILE)
