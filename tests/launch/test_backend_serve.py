"""A run whose network is in another process gives the same log."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.run import execute

OPTIONS = ("--n-neurons", 150, "--trials", 1, "--duration-s", 0.1, "--seed", 4)


@pytest.mark.parametrize("controller", ["adaptive", "spiking-osc"])
def test_run_with_its_network_elsewhere_gives_the_same_torques(process, spikearm, short_path, controller):
    address, options = f"unix:{short_path}/net.sock", (*OPTIONS, "--controller", controller)
    with process("backend", "serve", "--listen", address, "--json", *options) as server:
        assert "preparing reference" in server.stderr.readline()
        assert "ready" in server.stderr.readline()
        ended = spikearm("run", *options, "--substrate-at", address, "--out", short_path / "there", "--json")
        assert ended.code == 0
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
    assert "Traceback" not in err
    assert json.loads(out)["steps"] == 100
    here = spikearm("run", *options, "--out", short_path / "here", "--json").document
    far, near = read_ticks(Path(ended.document["run_dir"])), read_ticks(Path(here["run_dir"]))
    for group in ("torque_applied", "torque_adaptive"):
        np.testing.assert_array_equal(column_matrix(far, group, "nm"), column_matrix(near, group, "nm"))
    assert far["spikes"].to_pylist() == near["spikes"].to_pylist()
    assert ended.document["network_age_s_max"] == 0.0


@pytest.mark.parametrize("network_dt_s", [0.002, 0.005])
def test_slower_network_is_held_and_still_adapts(short_path, network_dt_s):
    network = NetworkConfig(n_neurons=400, network_dt_s=network_dt_s)
    summary = execute(RunConfig(trials=3, out=short_path, network=network), baseline=False).summary
    assert summary["fallback_ticks"] == 0
    assert summary["network_age_s_max"] == pytest.approx(network_dt_s - 0.001)
    assert summary["rmse_m_by_trial"][2] < 0.3 * 0.0157  # a third of what the payload costs without


def test_nobody_there_is_said_at_once(spikearm, short_path):
    ended = spikearm("run", *OPTIONS, "--substrate-at", f"unix:{short_path}/none.sock", "--out", short_path)
    assert ended.code == 2
    assert "spikearm backend serve" in ended.complaint
