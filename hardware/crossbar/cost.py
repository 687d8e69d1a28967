"""What the operations of a PCM crossbar cost: published figures, each with its source.

Not included, because a crossbar chip does not do it: the functions of nodes and the filters of synapses,
which run beside it. Static power is left out as well; no figure is known that belongs to this design.
"""

from __future__ import annotations

from spikearm.hardware.cost import Figure, TableCost

READ_VOLTAGE_V = 0.2
"""Read voltage of PCM arrays (Joshi et al. 2020)."""

READ_TIME_S = 100e-9
"""Duration of one read of a tile (ISAAC, Shafiee et al. 2016); 133 ns measured on the HERMES core."""

SET_TIME_S, PULSE_GAP_S = 150e-9, 50e-9

_ISAAC = "ISAAC, Shafiee et al. 2016 (32 nm)"
_PUMA = "PUMA, Ankit et al. 2019 (32 nm)"
_NVSIM = "NVSim, Dong et al. 2012: PCM"
_LOIHI = "Davies et al. 2018, Table 2: digital neuron, pre-silicon"
_HOROWITZ = "Horowitz 2014 (45 nm): 32-bit multiply 3.7 pJ, add 0.9 pJ, two accesses to an 8 kB SRAM at 5 pJ"
_HERMES = "HERMES core, Khaddam-Aljameh et al. 2021 (14 nm): 256 x 256 product at 10.5 TOPS/W"


def pcm_cost(*, read_voltage_v: float = READ_VOLTAGE_V, read_time_s: float = READ_TIME_S) -> TableCost:
    """Figures of a PCM crossbar with digital neurons.

    Args:
        read_voltage_v: Voltage on a row that is driven fully [V].
        read_time_s: Duration of a read pulse [s].
    """
    cell = f"V^2 t per siemens: {read_voltage_v:g} V for {read_time_s * 1e9:g} ns on the simulated devices"
    # The driver's figure is for 100 ns; it holds the row for as long as the read lasts.
    driver = 0.39e-12 * read_time_s / 100e-9
    return TableCost(
        name="PCM crossbar, modelled (ISAAC, PUMA, NVSim; neurons as on Loihi)",
        energy={
            "cell_read": (Figure("read_conductance_siemens", read_voltage_v**2 * read_time_s, cell),),
            "row_driver": (Figure("row_activations", driver, f"{_PUMA}: 1-bit DAC, 0.39 pJ in 100 ns"),),
            "adc": (Figure("conversions", 1.56e-12, f"{_ISAAC}: 8 bit, 2 mW at 1.28 GS/s"),),
            "digital": (Figure("digital_ops", 0.05e-12, f"{_PUMA}: shift-add"),),
            "neurons": (Figure("neuron_updates", 81e-12, _LOIHI),),
            "learning": (Figure("learning_updates", 14.6e-12, f"{_HOROWITZ}: one weight's accumulator"),),
            "programming": (
                Figure("set_pulses", 22e-12, f"{_NVSIM}: 150 uA, 150 ns, 1 V"),
                Figure("reset_pulses", 12e-12, f"{_NVSIM}: 300 uA, 40 ns, 1 V"),
                Figure("verify_reads", 1.56e-12, f"{_ISAAC}: one conversion; the cell itself is negligible"),
            ),
        },
        latency=(
            Figure("serial_tile_reads", read_time_s, "rows driven and currents integrated"),
            Figure("serial_conversions", 0.78e-9, f"{_ISAAC}: one conversion at 1.28 GS/s"),
            Figure("rows_programmed", SET_TIME_S + PULSE_GAP_S, f"{_NVSIM}: SET pulse; 50 ns to the next"),
        ),
        chip=(Figure("tile_reads", 12.5e-9, _HERMES),),
        chip_scope=(
            "matrix-vector products only, with their converters, each tile taken as a full 256 x 256 core; "
            "no neurons, no learning, no programming, no communication."
        ),
    )


PCM_COST = pcm_cost()
"""Figures at the usual read voltage and time."""
