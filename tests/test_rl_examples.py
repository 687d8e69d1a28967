"""The examples of reinforcement learning run; shorter than meant, and without judging what they learn."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

import spikearm.envs  # noqa: F401 (registers the environments)

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def load():
    """Imports an example."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def run(load, monkeypatch, tmp_path):
    """Runs an example's ``main`` with these arguments, in a folder of its own."""

    def run(name: str, *arguments: str) -> Path:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.chdir(tmp_path)
        load(name).main()
        return tmp_path

    return run


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_example_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.slow
def test_sac_with_hindsight_trains_converts_and_compares(run, capsys):
    pytest.importorskip("stable_baselines3")
    folder = run(
        "train_sac_her",
        "--steps",
        "1200",
        "--arm",
        "planar2",
        "--episodes",
        "1",
        "--calibration",
        "2",
        "--out",
        "a",
    )
    document = json.loads((folder / "a" / "results.json").read_text())
    assert set(document["results"]) == {"perceptron", "reference", "loihi", "crossbar"}
    assert document["results"]["loihi"]["energy_j"] > 0
    assert "perceptron" in capsys.readouterr().out


@pytest.mark.slow
def test_ppo_trains_on_native_vectors(run, capsys):
    pytest.importorskip("stable_baselines3")
    run("train_ppo", "--steps", "4096", "--out", "a")
    assert "Evaluation(n_episodes=50" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:minari.utils")  # advice about who published it, and where
@pytest.mark.filterwarnings(
    "ignore:Package spikearm is not installed:UserWarning"
)  # nor is it, in a checkout
def test_demonstrations_become_a_data_set(run, monkeypatch, tmp_path, capsys):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    run("minari_dataset", "--episodes", "2", "--arm", "planar2")
    data = minari.load_dataset("spikearm/reach/straight-v0")
    assert data.total_episodes == 2
    assert data.recover_environment().spec.id == "spikearm/Reach-v0"
    assert "2 episodes" in capsys.readouterr().out


@pytest.mark.slow
def test_video_is_recorded(run):
    import mujoco

    try:
        mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>"), 8, 8).close()
    except Exception as error:  # noqa: BLE001 (each graphics library raises its own)
        pytest.skip(f"no graphics here: {error}")
    folder = run("record_video", "--steps", "8", "--out", "a")
    assert (folder / "a" / "Track-v0-iiwa14.gif").stat().st_size > 1000
