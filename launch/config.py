"""What a run is: one frozen object that is command line, TOML file, and JSON in the run folder."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from spikearm.controller.laws.gains import Gains
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.mapping import from_mapping
from spikearm.launch.reaches import Targets
from spikearm.models.adaptive import require_equal_parts
from spikearm.models.osc import STAGES
from spikearm.models.rules import LEARNING_RULES

CONTROLLERS = ("adaptive", "osc", "pd", "pid", "spiking-osc")
NETWORKED = ("adaptive", "spiking-osc")
"""Those of them that have a network, and so a substrate."""
CONFIGS = Path(__file__).parent / "configs"
STATIC_WEIGHTS = {
    "osc.*": {
        "devices_per_synapse": 4,
        "program_rounds": 5,
        "correct_rest": True,
        "tile_rows": 128,
        "tile_cols": 128,
    }
}
"""How the weights of the spiking controller, which never learn, lie on crossbars unless one says otherwise:
each shared by four pairs, written in five rounds of program-and-verify to make up for what devices at rest
conduct, on tiles small enough for wires. What is wrong with a weight moves the arm."""
_WAIT_SHARE = 0.4
"""Part of a tick for which a remote network is waited for: the rest is the law's, and the arm's."""
DEFAULT_TRIALS = 10
DEFAULT_REACH_S = 0.8


@dataclass(frozen=True)
class NetworkConfig:
    """The adaptive network.

    Attributes:
        encoder: Weights of the DNN state encoder: "shipped" (those that come with the package for iiwa14,
            planar2 and planar3; other arms go without), "none" (the neurons see the state itself), or the
            path of an .npz file.
        committee: Copies of the encoder whose features are averaged, against the scatter of crossbar weights.
        state_share: Share of the neurons that see the state itself beside an encoder.
        n_neurons: Spiking neurons that learn.
        n_ensembles: Parts they are split into; a Loihi core holds 1024 neurons of one part.
        learning_rule: How the decoders follow the error: "pes", which is told the error of every joint, or
            "node-perturbation", which is told its size alone and tries out what makes it smaller.
        learning_rate: Learning rate, as Nengo defines it for PES; by default the encoder's own, or the best
            that was found for the state itself, at the rule's pace.
        network_dt_s: Network time step [s]; the control step is a whole number of them. Or it is a whole
            number of control steps; its output is then held in between.
    """

    encoder: str = "shipped"
    committee: int = 1
    state_share: float = 0.0
    n_neurons: int = 1000
    n_ensembles: int = 1
    learning_rule: str = "pes"
    learning_rate: float | None = None
    network_dt_s: float = 0.001

    def __post_init__(self) -> None:
        if self.learning_rule not in LEARNING_RULES:
            raise UnknownNameError("learning rule", self.learning_rule, LEARNING_RULES)
        if not 0.0 <= self.state_share < 1.0:
            raise ConfigError(
                f'state_share must be from 0 up to but not 1, not {self.state_share!r}; encoder="none" '
                "lets all neurons see the state."
            )
        require_equal_parts(self.n_neurons, self.n_ensembles)
        if self.committee < 1:
            raise ConfigError(f"committee must be at least 1, not {self.committee}.")
        for key in ("learning_rate", "network_dt_s"):
            value = getattr(self, key)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{key} must be a positive number, not {value!r}.")


@dataclass(frozen=True)
class SpikingConfig:
    """The spiking operational-space controller.

    Attributes:
        stage: "nodes" (the reduced algebra without neurons), "rate" (rates without dynamics), "spiking"
            (spikes and synapses), or "hardware" (the same; on Loihi made for its neurons' dead time, which
            other substrates do not have).
        weights: "shipped" (those that come with the package for this arm), or the path of an .npz file.
    """

    stage: Literal["nodes", "rate", "spiking", "hardware"] = "hardware"
    weights: str = "shipped"

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise UnknownNameError("stage", self.stage, STAGES)


@dataclass(frozen=True)
class RunConfig:
    """One closed-loop run: an arm reaches out and back, again and again, with a load it knows nothing of.

    Attributes:
        backend: Substrate: reference, loihi or crossbar.
        arm: A shipped arm, or an MJCF file's path. Shipped are iiwa14, gen3, fr3, ur5e, planar1, planar2 and
            planar3.
        controller: adaptive, osc, spiking-osc, pd or pid: operational-space control with a spiking network
            that learns, the same law without the network, the law itself in spiking neurons, and control in
            joint space.
        trials: Reaches, out or back; by default 10 of 0.8 s each. With duration_s, that over 0.8 s, rounded.
        duration_s: Length of the run [s], shared by its reaches. Each takes duration_s / trials, in whole
            ticks: 5 s without trials are six reaches of 0.833 s. By default 0.8 s per reach.
        distance_m: Length of a reach [m]; by default the arm's own.
        targets: Where the reaches go; by default out and back along one line.
        seed: Draws targets, network, devices and all noise.
        control_dt_s: Control time step [s].
        perturbation: What the arm carries and suffers, and the controller does not know.
        network: The adaptive network.
        spiking: The spiking operational-space controller.
        loihi: The Loihi substrate.
        crossbar: The crossbar substrate.
        gains: Feedback of the law; pid adds an integral of 500 1/s^3 unless ki is given.
        feedforward: Whether operational-space control knows the target's velocity and acceleration; without,
            it is the published form, which damps all motion and lags behind.
        substrate_at: Address (local:NAME, unix:PATH or udp://HOST:PORT) at which `spikearm backend serve`
            runs the network; "" runs it in this process.
        substrate_key_file: 32-byte key of mode 0600 shared with that machine.
        substrate_wait_s: How long a step waits for the remote network's answer [s]; after that, its last
            output is used again. By default 0.4 of a tick in real time; otherwise time stands still for it.
        actuation_delay: "none", or "modelled": the torque reaches the arm after the latency that the
            substrate would have had.
        torque_rate_nm_s: Fastest change of each torque [N m/s]. The default is what libfranka allows, and
            what `spikearm robot serve` lets through. While a torque lags behind by more than five ticks,
            the network does not learn; such ticks are counted in the summary.
        realtime: Keep pace with the wall clock instead of running as fast as possible.
        rest_s: Time that passes half-way through the run, between two reaches, for the substrate alone [s]:
            86400 lets the devices of a crossbar drift for a day. Other substrates do not age.
        out: Folder in which the run folder is made.
        name: Ends the run folder's name; by default controller, backend and arm.
    """

    backend: str = "reference"
    arm: str = "iiwa14"
    controller: str = "adaptive"
    trials: int | None = None
    duration_s: float | None = None
    distance_m: float | None = None
    targets: Targets = field(default_factory=Targets)
    seed: int = 0
    control_dt_s: float = 0.001
    perturbation: Annotated[Perturbation, tyro.conf.OmitArgPrefixes] = field(
        default_factory=lambda: Perturbation(payload_kg=0.907)
    )
    network: NetworkConfig = field(default_factory=NetworkConfig)
    spiking: SpikingConfig = field(default_factory=SpikingConfig)
    loihi: LoihiConfig = field(default_factory=LoihiConfig)
    crossbar: CrossbarConfig = field(default_factory=lambda: CrossbarConfig(overrides=STATIC_WEIGHTS))
    gains: Gains = field(default_factory=Gains)
    feedforward: bool = True
    substrate_at: str = ""
    substrate_key_file: Path | None = None
    substrate_wait_s: float | None = None
    actuation_delay: Literal["none", "modelled"] = "none"
    torque_rate_nm_s: float = 1000.0
    realtime: bool = False
    rest_s: float = 0.0
    out: Path = Path("runs")
    name: str = ""

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise UnknownNameError("backend", self.backend, BACKENDS)
        if self.controller not in CONTROLLERS:
            raise UnknownNameError("controller", self.controller, CONTROLLERS)
        if self.actuation_delay not in ("none", "modelled"):
            raise UnknownNameError("actuation delay", self.actuation_delay, ("none", "modelled"))
        if self.trials is not None and self.trials < 1:
            raise ConfigError(f"trials must be at least 1, not {self.trials}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, not {self.seed}.")
        if Path(self.name).name != self.name:
            raise ConfigError(f"name ends the run folder's name and cannot be a path, like {self.name!r}.")
        if not (math.isfinite(self.rest_s) and self.rest_s >= 0):
            raise ConfigError(f"rest_s must be 0 or a positive number of seconds, not {self.rest_s!r}.")
        for key in ("duration_s", "distance_m", "control_dt_s", "substrate_wait_s", "torque_rate_nm_s"):
            value = getattr(self, key)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{key} must be a positive number, not {value!r}.")
        self._check_time()
        self._require_no_long_wait()

    def _check_time(self) -> None:
        """Rests need a reach before and one after them, and devices a description of their age."""
        if self.rest_s and self.n_trials < 2:
            raise ConfigError(
                f"rest_s = {self.rest_s:g} passes half-way, between two reaches; set trials to 2 or more, "
                f"not {self.n_trials}."
            )
        if self.backend == "crossbar" and self.controller in NETWORKED:
            self.crossbar.require_time(self.n_ticks * self.control_dt_s + self.rest_s)

    def _require_no_long_wait(self) -> None:
        wait_s = self.network_wait_s
        if not (self.realtime and self.substrate_at) or wait_s is None:
            return
        if self._network_steps * wait_s >= self.control_dt_s:
            raise ConfigError(
                f"substrate_wait_s = {wait_s:g} s would hold up a real-time tick of {self.control_dt_s:g} s "
                "whenever the network is late. Leave it out, or give less than a tick."
            )

    @property
    def network_wait_s(self) -> float | None:
        """How long a step waits for a remote network [s]; None lets time stand still for it."""
        if self.substrate_wait_s is not None or not self.realtime:
            return self.substrate_wait_s
        return _WAIT_SHARE * self.control_dt_s / self._network_steps

    @property
    def _network_steps(self) -> float:
        """Steps of the network in one tick, at least 1."""
        return max(1.0, self.control_dt_s / self.network.network_dt_s)

    @property
    def n_trials(self) -> int:
        """Reaches in this run."""
        if self.trials is not None:
            return self.trials
        return DEFAULT_TRIALS if self.duration_s is None else max(1, round(self.duration_s / DEFAULT_REACH_S))

    @property
    def reach_s(self) -> float:
        """Time of one reach [s], a whole number of control steps."""
        wanted = DEFAULT_REACH_S if self.duration_s is None else self.duration_s / self.n_trials
        return max(1, round(wanted / self.control_dt_s)) * self.control_dt_s

    @property
    def n_ticks(self) -> int:
        """Control ticks in this run."""
        return self.n_trials * round(self.reach_s / self.control_dt_s)


def load_config(name: str, base: RunConfig) -> RunConfig:
    """``base`` with the settings of a file.

    Args:
        name: A ready-made experiment's name, the path of a TOML file, or that of a ``run.json``.
        base: What the file does not mention.

    Raises:
        ConfigError: The file is missing or cannot be read, or a value has the wrong type.
        UnknownNameError: No such ready-made experiment, or an unknown key in the file.
    """
    path = Path(name)
    if path.suffix not in (".toml", ".json"):
        known = {p.stem: p for p in CONFIGS.glob("*.toml")}
        if name not in known:
            raise UnknownNameError("configuration", name, known)
        path = known[name]
    elif not path.is_file():
        known_names = ", ".join(repr(p.stem) for p in sorted(CONFIGS.glob("*.toml")))
        raise ConfigError(f"no configuration file {path}; ready-made ones are {known_names}.")
    try:
        text = path.read_text(encoding="utf-8")
        mapping = _settings(json.loads(text)) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read configuration {path}: {error}") from error
    return from_mapping(base, mapping)


def _settings(document: Any) -> dict[str, Any]:
    """The settings in a ``run.json``."""
    settings = document.get("config") if isinstance(document, dict) else None
    if not isinstance(settings, dict):
        raise ValueError("it is no run.json, which has the settings under 'config'.")
    return settings
