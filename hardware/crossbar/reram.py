"""Resistive memory: soft bounds, with pulses in both directions.

In the range ``u`` from 0 to 1 a pulse upwards changes ``u`` by ``a_up (1 - u)`` in the mean, one downwards
by ``-a_down u``. The published fits give the step ``dw`` of a weight between ``w_min`` and ``w_max`` where
the weight is 0, at ``u = -w_min / (w_max - w_min)``: ``a_up = dw / w_max``, ``a_down = dw / -w_min``. Scatter
from pulse to pulse is additive: it stays what it is at weight 0 where steps shrink (``mult_noise=False`` in
all of the toolkit's soft-bounds fits to ReRAM). Between devices, both steps are larger or smaller together.

The ends of the range differ from device to device by 24 to 60 % of their distance from the weight 0; no
conductance is negative, which cuts the lower end's scatter short. Learning starts at the weight 0, where
steps up and down are equal: the fits take the devices as calibrated to that point.

The fits' write noise is taken as the scatter of write-verify. After single pulses, where the toolkit adds it
as well, it is not added.

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
    additive_scatter: bool = True
    learn_start: float = 0.5
    endurance_cycles: float = 1e8

    @classmethod
    def gong2018(cls) -> SoftBoundsDevice:
        """Very fine steps under almost four times their size of noise.

        The loose fit of soft bounds to the paper; the closer one, of exponential steps, is another response.
        """
        w_min, w_max, dw = -0.75, 1.25, 0.002
        return cls(
            source="Gong et al. 2018, soft-bounds fit of IBM's analog-hardware toolkit (ReRamSBPreset); "
            "write noise of 56 steps as programming scatter; age is not modelled",
            set_step=dw / w_max,
            reset_step=dw / -w_min,
            set_scatter=3.75,
            device_scatter=0.3,
            asymmetry_scatter=0.01,
            bound_scatter=(0.3 / w_max, 0.3 / -w_min),
            learn_start=-w_min / (w_max - w_min),
            programming_us=_write_noise_us(56, dw),
        )

    @classmethod
    def hfo2(cls) -> SoftBoundsDevice:
        """About four states, and every tenth device corrupt."""
        return cls(
            source="Gong, Rasch et al. 2022, baseline HfO2 array (ReRamArrayHfO2Preset of IBM's toolkit); "
            "write noise as programming scatter; age is not modelled",
            set_step=0.4622,
            reset_step=0.4622,
            set_scatter=0.2174,
            device_scatter=0.7125,
            device_log_normal=True,
            asymmetry_scatter=0.01,
            bound_scatter=(0.4295, 0.5990),
            programming_us=_write_noise_us(0.5841, 0.4622),
            corrupt=0.098,
        )

    @classmethod
    def optimised(cls) -> SoftBoundsDevice:
        """About 21 states; 13.5 % of the devices are corrupt."""
        return cls(
            source="Gong, Rasch et al. 2022, optimised-material array (ReRamArrayOMPreset of IBM's toolkit); "
            "write noise as programming scatter; age is not modelled",
            set_step=0.0949,
            reset_step=0.0949,
            set_scatter=0.4158,
            device_scatter=0.7829,
            device_log_normal=True,
            asymmetry_scatter=0.01,
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
            write_pulses=48,  # 0.6 pJ, and a read of 1.56 pJ after each: the 104 pJ of a cell in all
            learn_start=0.0,
            programming_us=(0.348, 16.030, -43.853, 45.393, -16.815),
            relaxed_us=(
                (86_400.0, (0.701, 22.086, -50.773, 47.095, -16.458)),
                (172_800.0, (0.782, 20.274, -43.507, 37.062, -11.934)),
            ),
            valid_age_s=(1.0, 172_800.0),
        )
