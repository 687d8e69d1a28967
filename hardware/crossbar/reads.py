"""Reading tiles: inputs become voltages, currents add up, converters round them. All of it compiled."""

from __future__ import annotations

import math

import numpy as np

from spikearm.compiled import kernel
from spikearm.hardware.crossbar.ir_drop import LINES_PER_PAIR, connected_power, gated_currents


@kernel
def encode_spikes(x, per_spike, drive):  # type: ignore[no-untyped-def]
    """Spikes as read pulses on their rows; returns what one pulse stands for."""
    for i in range(len(x)):
        drive[i] = np.rint(x[i] / per_spike)
    return per_spike


JUMP = 16.0
"""Factor by which one input may widen the range of its converter, four of its bits, and not be suspected."""
SETTLED = 1000
"""Inputs after which such a one has been forgotten by whatever filters stand in front of the matrix."""


@kernel
def encode_analog(x, levels, dac_range, jump, drive):  # type: ignore[no-untyped-def]
    """Numbers as read voltages in [-1, 1].

    A number beyond the range is noticed while it is still digital: the range grows before it is converted,
    and does not shrink again. After one far beyond it (:data:`JUMP`) it is noted whether others make use of
    the new range.

    Args:
        x: Inputs.
        levels: Steps of the converter on either side of zero, or 0 for no rounding.
        dac_range: Input of full voltage, 0 as long as it is not known, shape (1,); a power of two, so that it
            is undone by a shift.
        jump: Whether an input far beyond the range has set it, how many inputs have come since, and the
            largest number among them but the first :data:`SETTLED`, shape (3,).
        drive: Receives the relative voltages.

    Returns:
        What a relative voltage of 1 stands for.
    """
    largest = 0.0
    for i in range(len(x)):
        largest = max(largest, abs(x[i]))
    if largest == 0.0:
        drive[:] = 0.0
        return 0.0
    if largest > dac_range[0]:
        jump[:] = 0.0
        jump[0] = 0.0 < JUMP * dac_range[0] < largest
        dac_range[0] = 2.0 ** math.ceil(math.log2(largest))
    else:
        jump[1] += 1.0
        if jump[1] > SETTLED:
            jump[2] = max(jump[2], largest)
    unit = dac_range[0]
    for i in range(len(x)):
        v = x[i] / unit
        drive[i] = np.rint(v * levels) / levels if levels > 0 else v
    return unit


@kernel
def _encode(x, coding, drive):  # type: ignore[no-untyped-def]
    per_spike, levels, dac_range, jump = coding
    if per_spike > 0:
        return encode_spikes(x, per_spike, drive)
    return encode_analog(x, levels, dac_range, jump, drive)


@kernel
def _driven(block, tile_rows, drive, rows):  # type: ignore[no-untyped-def]
    """List the driven rows of a row of tiles; returns its first row, one past its last, and how many."""
    first, last = block * tile_rows, min((block + 1) * tile_rows, len(drive))
    n = 0
    for i in range(first, last):
        rows[n] = i
        n += drive[i] != 0.0
    return first, last, n


@kernel(fastmath={"contract", "reassoc"})
def _add_1(v, x, y):  # type: ignore[no-untyped-def]
    """``y += v x``; functions of their own, so that the compiler sees it may use vector instructions."""
    for j in range(len(y)):
        y[j] += v * x[j]


@kernel(fastmath={"contract", "reassoc"})
def _add_4(v, x, y):  # type: ignore[no-untyped-def]
    """``y += v . x`` over four rows at once, which halves the traffic to and from ``y``."""
    a, b, c, d = x
    v0, v1, v2, v3 = v
    for j in range(len(y)):
        y[j] += (v0 * a[j] + v1 * b[j]) + (v2 * c[j] + v3 * d[j])


@kernel
def _add_rows(rows, n, v, matrix, n_cols, y):  # type: ignore[no-untyped-def]
    """``y += sum over rows of v[row] matrix[row]``, for a flat matrix."""
    k = 0
    while k + 4 <= n:
        a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        x = (
            matrix[a * n_cols : (a + 1) * n_cols],
            matrix[b * n_cols : (b + 1) * n_cols],
            matrix[c * n_cols : (c + 1) * n_cols],
            matrix[d * n_cols : (d + 1) * n_cols],
        )
        _add_4((v[a], v[b], v[c], v[d]), x, y)
        k += 4
    while k < n:
        _add_1(v[rows[k]], matrix[rows[k] * n_cols : (rows[k] + 1) * n_cols], y)
        k += 1


@kernel
def _convert(current, tile_cols, adc_range, levels):  # type: ignore[no-untyped-def]
    """Round currents to the converter's levels, tile by tile; returns how many were clipped.

    A tile that clipped reads with twice the range from then on.
    """
    n_clipped = 0
    for tile in range(len(adc_range)):
        step = adc_range[tile] / levels
        clipped = 0
        for j in range(tile * tile_cols, min((tile + 1) * tile_cols, len(current))):
            code = np.rint(current[j] / step)
            if abs(code) > levels:
                clipped += 1
                code = levels if code > 0 else -levels
            current[j] = code * step
        if clipped > 0:
            adc_range[tile] *= 2.0
            n_clipped += clipped
    return n_clipped


@kernel
def _finish_block(block, reads, converters, xi, currents, out, counts):  # type: ignore[no-untyped-def]
    """What comes after the currents of one row of tiles: noise, conversion, sum with the other tiles.

    ``reads`` has the pulses on all rows together, and on the row with most, see :func:`_pulses`.
    """
    n_pulses, most = reads
    tile_cols, levels, weight, adc_range, clipped, (n_pairs, adc_steps, dac_steps) = converters
    n_cols = len(out)
    current = currents[0]
    if len(xi) > 0:
        for j in range(n_cols):
            current[j] += math.sqrt(currents[1, j]) * xi[block * n_cols + j]
    if levels > 0:
        clipped[0] += _convert(current, tile_cols, adc_range[block], levels)
    for j in range(n_cols):
        out[j] += current[j] * weight[block, j]
    tiles_wide = adc_range.shape[1]
    counts[0].tile_reads += most * tiles_wide
    counts[0].serial_tile_reads = max(counts[0].serial_tile_reads, most)
    counts[0].row_activations += n_pulses * tiles_wide
    counts[0].active_macs += n_pulses * n_cols * n_pairs
    counts[0].conversions += n_cols
    counts[0].conversion_steps += n_cols * adc_steps
    counts[0].dac_steps += n_pulses * tiles_wide * dac_steps
    # One scaling per conversion, and the sum over rows of tiles.
    counts[0].digital_ops += 2 * n_cols


@kernel
def _finish(n_read, unit, spiking, drive, out, counts):  # type: ignore[no-untyped-def]
    """Scale the products and close the count."""
    out *= unit
    n_cols = len(out)
    if n_read > 0:
        counts[0].digital_ops -= n_cols
    if spiking:
        pulses = 0.0
        for i in range(len(drive)):
            pulses += abs(drive[i])
        counts[0].synaptic_ops += pulses * n_cols


@kernel
def _pulses(rows, n, spiking, drive):  # type: ignore[no-untyped-def]
    """Read pulses on all driven rows together, and on the row with most; a voltage is one pulse."""
    if not spiking:
        return float(n), 1.0
    total, most = 0.0, 0.0
    for k in range(n):
        pulses = abs(drive[rows[k]])
        total += pulses
        most = max(most, pulses)
    return total, most


@kernel
def _connected(first, last, most, spiking, drive, single, column_ohm, lines, row_seen):  # type: ignore[no-untyped-def]
    """Power out of the drivers whose rows are all connected, over all pulses of a read; see there.

    Repeated pulses are reads one after another, in which only rows with as many take part; ``single`` holds
    the voltages of one of them.
    """
    if not spiking or most <= 1.0:
        return connected_power(first, last, drive, column_ohm, lines, row_seen)
    power = 0.0
    for pulse in range(1, int(most) + 1):
        for i in range(first, last):
            single[i] = math.copysign(1.0, drive[i]) if abs(drive[i]) >= pulse else 0.0
        power += connected_power(first, last, single, column_ohm, lines, row_seen)
    return power


@kernel
def _squares(rows, n, spiking, drive, power, row_g):  # type: ignore[no-untyped-def]
    """What the energy and the noise of a row are proportional to; returns the sum over conductances.

    Repeated pulses on a row add the energy and the noise variance of one pulse each; an analog voltage
    scales the energy and the noise with its square.
    """
    total = 0.0
    for k in range(n):
        v = drive[rows[k]]
        power[rows[k]] = abs(v) if spiking else v * v
        total += power[rows[k]] * row_g[rows[k]]
    return total


@kernel
def read_plain(x, coding, gain, tile_rows, converters, buffers, counts, signal, noise, row_g, column_ohm):  # type: ignore[no-untyped-def]
    """Read an array whose wires take nothing, or whose cells have been weakened by them beforehand.

    Args:
        x: Inputs, shape (n_rows,).
        coding: What one spike stands for, or 0 for analog inputs; steps of their converter, its range, and
            what is noted of inputs far beyond it.
        gain: Factor on the result.
        tile_rows: Rows of one tile.
        converters: Pairs of columns of a tile, steps of a converter, weight per siemens, ranges, clips; and
            pairs per weight, what one conversion of a column, and one of a row, is counted as.
        buffers: Relative voltage of each row, what its energy goes with, driven rows, a normal number for
            each conversion (or none), currents and variances, shape (2, n_cols), and the result.
        counts: Counts of the present step, added to.
        signal: Current of each pair at unit voltage [S], flat.
        noise: Its variance [S^2], flat; empty for none.
        row_g: Conductance that the drivers of each row see [S].
        column_ohm: Resistance of one segment of a column [ohm]; for the energy.
    """
    drive, power, rows, xi, currents, out = buffers
    unit = gain * _encode(x, coding, drive)
    n_cols, n_read, spiking = len(out), 0, coding[0] > 0
    out[:] = 0.0
    counts[0].serial_tile_reads = 0.0
    for block in range(converters[3].shape[0]):
        first, last, n = _driven(block, tile_rows, drive, rows)
        if n == 0:
            continue
        n_read += 1
        reads, taken = _pulses(rows, n, spiking, drive), 0.0
        if column_ohm > 0:
            lines = LINES_PER_PAIR * n_cols
            taken = _connected(first, last, reads[1], spiking, drive, power, column_ohm, lines, row_g)
        cells_alone = _squares(rows, n, spiking, drive, power, row_g)
        if column_ohm == 0:
            taken = cells_alone
        counts[0].read_conductance_siemens += taken
        currents[:] = 0.0
        _add_rows(rows, n, drive, signal, n_cols, currents[0])
        if len(noise) > 0:
            _add_rows(rows, n, power, noise, n_cols, currents[1])
        _finish_block(block, reads, converters, xi, currents, out, counts)
    _finish(n_read, unit, spiking, drive, out, counts)


@kernel
def read_gated(x, coding, gain, tile_rows, converters, buffers, counts, cells, wires):  # type: ignore[no-untyped-def]
    """Read an array of resistive wires in which spikes connect their rows.

    Arguments are those of :func:`read_plain`, and two more. ``cells``: ``diff``, ``total`` and ``var`` of all
    pairs, see :class:`~.cells.Cells`. ``wires``: resistance of one segment of a column [ohm], relative
    voltage at all pairs, workspace.
    """
    drive, _, rows, xi, currents, out = buffers
    column_ohm, h, up = wires
    unit = gain * encode_spikes(x, coding[0], drive)
    n_read = 0
    out[:] = 0.0
    counts[0].serial_tile_reads = 0.0
    for block in range(converters[3].shape[0]):
        _, last, n = _driven(block, tile_rows, drive, rows)
        if n == 0:
            continue
        n_read += 1
        reads = _pulses(rows, n, True, drive)
        currents[:] = 0.0
        for pulse in range(1, int(reads[1]) + 1):
            counts[0].read_conductance_siemens += gated_currents(
                rows, n, last, drive, pulse, column_ohm, *cells, h, up, currents
            )
        _finish_block(block, reads, converters, xi, currents, out, counts)
    _finish(n_read, unit, True, drive, out, counts)


@kernel
def read_connected(x, coding, gain, tile_rows, converters, buffers, counts, cells, wires):  # type: ignore[no-untyped-def]
    """Read an array of resistive wires whose rows are always connected.

    Arguments are those of :func:`read_gated`, but for ``wires``: resistance of one segment of a column [ohm],
    and ``h``, ``t_plus``, ``t_minus`` and ``row_seen`` of :class:`~.ir_drop.Wires`.
    """
    drive, power, rows, xi, currents, out = buffers
    diff, total, var = cells
    column_ohm, h, t_plus, t_minus, row_seen = wires
    unit = gain * _encode(x, coding, drive)
    n_cols, n_read, spiking = len(out), 0, coding[0] > 0
    out[:] = 0.0
    counts[0].serial_tile_reads = 0.0
    for block in range(converters[3].shape[0]):
        first, last, n = _driven(block, tile_rows, drive, rows)
        if n == 0:
            continue
        n_read += 1
        reads, lines = _pulses(rows, n, spiking, drive), LINES_PER_PAIR * n_cols
        counts[0].read_conductance_siemens += _connected(
            first, last, reads[1], spiking, drive, power, column_ohm, lines, row_seen
        )
        _squares(rows, n, spiking, drive, power, row_seen)
        currents[:] = 0.0
        for k in range(n):
            i = rows[k]
            for j in range(n_cols):
                pair = i * n_cols + j
                plus = 0.5 * h[pair] * t_plus[pair] * (total[pair] + diff[pair])
                minus = 0.5 * h[pair] * t_minus[pair] * (total[pair] - diff[pair])
                currents[0, j] += drive[i] * (plus - minus)
                currents[1, j] += power[i] * h[pair] * h[pair] * t_plus[pair] * t_minus[pair] * var[pair]
        _finish_block(block, reads, converters, xi, currents, out, counts)
    _finish(n_read, unit, spiking, drive, out, counts)


@kernel
def weaken(first, last, diff, total, var, h, t_plus, t_minus, signal, noise):  # type: ignore[no-untyped-def]
    """Work out ahead what a stretch of pairs contributes at the converter, for :func:`read_plain`."""
    for pair in range(first, last):
        plus = 0.5 * t_plus[pair] * (total[pair] + diff[pair])
        minus = 0.5 * t_minus[pair] * (total[pair] - diff[pair])
        signal[pair] = h[pair] * (plus - minus)
        if len(noise) > 0:
            noise[pair] = h[pair] * h[pair] * t_plus[pair] * t_minus[pair] * var[pair]
