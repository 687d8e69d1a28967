"""Resistive memory: soft bounds, with pulses in both directions.

In the range ``u`` from 0 to 1 a pulse upwards changes ``u`` by ``a_up (1 - u) (1 + s xi)``, one downwards by
``-a_down u (1 + s xi)``. The published fits give steps of a weight between -1 and 1; relative to the range
they are half as large where the weight is 0, and ``a = dw`` makes them so.

The ends of the range differ from device to device by 30 to 60 % of their distance from its middle; no
conductance is negative, which cuts the lower end's scatter short.

Two things the fits do not tell. The range in siemens: NeuRRAM's is taken. Read noise: no source separates it
from the scatter of writing. IBM's toolkit, which has fits to all these devices, recommends an additive
deviation of about 1 % of the range at every read beside its ReRAM models; that is taken for all, white.
It is a recommendation, not a measurement of these devices, and knows nothing of random telegraph noise
(``additive_noise=0`` turns it off).

References:
    Gong et al. 2018, "Signal and noise extraction from analog memory elements for neuromorphic
        computing", Nat. Commun. 9, 2102.
    Gong, Rasch et al. 2022, "Deep learning acceleration in 14nm CMOS compatible ReRAM array", IEDM.
    Wan et al. 2022, "A compute-in-memory chip based on resistive random-access memory", Nature 608.
    Rasch et al. 2021, "A flexible and fast PyTorch toolkit for simulating training and inference on analog
        crossbar arrays" (IBM's analog-hardware toolkit), AICAS: presets of the devices of Gong et al., ReRAM
        noise models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikearm.hardware.crossbar.device import Device

G_MIN_SIEMENS, G_MAX_SIEMENS = 1e-6, 40e-6
"""Range of NeuRRAM's cells (Wan et al. 2022)."""


def _write_noise_us(n_steps: float, step: float) -> tuple[float]:
    """Programming scatter of ``n_steps`` steps of a weight in [-1, 1], which is twice the range [uS]."""
    return (0.5e6 * n_steps * step * (G_MAX_SIEMENS - G_MIN_SIEMENS),)


@dataclass(frozen=True)
class SoftBoundsDevice(Device):
    """A device that pulses raise and lower, by less and less towards either end of its range."""

    technology: ClassVar[str] = "reram"

    g_min_siemens: float = G_MIN_SIEMENS
    g_max_siemens: float = G_MAX_SIEMENS
    noise_scale: float = 1.0
    noise_q: tuple[float, float, float] = (0.0, 0.0, 0.0)
    additive_noise: float = 0.01
    set_step: float = 0.01
    reset_step: float = 0.01
    learn_start: float = 0.5
    endurance_cycles: float = 1e8

    @classmethod
    def gong2018(cls) -> SoftBoundsDevice:
        """Very fine steps under five times their size of noise; upward steps larger than downward ones."""
        return cls(
            source="Gong et al. 2018, soft-bounds figures; write noise of 75 steps as programming scatter",
            set_step=0.00135,
            reset_step=0.00135 * (1.0 - 0.259),
            set_scatter=5.0,
            device_scatter=0.2,
            bound_scatter=(0.3, 0.3),
            programming_us=_write_noise_us(75, 0.00135),
        )

    @classmethod
    def hfo2(cls) -> SoftBoundsDevice:
        """About four states, and every tenth device corrupt."""
        return cls(
            source="Gong, Rasch et al. 2022, baseline HfO2 array; write noise as programming scatter",
            set_step=0.4622,
            reset_step=0.4622,
            set_scatter=0.2174,
            device_scatter=0.7125,
            bound_scatter=(0.4295, 0.5990),
            programming_us=_write_noise_us(0.5841, 0.4622),
            corrupt=0.098,
        )

    @classmethod
    def optimised(cls) -> SoftBoundsDevice:
        """About 21 states; 13.5 % of the devices are corrupt."""
        return cls(
            source="Gong, Rasch et al. 2022, optimised-material array; write noise as programming scatter",
            set_step=0.0949,
            reset_step=0.0949,
            set_scatter=0.4158,
            device_scatter=0.7829,
            bound_scatter=(0.3499, 0.5695),
            programming_us=_write_noise_us(1.4113, 0.0949),
            corrupt=0.135,
        )

    @classmethod
    def neurram(cls) -> SoftBoundsDevice:
        """Cells of the NeuRRAM chip: scatter from a second to two days after write-verify.

        The polynomials are IBM's fits to the published histograms at 1 s, one day and two days. Devices relax
        when they are written and when time passes at once, not while a network runs: ten seconds, begun 25 s
        after writing, would add a fiftieth to the scatter. The response to single pulses is unknown.
        """
        return cls(
            source="Wan et al. 2022 (NeuRRAM): scatter 1 s to two days after write-verify, g_max 40 uS",
            set_step=0.0,
            reset_step=0.0,
            write_pulses=173,  # of 0.6 pJ: the 104 pJ that a cell takes in all
            learn_start=0.0,
            programming_us=(0.348, 16.030, -43.853, 45.393, -16.815),
            relaxed_us=(
                (86_400.0, (0.701, 22.086, -50.773, 47.095, -16.458)),
                (172_800.0, (0.782, 20.274, -43.507, 37.062, -11.934)),
            ),
            valid_age_s=(1.0, 172_800.0),
        )
