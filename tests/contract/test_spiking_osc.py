"""The spiking operational-space controller, with the weights that come with the package, on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.hardware.registry import BACKENDS, make_backend
from spikearm.launch.config import RunConfig
from spikearm.launch.osc_data import Reaching
from spikearm.launch.spiking import spiking_osc
from spikearm.models.osc_rates import rates
from spikearm.models.osc_weights import load_osc, readout_name, shipped_osc_path
from spikearm.records import COUNT_NAMES

ARM = load_arm("iiwa14")
HOME = np.asarray(ARM.home)
WEIGHTS = load_osc(shipped_osc_path("iiwa14"))

# How far the torque, averaged over 0.2 s, lies from that of the rates, relative to the torque itself: spikes
# ripple, weights have 8 bits on Loihi, and programming scatter on the crossbar.
LIKE_RATES_WITHIN = {"reference": 0.02, "loihi": 0.04, "crossbar": 0.05}


def test_every_backend_is_tested():
    assert set(BACKENDS) == set(LIKE_RATES_WITHIN)


def _inputs(step: int) -> dict[str, np.ndarray]:
    """Close to home, and never still."""
    q = HOME + 0.2 * np.sin(step / 40 + np.arange(7))
    target = 0.05 * np.cos(step / 50 + np.arange(6))
    return {"state": np.concatenate((q, np.full(7, 0.1))), "target": target}


@pytest.fixture(params=sorted(BACKENDS))
def backend(request):
    config = RunConfig(backend=request.param)
    settings = {"config": config.crossbar} if request.param == "crossbar" else {}
    return make_backend(request.param, **settings)


@pytest.fixture
def compiled(backend):
    """Compiles the published form for the backend, and closes at the end of the test."""
    config = RunConfig(controller="spiking-osc", backend=backend.name, feedforward=False)
    spec = spiking_osc(config, WEIGHTS, Reaching(ARM, MujocoDynamics(ARM), config.gains))
    programs = []

    def compile_():
        programs.append(backend.compile(spec, dt_s=0.001, seed=0))
        return programs[-1]

    yield compile_
    for program in programs:
        program.close()


def _run(program, steps: range) -> np.ndarray:
    return np.array([program.step(_inputs(i)).outputs["torque"] for i in steps])


def test_torque_is_that_of_the_rates_in_the_mean(backend, compiled):
    program, inputs = compiled(), _inputs(0)
    inputs["state"][7:] = 0.0
    torque = [program.step(inputs).outputs["torque"] for _ in range(260)][60:]
    command = WEIGHTS.kp * inputs["target"]
    decoders = WEIGHTS.readout(readout_name("rates", feedforward=False))
    wanted = decoders @ np.append(rates(WEIGHTS, inputs["state"][None], command[None])[0], 1.0)
    error = np.linalg.norm(np.mean(torque, axis=0) - wanted) / np.linalg.norm(wanted)
    assert error < LIKE_RATES_WITHIN[backend.name]


def test_reset_and_a_saved_state_give_the_same_torque_again(compiled):
    program, fresh = compiled(), compiled()
    first = _run(program, range(40))
    assert first.shape == (40, 7)
    assert np.abs(first).max() > 1.0
    state = program.state_dict()
    later = _run(program, range(40, 60))
    fresh.load_state_dict(state)
    np.testing.assert_array_equal(_run(fresh, range(40, 60)), later)
    program.reset()
    np.testing.assert_array_equal(_run(program, range(40)), first)


def test_every_step_has_counts_and_a_cost(backend, compiled):
    program = compiled()
    for i in range(20):
        counts = program.step(_inputs(i)).counts
        assert all(getattr(counts, name) >= 0 for name in COUNT_NAMES)
    assert counts.spikes > 0
    assert counts.synaptic_ops > 0
    assert counts.learning_updates == 0
    cost = backend.cost_model.estimate(counts, 0.001)
    assert counts.host_macs == 6 * 14  # what goes round the neurons
    assert cost.energy_j["host"] == pytest.approx(84 * 8.6e-9)
    assert cost.total_j > cost.energy_j["host"]
