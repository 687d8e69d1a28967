"""The spiking operational-space controller, with the weights that come with the package, on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.hardware.registry import BACKENDS, make_backend
from spikearm.launch.config import RunConfig
from spikearm.launch.osc_data import Reaching, evaluate
from spikearm.launch.spiking import spiking_osc
from spikearm.models.osc_rates import rates
from spikearm.models.osc_readout import wanted_torque
from spikearm.models.osc_weights import Neurons, load_osc, readout_name, shipped_osc_path
from spikearm.records import COUNT_NAMES

ARM = load_arm("iiwa14")
HOME = np.asarray(ARM.home)
WEIGHTS = load_osc(shipped_osc_path("iiwa14"))

# How far the torque, averaged over 0.2 s, lies from what the substrate's kind of neurons gives in the mean,
# relative to the torque itself: weights have 8 bits on Loihi, and programming scatter on the crossbar.
LIKE_THE_MEAN_WITHIN = {"reference": 0.005, "loihi": 0.02, "crossbar": 0.03}
# From that of rates, whose decoders are others, where the acceleration asked for is one that was trained.
LIKE_RATES_WITHIN = {"reference": 0.02, "loihi": 0.04, "crossbar": 0.05}
# From the analytic law, there.
LIKE_THE_LAW_WITHIN = 0.02
NULL_DAMPING = Gains(kp=10.0).damping


def test_every_backend_is_tested():
    assert set(BACKENDS) == set(LIKE_RATES_WITHIN) == set(LIKE_THE_MEAN_WITHIN)


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
    spec = spiking_osc(config, WEIGHTS, Reaching(ARM, MujocoDynamics(ARM), config.gains), backend)
    programs = []

    def compile_():
        programs.append(backend.compile(spec, dt_s=0.001, seed=0))
        return programs[-1]

    yield compile_
    for program in programs:
        program.close()


def _run(program, steps: range) -> np.ndarray:
    return np.array([program.step(_inputs(i)).outputs["torque"] for i in steps])


def _mean_torque(program, state: np.ndarray, command: np.ndarray) -> np.ndarray:
    inputs = {"state": state, "target": command / WEIGHTS.kp}
    return np.mean([program.step(inputs).outputs["torque"] for _ in range(260)][60:], axis=0)


def _torque_of(neurons: Neurons, state: np.ndarray, command: np.ndarray) -> np.ndarray:
    """What these neurons give in the mean."""
    activity = rates(WEIGHTS, state[None], command[None], neurons)[0]
    return WEIGHTS.readout(readout_name(neurons, feedforward=False)) @ np.append(activity, 1.0)


def _error(torque: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(torque - wanted) / np.linalg.norm(wanted))


def _still() -> np.ndarray:
    return np.concatenate((_inputs(0)["state"][:7], np.zeros(7)))


def test_torque_is_that_of_its_kind_of_neurons_in_the_mean(backend, compiled):
    state, command = _still(), WEIGHTS.kp * _inputs(0)["target"]
    neurons = "dead time" if backend.has_dead_time else "spikes"
    wanted = _torque_of(neurons, state, command)
    assert _error(_mean_torque(compiled(), state, command), wanted) < LIKE_THE_MEAN_WITHIN[backend.name]


def test_torque_is_that_of_rates_and_of_the_law(backend, compiled):
    state = _still()
    config = RunConfig(controller="spiking-osc", feedforward=False)
    sample = evaluate(Reaching(ARM, MujocoDynamics(ARM), config.gains), state[None, :7], state[None, 7:])
    asked = np.array((3.0, -3.0, 3.0, -6.0, 6.0, -6.0))
    command = sample.arm_share(WEIGHTS.kp, WEIGHTS.damping)[0] + asked
    torque = _mean_torque(compiled(), state, command)
    assert _error(torque, _torque_of("rates", state, command)) < LIKE_RATES_WITHIN[backend.name]
    (law,) = wanted_torque(sample, WEIGHTS, command[None], feedforward=False, null_damping=NULL_DAMPING)
    assert _error(torque, law) < LIKE_THE_LAW_WITHIN


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
