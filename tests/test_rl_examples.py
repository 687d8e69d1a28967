"""The examples of reinforcement learning run; shorter than meant, and without judging what they learn."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs an example's ``main`` with these arguments, in a folder of its own."""

    def run(name: str, *arguments: str) -> Path:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.chdir(tmp_path)
        spec.loader.exec_module(module)
        module.main()
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
def test_video_is_recorded(run):
    import mujoco

    try:
        mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>"), 8, 8).close()
    except Exception as error:  # noqa: BLE001 (each graphics library raises its own)
        pytest.skip(f"no graphics here: {error}")
    folder = run("record_video", "--steps", "8", "--out", "a")
    assert (folder / "a" / "Track-v0-iiwa14.gif").stat().st_size > 1000
