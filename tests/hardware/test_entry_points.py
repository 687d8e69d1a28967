"""What Nengo's tools find under ``nengo.backends``; whether it is installed is for ``package_check.py``."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import nengo
import numpy as np
import pytest

from spikearm.hardware.crossbar import CrossbarSimulator
from spikearm.hardware.loihi import Simulator

GROUP = "nengo.backends"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
DECLARED = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["entry-points"][GROUP]


def test_both_simulators_are_declared_and_nothing_else():
    loaded = {name: EntryPoint(name, value, GROUP).load() for name, value in DECLARED.items()}
    assert loaded == {"spikearm-crossbar": CrossbarSimulator, "spikearm-loihi": Simulator}


def test_names_are_taken_by_no_other_backend():
    others = {found.name for found in entry_points(group=GROUP) if not found.value.startswith("spikearm.")}
    assert not others & set(DECLARED)


@pytest.mark.parametrize("name", DECLARED)
def test_a_declared_backend_runs_a_network_as_nengos_own_would(name):
    simulator = EntryPoint(name, DECLARED[name], GROUP).load()
    with nengo.Network(seed=0) as network:
        # On Loihi all neurons start at zero volts.
        neurons = nengo.LIF(initial_state={"voltage": nengo.dists.Choice([0])})
        ensemble = nengo.Ensemble(100, 1, neuron_type=neurons, label="a")
        nengo.Connection(nengo.Node(0.5), ensemble)
        probe = nengo.Probe(ensemble, synapse=0.03)
    with simulator(network, progress_bar=False) as sim:
        sim.run(0.3)
    assert np.mean(sim.data[probe][-100:]) == pytest.approx(0.5, abs=0.15)
