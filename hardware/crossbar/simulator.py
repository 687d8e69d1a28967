"""Nengo's simulator interface on memristive crossbars: any Nengo network runs on it."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any, NoReturn

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons

from spikearm.errors import ConfigError, TimeStepError
from spikearm.hardware.checks import is_number, require_whole
from spikearm.hardware.crossbar.ageing import Ageing
from spikearm.hardware.crossbar.builder import CrossbarMapper, all_ensembles
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger, count_spikes
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.operators import CrossbarRead
from spikearm.hardware.crossbar.warm_up import load_compiled
from spikearm.hardware.wear import Wear
from spikearm.records import OpCounts

# Keeps the substrate's random numbers apart from those that Nengo draws from the same seed.
_STREAM = 0xC205


class CrossbarSimulator(nengo.Simulator):
    """Runs a Nengo network with its weights on memristive crossbars.

    Used like ``nengo.Simulator``. See :mod:`.builder` for what lies on tiles and what stays digital.

    Args:
        network: The network, or None if ``model`` holds a built one.
        dt: Time step [s].
        seed: Seed of everything random that is not drawn when the network is built: programming and
            read noise of devices, and Nengo's own processes. None takes the network's plus one, like Nengo.
        config: Devices, tiles, converters.
        model: A ``nengo.builder.Model`` to build into, or one that is built already. The simulator runs a
            copy of it, so that others can be made of the same model; time steps are those of the model.
        progress_bar: As Nengo's.
        optimize: As Nengo's.

    Attributes:
        config: The configuration.
        matrices: All matrices on crossbars.

    Raises:
        ConfigError: The configuration is none, names what the network does not have, or the seed is none.
        TimeStepError: The time step is not a positive number.
    """

    def __init__(
        self,
        network: nengo.Network | None,
        dt: float = 0.001,
        seed: int | None = None,
        config: CrossbarConfig | None = None,
        model: Any = None,
        *,
        progress_bar: Any = True,
        optimize: bool = True,
    ) -> None:
        self.closed = True  # Nengo's destructor looks at it if anything below raises.
        self.config = CrossbarConfig() if config is None else _checked(config)
        if not (is_number(dt) and dt > 0):
            raise TimeStepError(f"dt must be a positive number of seconds, not {dt!r}; try 0.001.")
        if seed is not None:
            seed = int(seed) if isinstance(seed, np.integer) else seed
            require_whole("seed", seed, 0, 2**63 - 1)
        if model is None:
            label = f"{network}, dt={dt:f}, on crossbars"
            # No decoder cache: a run should not depend on, nor leave, files in the home folder.
            model = Model(dt=float(dt), label=label)
        if network is not None:
            model.build(network)
        model = _copied(model)
        self._substrate_seed = _choose_seed(seed, network)
        load_compiled()
        self._ledger = Ledger()
        seeds = np.random.SeedSequence([self._substrate_seed, _STREAM])
        self._clock = DeviceClock(model.dt)
        placement = CrossbarMapper(model, self.config, self._ledger, self._clock, seeds).place()
        self.matrices: tuple[CrossbarMatrix, ...] = placement.matrices
        self._learnings = placement.learnings
        self._ageing = Ageing(
            self.matrices,
            self._clock,
            n_slots=self.config.ageing_steps,
            compensation_s=self.config.drift_compensation_s,
            ledger=self._ledger,
        )
        fixed = self._counts_of_every_step(model)
        self._compiled = {name: array.copy() for name, array in self.changing_arrays().items()}
        super().__init__(
            None,
            dt=dt,
            seed=self._substrate_seed,
            model=model,
            progress_bar=progress_bar,
            optimize=optimize,
        )
        self._ledger.prepare(self._number_levels(), fixed)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a CrossbarSimulator cannot be pickled; save and load the state of a CrossbarProgram instead."
        )

    @property
    def counts(self) -> OpCounts:
        """The operations of the last step."""
        spikes = sum(count_spikes(output, per_spike) for output, per_spike in self._populations)
        return self._ledger.total(spikes)

    @property
    def wear(self) -> tuple[Wear, ...]:
        """Pulses taken by the devices of each learned matrix."""
        return tuple(learning.wear() for learning in self._learnings)

    @property
    def programming_counts(self) -> OpCounts:
        """What it took to program all devices before the first step; no step's counts contain it."""
        return sum((matrix.cells.programming for matrix in self.matrices), OpCounts())

    @property
    def programming_pulses_max(self) -> dict[str, float]:
        """SET and RESET pulses on the device that programming took most of, by matrix, static ones included.

        A matrix can be programmed as often as this goes into its devices' endurance; of those that learn,
        :attr:`wear` counts what came after.
        """
        pulses: dict[str, float] = {}
        for matrix in self.matrices:
            most = float(matrix.cells.programming_pulses.max())
            pulses[matrix.label] = max(most, pulses.get(matrix.label, 0.0))
        return pulses

    @property
    def clipped_conversions(self) -> int:
        """Conversions that left their range since the start."""
        return sum(int(matrix.clipped[0]) for matrix in self.matrices)

    def advance_time(self, seconds: float) -> None:
        """Let time pass between two steps: devices drift and fluctuate, the network rests.

        Args:
            seconds: How long [s], e.g. 86,400 for a day.

        Raises:
            ConfigError: The time is not positive and finite, or longer than the devices are described for.
            SimulatorClosed: The simulator is closed.
        """
        if self.closed:
            raise nengo.exceptions.SimulatorClosed("Cannot advance the time of a closed simulator.")
        if not (is_number(seconds) and seconds > 0):
            raise ConfigError(f"time can only advance; give a positive number of seconds, not {seconds!r}.")
        self._ageing.require_time(seconds)
        self._ageing.rest(seconds)

    def run_steps(self, steps: int, progress_bar: Any = None) -> None:
        """Simulate for some steps, as ``nengo.Simulator`` does.

        Args:
            steps: How many.
            progress_bar: As Nengo's.

        Raises:
            ConfigError: Devices would become older than they are described for; not a step is made then.
        """
        self._ageing.require_time(steps * self.dt)
        super().run_steps(steps, progress_bar=progress_bar)

    def reset(self, seed: int | None = None) -> None:
        """Back to the state right after building, devices included.

        Args:
            seed: New seed of all noise while running; programmed conductances stay, as in Nengo the
                built network does.
        """
        if self.closed:
            raise nengo.exceptions.SimulatorClosed("Cannot reset closed Simulator.")
        for name, array in self.changing_arrays().items():
            array[...] = self._compiled[name]
        children = np.random.SeedSequence([self.seed if seed is None else seed, _STREAM, 1]).spawn(
            len(self.matrices) + len(self._learnings)
        )
        owners: tuple[CrossbarMatrix | PulseLearning, ...] = (*self.matrices, *self._learnings)
        for owner, child in zip(owners, children, strict=True):
            owner.rng = np.random.default_rng(child)
        super().reset(seed)
        self._steps.insert(0, self._ageing.step)
        self._populations = [
            (self.signals[self.model.sig[neurons]["out"]], per_spike) for neurons, per_spike in self._spiking
        ]

    def changing_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Every array of the substrate that changes while running, by name; live, not copies."""
        arrays: dict[str, np.ndarray[Any, Any]] = {
            **self._clock.arrays(),
            "next_compensation": self._ageing.next_compensation,
        }
        for i, matrix in enumerate(self.matrices):
            arrays |= {f"matrix{i}/{name}": array for name, array in matrix.arrays().items()}
        for i, learning in enumerate(self._learnings):
            arrays |= {f"learning{i}/{name}": array for name, array in learning.arrays().items()}
        return arrays

    def random_sources(self) -> dict[str, np.random.Generator]:
        """The generators of the substrate, by name."""
        sources = {f"matrix{i}/rng": matrix.rng for i, matrix in enumerate(self.matrices)}
        sources |= {f"learning{i}/rng": learning.rng for i, learning in enumerate(self._learnings)}
        return sources

    def _counts_of_every_step(self, model: Any) -> OpCounts:
        """Counts that do not depend on what happens; also finds the spiking populations."""
        outputs = {model.sig[e.neurons]["out"] for e in all_ensembles(model)}
        updates = sum(
            op.J.size for op in model.operators if isinstance(op, SimNeurons) and op.output in outputs
        )
        self._spiking = [
            (e.neurons, float(getattr(e.neuron_type, "amplitude", 1.0)) / model.dt)
            for e in all_ensembles(model)
            if e.neuron_type.spiking
        ]
        return OpCounts(
            synaptic_ops_dense=float(sum(m.cells.n_pairs for m in self.matrices)),
            neuron_updates=float(updates),
            neuron_updates_active=float(updates),
        )

    def _number_levels(self) -> int:
        """Give every read its place on the longest chain of reads that wait for one another."""
        waits_for: dict[Any, int] = {}
        n_levels = 1
        for op in self.step_order:
            level = waits_for.get(op, 0)
            if isinstance(op, CrossbarRead):
                op.level = level
                level += 1
                n_levels = max(n_levels, level)
            for dependent in self.dg[op]:
                waits_for[dependent] = max(waits_for.get(dependent, 0), level)
        return n_levels


def _checked(config: Any) -> CrossbarConfig:
    if not isinstance(config, CrossbarConfig):
        raise ConfigError(
            f"config must be a CrossbarConfig, not {config!r}; write CrossbarConfig(device='pcm') for a kind "
            "of device, CrossbarConfig(**settings) for settings by name."
        )
    return config


def _copied(model: Any) -> Any:
    """A model whose operators, signals and probes can be exchanged; the given one stays as it was built."""
    own = copy.copy(model)
    own.operators = [copy.copy(op) for op in model.operators]
    own.sig = defaultdict(dict, {owner: dict(signals) for owner, signals in model.sig.items()})
    own.params = dict(model.params)
    return own


def _choose_seed(seed: int | None, network: nengo.Network | None) -> int:
    if seed is not None:
        return seed
    if network is not None and network.seed is not None:
        return int(network.seed) + 1
    return int(np.random.default_rng().integers(2**31 - 1))
