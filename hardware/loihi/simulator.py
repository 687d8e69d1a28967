"""nengo-loihi's simulator with the compiled emulator, for any network."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import nengo
import nengo_loihi
import numpy as np
from nengo.exceptions import SimulatorClosed
from nengo_loihi.hardware.interface import HardwareInterface
from nengo_loihi.simulator import StepRunner

from spikearm.errors import ConfigError
from spikearm.hardware.loihi.emulator.interface import CompiledEmulator
from spikearm.hardware.loihi.nxsdk import require_nxsdk

EMULATORS = ("compiled", "stock")


class Simulator(nengo_loihi.Simulator):
    """``nengo_loihi.Simulator`` on the compiled emulator, and with what it leaves out.

    Beyond the original, :meth:`reset` works, and so do probes with ``sample_every``. Results are those of the
    stock emulator bit for bit. On a board (``target="loihi"``) it is the original, except that a reset loads
    the board anew.

    Args:
        network: The network to simulate.
        dt: Time step [s].
        seed: Seed of noise and stochastic rounding; by default the network's seed plus 1.
        model: Model to build into, if some of its parameters are not the default ones.
        precompute: Whether to run the host ahead; by default if that is possible.
        target: ``"sim"`` in whole numbers like the chip, ``"simreal"`` in float32, ``"loihi"`` on a board.
        emulator: ``"compiled"`` or ``"stock"``.
        **options: Further options of ``nengo_loihi.Simulator``.

    Raises:
        ConfigError: There is no such emulator, or no way to reach a board.
        CapacityError: A connection learns in a way that the compiled emulator does not know.
    """

    def __init__(
        self,
        network: nengo.Network,
        dt: float = 0.001,
        seed: int | None = None,
        model: nengo_loihi.builder.Model | None = None,
        precompute: bool | None = None,
        target: str | None = None,
        *,
        emulator: Literal["compiled", "stock"] = "compiled",
        **options: Any,
    ) -> None:
        self.closed = True
        self._hardware_options: dict[str, Any] = options.get("hardware_options") or {}
        if emulator not in EMULATORS:
            raise ConfigError(f"emulator must be one of {', '.join(EMULATORS)}, not {emulator!r}.")
        if target == "loihi":
            require_nxsdk()
        with warnings.catch_warnings():
            # The stock emulator fills arrays of whole numbers with NaN before it writes the real values.
            warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning)
            super().__init__(network, dt, seed, model, precompute, target, **options)
        self._initial_spikes = [dict(spike_input.spikes) for spike_input in self.model.inputs]
        chip = self.sims.get("emulator")
        if chip is None:
            return
        self._initial_weights = [
            [rows.copy() for rows in synapse.weights] for synapse in chip.synapses.slices if synapse.learning
        ]
        if emulator == "compiled":
            try:
                self._replace_emulator(CompiledEmulator, chip.seed)
                self._runner = StepRunner(self.model, self.sims, self.precompute, self.timers)
            except Exception:
                self.close()
                raise

    def _replace_emulator(self, kind: type[Any], seed: int) -> None:
        self.sims["emulator"].close()
        with np.errstate(invalid="ignore"):
            self.sims["emulator"] = kind(self.model, seed=seed)

    def _rewind_emulator(self, seed: int | None) -> None:
        chip = self.sims["emulator"]
        learning = [synapse for synapse in chip.synapses.slices if synapse.learning]
        for synapse, initial in zip(learning, self._initial_weights, strict=True):
            for rows, values in zip(synapse.weights, initial, strict=True):
                rows[...] = values
        self._replace_emulator(type(chip), chip.seed if seed is None else seed)

    def _replace_board(self, seed: int | None) -> None:
        old = self.sims["loihi"]
        _release(old)
        self.sims["loihi"] = HardwareInterface(
            self.model,
            use_snips=old.use_snips,
            seed=old.seed if seed is None else seed,
            **self._hardware_options,
        )

    def close(self) -> None:
        """Release host and chip; closing twice is not an error."""
        if "loihi" in self.sims:
            _release(self.sims["loihi"])
        super().close()

    def reset(self, seed: int | None = None) -> None:
        """Go back to the beginning: neurons, weights, filters, random streams and probes.

        Args:
            seed: Another seed for noise, stochastic rounding and random processes; the same by default.

        Raises:
            SimulatorClosed: The simulator is closed.
        """
        if self.closed:
            raise SimulatorClosed("Cannot reset closed Simulator.")
        for spike_input, spikes in zip(self.model.inputs, self._initial_spikes, strict=True):
            spike_input.spikes.clear()
            spike_input.spikes.update(spikes)
        if "loihi" in self.sims:
            self._replace_board(seed)
        else:
            self._rewind_emulator(seed)
        for name in ("host_pre", "host"):
            if name in self.sims:
                self.sims[name].reset(seed)
        self._runner = StepRunner(self.model, self.sims, self.precompute, self.timers)
        self.clear_probes()
        self._n_steps = 0
        self._probe_step_time()

    def _probe(self) -> None:
        """Collect what the chip's probes have seen since the last call."""
        self._probe_step_time()
        for probe in self.model.nengo_probes:
            if probe in self.model.chip2host_params:
                continue
            sim = self.sims["loihi" if "loihi" in self.sims else "emulator"]
            data = sim.collect_probe_output(self.model.objs[probe]["out"])
            if probe.sample_every is not None:
                steps = np.arange(self.n_steps - len(data), self.n_steps) + 1
                data = data[steps % (probe.sample_every / self.dt) < 1]
            self._probe_outputs[probe].extend(data)


def _release(board: HardwareInterface) -> None:
    """Close a board, and what nengo-loihi leaves open: a socket never connected, and its folder."""
    if not board.closed:
        board.close()
    if board.snips is not None:
        board.snips.host_snip.socket.close()
        board.snips.tmp_snip_dir.cleanup()
