"""What the operations of a PCM crossbar cost: published figures, each with its source."""

from __future__ import annotations

from spikearm.hardware.cost import Figure, TableCost

READ_VOLTAGE_V = 0.2
"""Read voltage of PCM arrays (Joshi et al. 2020; Khaddam-Aljameh et al. 2021 read at 0.1 - 0.3 V)."""

READ_TIME_S = 100e-9
"""Duration of one read of a tile (ISAAC, Shafiee et al. 2016)."""

_ISAAC = "ISAAC, Shafiee et al. 2016 (32 nm)"
_PUMA = "PUMA, Ankit et al. 2019 (32 nm)"
_NVSIM = "NVSim, Dong et al. 2012: PCM"
_HOROWITZ = "Horowitz 2014 (45 nm): 32-bit multiply 3.7 pJ, add 0.9 pJ, two accesses to an 8 kB SRAM at 5 pJ"

_SET_S = 150e-9
_GAP_S = 50e-9

PCM_COST = TableCost(
    name="PCM crossbar, modelled (ISAAC, PUMA, NVSim; neurons as on Loihi)",
    energy={
        "cell_read": (
            Figure(
                "read_conductance_siemens",
                READ_VOLTAGE_V**2 * READ_TIME_S,
                f"V^2 t per siemens with {READ_VOLTAGE_V} V for {READ_TIME_S * 1e9:.0f} ns; "
                "conductances are those of the simulated devices",
            ),
        ),
        "row_driver": (Figure("row_activations", 0.39e-12, f"{_PUMA}: 1-bit DAC for 100 ns"),),
        "adc": (Figure("conversions", 1.56e-12, f"{_ISAAC}: 8 bit, 2 mW at 1.28 GS/s"),),
        "digital": (Figure("digital_ops", 0.05e-12, f"{_PUMA}: shift-add"),),
        "neurons": (
            Figure("neuron_updates", 81e-12, "Davies et al. 2018, Table 2: digital neuron, pre-silicon"),
        ),
        "learning": (Figure("learning_updates", 14.6e-12, f"{_HOROWITZ}: accumulation of one weight"),),
        "programming": (
            Figure("set_pulses", 22e-12, f"{_NVSIM}: 150 uA, 150 ns, 1 V"),
            Figure("reset_pulses", 12e-12, f"{_NVSIM}: 300 uA, 40 ns, 1 V"),
            Figure("verify_reads", 1.56e-12, f"{_ISAAC}: one conversion; the cell itself is negligible"),
        ),
    },
    latency=(
        Figure("serial_tile_reads", READ_TIME_S, f"{_ISAAC}: rows driven and currents integrated"),
        Figure("serial_conversions", 0.78e-9, f"{_ISAAC}: one conversion at 1.28 GS/s"),
        Figure("rows_programmed", _SET_S + _GAP_S, f"{_NVSIM}: SET pulse, and 50 ns to the next"),
    ),
    chip=(
        Figure(
            "tile_reads",
            12.5e-9,
            "HERMES core (Khaddam-Aljameh et al. 2021, 14 nm): 256 x 256 MVM at 10.5 TOPS/W",
        ),
    ),
    chip_scope=(
        "matrix-vector products only, with their converters, each tile taken as a full 256 x 256 core; no "
        "neurons, no learning, no programming, no communication."
    ),
)
