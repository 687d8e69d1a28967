"""What the operations of a crossbar cost: published figures, each with its source.

Not included, because a crossbar chip does not do it: the filters of synapses and the functions of nodes,
which run beside it; of these only what a network's description declares (``host_macs``) has a line. No
figure of static power is known that belongs to this design: its line is there with 0 W, for a figure of
your own, as is that of spikes, for analog neurons.

All matrices are charged as one technology, that of the substrate's own devices and learning scheme, also
those whose connections have others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spikearm.hardware.cost import Figure, TableCost
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.host_cost import HOST_ENERGY

READ_VOLTAGE_V = 0.2
"""Read voltage of PCM arrays (Joshi et al. 2020); taken for ReRAM as well."""

READ_TIME_S = 100e-9
"""Duration of one read of a tile (ISAAC, Shafiee et al. 2016); 133 ns measured on the HERMES core."""

CONVERSION_S = 1 / 1.28e9
"""Time of one conversion of 8 bits (ISAAC)."""

CYCLE_S = 1e-9
"""Cycle of the digital circuits (PUMA, Ankit et al. 2019: 1 GHz)."""

NEURRAM_ROWS = 256
"""Rows of a NeuRRAM core."""

STEP_J = 2e-3 / 1.28e9 / 2**8
"""Energy of a converter per conversion step, Walden's figure of merit: ISAAC's at its nominal 8 bits."""

SET_TIME_S, RESET_TIME_S, PULSE_GAP_S = 150e-9, 40e-9, 50e-9

_ISAAC = "ISAAC, Shafiee et al. 2016 (32 nm)"
_WALDEN = (
    f"{_ISAAC}: 8 bit, 2 mW at 1.28 GS/s; other resolutions in proportion to 2^bits (Walden 1999), which "
    "holds to about 10 bits; beyond them thermal noise asks for up to twice as much again per bit"
)
_SAR = f"{_ISAAC}: 8 bit at 1.28 GS/s; a converter by successive approximation decides one bit after another"
_DAC = (
    "a converter by successive approximation contains a DAC of its own resolution, so its figure is taken; "
    "driving the row comes on top, holding an exact voltage on it is left out for want of a figure"
)
_PUMA = "PUMA, Ankit et al. 2019 (32 nm)"
_NVSIM = "NVSim, Dong et al. 2012: PCM"
_LOIHI = "Davies et al. 2018, Table 2: digital neuron, pre-silicon"
_ANALOG = (
    "nothing beyond the digital neuron's update; for analog neurons set neuron_updates to 0 and this to "
    "their energy per spike: 22 pJ (doi 10.3389/fnins.2023.1198306), 4 fJ for the cell alone in 65 nm "
    "(doi 10.3389/fnins.2017.00123)"
)
_HOROWITZ = "Horowitz 2014 (45 nm): 32-bit multiply 3.7 pJ, add 0.9 pJ, two accesses to an 8 kB SRAM at 5 pJ"
_NEURRAM = (
    "NeuRRAM, Wan et al. 2022 (130 nm): 23 fJ per MAC with 1-bit inputs, for all 256 rows of a core; the "
    "source uses MAC and operation for one another, so a factor of 2 is uncertain"
)
_HERMES = "HERMES core, Khaddam-Aljameh et al. 2021 (14 nm): 256 x 256 product at 10.5 TOPS/W"


@dataclass(frozen=True)
class Technology:
    """What writing a device takes, and the chip it was measured on.

    Attributes:
        name: The technology.
        programming: Energy of pulses [J].
        pulse_s: Durations of SET and RESET pulses, with the gap to the next one [s].
        chip: Figures of a measured chip [J], or empty.
        chip_scope: What they include, and what they leave out.
    """

    name: str
    programming: tuple[Figure, ...]
    pulse_s: tuple[Figure, ...]
    chip: tuple[Figure, ...] = ()
    chip_scope: str = ""


_VERIFY = Figure(
    "verify_reads", 1.56e-12, f"{_ISAAC}: one conversion of 8 bits; the cell itself is negligible"
)
_NVSIM_RERAM = "NVSim, Dong et al. 2012: ReRAM, 2 V, 10 ns"

PCM = Technology(
    "PCM",
    (
        Figure("set_pulses", 22e-12, f"{_NVSIM}: 150 uA, 150 ns, 1 V"),
        Figure("reset_pulses", 12e-12, f"{_NVSIM}: 300 uA, 40 ns, 1 V"),
        _VERIFY,
    ),
    (
        Figure("rows_programmed", SET_TIME_S + PULSE_GAP_S, f"{_NVSIM}: SET pulse; 50 ns to the next"),
        Figure("rows_reset", RESET_TIME_S + PULSE_GAP_S, f"{_NVSIM}: RESET pulse; 50 ns to the next"),
    ),
    (Figure("tile_reads", 12.5e-9, _HERMES),),
    "matrix-vector products only, with their converters as built, each tile taken as a full 256 x 256 core; "
    "no neurons, no learning, no programming, no communication.",
)

RERAM = Technology(
    "ReRAM",
    (Figure("set_pulses", 0.6e-12, _NVSIM_RERAM), Figure("reset_pulses", 0.6e-12, _NVSIM_RERAM), _VERIFY),
    (
        Figure("rows_programmed", 10e-9 + PULSE_GAP_S, f"{_NVSIM_RERAM}; 50 ns to the next"),
        Figure("rows_reset", 10e-9 + PULSE_GAP_S, f"{_NVSIM_RERAM}; 50 ns to the next"),
    ),
    (Figure("conversions", NEURRAM_ROWS * 23e-15, _NEURRAM),),
    "matrix-vector products only, with their converters as built, each column converted taken as one of 256 "
    "rows in full use, however few inputs are active; "
    "no neurons, no learning, no programming, no communication.",
)

SCALED_TIME = Technology(
    "scaled time: no figures are known, ReRAM's stand in", RERAM.programming, RERAM.pulse_s
)


LEARNING: Mapping[str, Figure] = MappingProxyType(
    {
        "mixed-precision": Figure("learning_updates", 14.6e-12, f"{_HOROWITZ}: one weight's accumulator"),
        "stochastic": Figure("learning_updates", 4.6e-12, f"{_HOROWITZ}: a product, compared with a number"),
        "sign": Figure("learning_updates", 0.03e-12, "Horowitz 2014 (45 nm): 8-bit comparison of signs"),
    }
)
"""What deciding about one weight takes, by learning scheme; only mixed precision keeps a sum for it."""


def crossbar_cost(
    technology: Technology,
    *,
    learning: str = "mixed-precision",
    read_voltage_v: float = READ_VOLTAGE_V,
    read_time_s: float = READ_TIME_S,
) -> TableCost:
    """Figures of a crossbar with digital neurons.

    Latency is of what happens one after another: every conversion is followed by a scaling and a sum, and a
    learning circuit visits one weight per cycle of its memory, neither of which is taken as overlapping with
    anything else.

    Args:
        technology: Figures of its devices.
        learning: The learning scheme, a key of :data:`LEARNING`.
        read_voltage_v: Voltage on a row that is driven fully [V].
        read_time_s: Duration of a read pulse [s].
    """
    cell = f"V^2 t per siemens: {read_voltage_v:g} V for {read_time_s * 1e9:g} ns on the simulated devices"
    # The driver's figure is for 100 ns; it holds the row for as long as the read lasts.
    driver = 0.39e-12 * read_time_s / 100e-9
    return TableCost(
        name=f"{technology.name} crossbar, modelled (ISAAC, PUMA, NVSim; neurons as on Loihi)",
        energy={
            "cell_read": (Figure("read_conductance_siemens", read_voltage_v**2 * read_time_s, cell),),
            "row_driver": (Figure("row_activations", driver, f"{_PUMA}: 1-bit DAC, 0.39 pJ in 100 ns"),),
            "dac": (Figure("dac_steps", STEP_J, _DAC),),
            "adc": (Figure("conversion_steps", STEP_J, _WALDEN),),
            "digital": (Figure("digital_ops", 0.05e-12, f"{_PUMA}: shift-add"),),
            "neurons": (Figure("neuron_updates", 81e-12, _LOIHI), Figure("spikes", 0.0, _ANALOG)),
            "learning": (LEARNING[learning],),
            "programming": technology.programming,
            "static": (Figure("dt_s", 0.0, "W; not known for this design: left out unless set"),),
            **HOST_ENERGY,
        },
        latency=(
            Figure("serial_tile_reads", read_time_s, "rows driven and currents integrated"),
            Figure("serial_decisions", 1 / 1.28e9 / 8, _SAR),
            Figure("serial_conversions", 2 * CYCLE_S, f"{_PUMA}, 1 GHz: scaling and sum behind a conversion"),
            Figure(
                "busiest_core_learning_updates", CYCLE_S, f"{_PUMA}, 1 GHz: one weight per cycle, assumed"
            ),
            Figure("serial_verify_reads", read_time_s + CONVERSION_S, f"a read, and a conversion: {_ISAAC}"),
            *technology.pulse_s,
        ),
        chip=technology.chip,
        chip_terms=("cell_read", "row_driver", "dac", "adc", "digital") if technology.chip else (),
        chip_scope=technology.chip_scope,
    )


def pcm_cost(*, read_voltage_v: float = READ_VOLTAGE_V, read_time_s: float = READ_TIME_S) -> TableCost:
    """Figures of a PCM crossbar with digital neurons, as :func:`crossbar_cost`."""
    return crossbar_cost(PCM, read_voltage_v=read_voltage_v, read_time_s=read_time_s)


PCM_COST = pcm_cost()
"""Figures at the usual read voltage and time."""

RERAM_COST = crossbar_cost(RERAM)
"""Figures of a ReRAM crossbar, read like PCM."""

TECHNOLOGIES: Mapping[str, Technology] = MappingProxyType(
    {"pcm": PCM, "reram": RERAM, "scaled time": SCALED_TIME}
)
"""Figures of writing by the name that devices give."""


def cost_of(
    device: Device, learning: str = "mixed-precision", figures: Mapping[str, float] = MappingProxyType({})
) -> TableCost:
    """The figures that apply to a device, read as it is; those of PCM where its technology has none.

    Args:
        device: What most matrices are made of.
        learning: The learning scheme, a key of :data:`LEARNING`.
        figures: Amounts to use instead, by the count they multiply [J or s].

    Raises:
        UnknownNameError: There is no figure for such a count.
        ConfigError: An amount is not 0 or a positive number.
    """
    return crossbar_cost(
        TECHNOLOGIES.get(device.technology, PCM),
        learning=learning,
        read_voltage_v=device.read_voltage_v,
        read_time_s=device.read_time_s,
    ).with_figures(figures)
