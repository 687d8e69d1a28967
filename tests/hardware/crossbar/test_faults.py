from __future__ import annotations

from dataclasses import replace

import nengo
import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.devices import make_device
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.simulator import CrossbarSimulator

N_NEURONS = 400


def network() -> nengo.Network:
    """A square of zeros that learns, 400 x 2 weights."""
    with nengo.Network(seed=1) as net:
        u = nengo.Node(lambda t: [np.sin(6 * t), np.cos(5 * t)])
        a = nengo.Ensemble(N_NEURONS, 2, label="a")
        out = nengo.Node(size_in=2)
        nengo.Connection(u, a, synapse=None)
        learned = nengo.Connection(
            a, out, function=lambda x: [0, 0], learning_rule_type=nengo.PES(2e-4), label="learned"
        )
        error = nengo.Node(size_in=2)
        nengo.Connection(out, error)
        nengo.Connection(u, error, transform=-1)
        nengo.Connection(error, learned.learning_rule)
    return net


def simulate(config: CrossbarConfig, *, seed: int = 0) -> CrossbarSimulator:
    return CrossbarSimulator(network(), seed=seed, config=config, progress_bar=False, optimize=False)


def learned(sim: CrossbarSimulator):
    return next(m for m in sim.matrices if m.learned).cells


@pytest.mark.parametrize(("at_min", "at_max"), [(0.1, 0.0), (0.0, 0.1), (0.05, 0.2)])
def test_drawn_faults_have_the_shares_asked_for(at_min, at_max):
    with simulate(CrossbarConfig(stuck_at_min=at_min, stuck_at_max=at_max)) as sim:
        cells = learned(sim)
    stuck = cells.stuck == 1
    g_max = cells.device.g_max_siemens
    assert np.mean(stuck & (cells.g == 0)) == pytest.approx(at_min, abs=0.02)
    assert np.mean(stuck & (cells.g == g_max)) == pytest.approx(at_max, abs=0.02)


@pytest.mark.parametrize("n_pairs", [1, 3])
def test_weights_are_written_around_stuck_devices(n_pairs):
    """As far as the good devices' ranges go: no farther can they take back what stuck ones conduct."""
    weights = np.random.default_rng(0).uniform(-1, 1, (40, 100))
    config = replace(CrossbarConfig.ideal(), devices_per_synapse=n_pairs)
    rng = np.random.default_rng(1)
    matrix = CrossbarMatrix("", weights, None, config, hold_s=0.256, per_spike=None, rng=rng)
    before = matrix.cells.programming
    kind = rng.choice(3, size=matrix.cells.g.shape, p=[0.9, 0.05, 0.05])
    stuck, g_max = kind > 0, config.device.g_max_siemens
    matrix.stick(stuck, np.where(kind == 2, g_max, 0.0))
    np.testing.assert_array_equal(matrix.cells.g[kind == 2], g_max)
    np.testing.assert_array_equal(matrix.cells.g[kind == 1], 0.0)
    wanted = matrix._wanted / g_max
    signs = np.tile([1.0, -1.0], n_pairs)
    fixed = (signs * matrix.cells.g * stuck).sum(axis=1) / g_max
    low, high = fixed - ((signs < 0) & ~stuck).sum(axis=1), fixed + ((signs > 0) & ~stuck).sum(axis=1)
    np.testing.assert_allclose(matrix.cells.diff / g_max, np.clip(wanted, low, high), atol=1e-9)
    assert matrix.cells.programming.reset_pulses - before.reset_pulses == np.count_nonzero(
        stuck.any(axis=1)[:, None] & ~stuck
    )


def test_learned_matrices_are_not_written_around():
    faulty = CrossbarConfig(stuck_at_max=0.1)
    with simulate(faulty) as sim, simulate(replace(faulty, write_around_faults=False)) as other:
        np.testing.assert_array_equal(learned(sim).g, learned(other).g)


def test_corrupt_devices_of_an_array_are_stuck_in_the_middle():
    with simulate(CrossbarConfig(device=make_device("reram-optimised"))) as sim:
        cells = learned(sim)
    assert cells.stuck.mean() == pytest.approx(0.135, abs=0.03)
    device = cells.device
    middle = 0.5 * (device.g_min_siemens + device.g_max_siemens)
    np.testing.assert_allclose(cells.g[cells.stuck == 1], middle)


def test_stuck_devices_neither_learn_nor_drift_nor_fluctuate():
    with simulate(CrossbarConfig(stuck_at_min=0.1, stuck_at_max=0.1)) as sim:
        cells = learned(sim)
        stuck, before = cells.stuck == 1, cells.g.copy()
        sim.run_steps(600)
        sim.advance_time(86_400.0)
        np.testing.assert_array_equal(cells.g[stuck], before[stuck])
        assert (cells.g != before).any()
        whole = stuck.all(axis=1)
        assert whole.any()
        np.testing.assert_array_equal(cells.diff[whole], before[whole, 0] - before[whole, 1])
        assert not cells.var[whole].any()
        assert sim.wear[0].stuck_devices == stuck.sum()


def test_a_fault_seed_fixes_the_faults_whatever_else_is_drawn():
    config = CrossbarConfig(stuck_at_max=0.1, fault_seed=5)
    maps = []
    for seed, settings in ((0, config), (1, config), (0, replace(config, fault_seed=6))):
        with simulate(settings, seed=seed) as sim:
            maps.append(learned(sim).stuck.copy())
    np.testing.assert_array_equal(maps[0], maps[1])
    assert (maps[0] != maps[2]).any()


def test_faults_leave_the_good_devices_as_they_were():
    with simulate(CrossbarConfig()) as good, simulate(CrossbarConfig(stuck_at_min=0.1)) as bad:
        for whole, damaged in zip(good.matrices, bad.matrices, strict=True):
            intact = damaged.cells.stuck == 0
            if not damaged.learned:  # Partners of stuck devices are written anew.
                intact &= ~damaged.cells.stuck.any(axis=1, keepdims=True)
            assert intact.any()
            np.testing.assert_array_equal(damaged.cells.g[intact], whole.cells.g[intact])


def test_learning_makes_up_for_faults():
    """PES sees a fault through its error only, and that is enough."""
    net = network()
    with net:
        probe = nengo.Probe(net.all_nodes[-1], synapse=0.05)
    config = CrossbarConfig(stuck_at_min=0.05, stuck_at_max=0.05)
    with CrossbarSimulator(net, seed=0, config=config, progress_bar=False) as sim:
        sim.run_steps(5000)
    error = np.linalg.norm(sim.data[probe], axis=1)
    assert error[-1000:].mean() < 0.5 * error[:500].mean()


# Maps -------------------------------------------------------------------------------------------------


def save(path, **maps) -> str:
    np.savez(path, **maps)
    return str(path)


def test_a_fault_map_is_laid_over_the_devices(tmp_path):
    faults = np.zeros((N_NEURONS, 2, 2), dtype=int)
    faults[3, 1, 0], faults[7, 0, 1] = 1, -1
    config = CrossbarConfig(fault_map=save(tmp_path / "faults.npz", learned=faults))
    with simulate(config) as sim:
        cells = learned(sim)
        others = [m.cells.stuck.any() for m in sim.matrices if not m.learned]
    np.testing.assert_array_equal(np.argwhere(cells.stuck), [[7, 0], [14, 1]])
    assert cells.g[7, 0] == cells.device.g_max_siemens
    assert cells.g[14, 1] == cells.device.g_min_siemens
    assert others == [False]


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (
            {"learned": np.zeros((2, N_NEURONS, 2), dtype=int)},
            r"'learned' has shape \(2, 400, 2\), its devices have \(400, 2, 2\) \(inputs, outputs, devices",
        ),
        ({"learned": np.full((N_NEURONS, 2, 2), 3)}, "'learned' may hold -1, 0 and 1 only"),
        (
            {"lerned": np.zeros((N_NEURONS, 2, 2))},
            "no matrix on a crossbar is labelled 'lerned'; name one of 'a', 'learned'",
        ),
    ],
)
def test_a_fault_map_that_does_not_fit_is_refused(tmp_path, maps, message):
    config = CrossbarConfig(fault_map=save(tmp_path / "faults.npz", **maps))
    with pytest.raises(ConfigError, match=message):
        simulate(config)


def two_alike():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.3, 0.2])
        for _ in range(2):
            transform = np.arange(6).reshape(3, 2) / 6
            nengo.Connection(stimulus, nengo.Node(size_in=3), transform=transform, label="copy")
    return net


def test_matrices_of_one_label_are_told_apart_in_a_fault_map(tmp_path):
    faults = np.zeros((2, 3, 2), dtype=int)
    faults[0, 1, 0] = 1
    path = save(tmp_path / "faults.npz", **{"copy#2": faults})
    with CrossbarSimulator(two_alike(), config=CrossbarConfig(fault_map=path), progress_bar=False) as sim:
        stuck = [int(matrix.cells.stuck.sum()) for matrix in sim.matrices]
    assert stuck == [0, 1]


def test_an_ambiguous_label_in_a_fault_map_is_refused(tmp_path):
    path = save(tmp_path / "faults.npz", copy=np.zeros((2, 3, 2), dtype=int))
    message = "2 matrices on crossbars are labelled 'copy'; name one of 'copy#1', 'copy#2'"
    with pytest.raises(ConfigError, match=message):
        CrossbarSimulator(two_alike(), config=CrossbarConfig(fault_map=path), progress_bar=False)


def test_a_fault_map_of_one_connection_names_that_one_only(tmp_path):
    path = save(tmp_path / "faults.npz", a=np.zeros((2, N_NEURONS, 2), dtype=int))
    config = CrossbarConfig(overrides={"learned": {"fault_map": path}})
    with pytest.raises(ConfigError, match="labelled 'a'; name one of 'learned'"):
        simulate(config)


def test_a_fault_map_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"fault map .*none.npz cannot be read: .*No such file"):
        simulate(CrossbarConfig(fault_map=str(tmp_path / "none.npz")))
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ConfigError, match=r"fault map .*text.npz cannot be read"):
        simulate(CrossbarConfig(fault_map=str(tmp_path / "text.npz")))
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(ConfigError, match="it is a single array"):
        simulate(CrossbarConfig(fault_map=str(tmp_path / "single.npy")))


@pytest.mark.parametrize("wire_ohm", [0.0, 0.35])
def test_reads_see_the_faults_from_the_first_step_on(wire_ohm):
    """On ideal devices nothing is ever brought up to date by drift."""
    config = replace(
        CrossbarConfig.ideal(), stuck_at_min=0.3, row_wire_ohm=wire_ohm, column_wire_ohm=wire_ohm
    )
    with simulate(config) as sim:
        (static,) = [m for m in sim.matrices if not m.learned]
        x = np.array([0.7, -0.4])
        found = static.read(x, sim._ledger.counts)
    wanted = static.weights_now() @ x
    assert (static.cells.stuck.reshape(static.shape[0], -1).mean(axis=1) > 0.2).all()
    np.testing.assert_allclose(found, wanted, atol=0.05 * np.abs(wanted).max())
