"""Makes the picture of the README: the last two reaches, without and with adaptation.

Run it with ``MUJOCO_GL=egl python docs/picture.py`` where there is no display.
"""

from __future__ import annotations

import dataclasses
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import mujoco
import numpy as np

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.envs.arms import load_arm
from spikearm.envs.plant import MujocoPlant
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute
from spikearm.records import FloatArray

WANTED, ACTUAL = (0.2, 0.2, 0.25, 1.0), (0.05, 0.55, 0.65, 1.0)
LATE = (0.91, 0.35, 0.05, 1.0)
SEED = 23


def reaches(config: RunConfig) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Desired and actual path of the last two reaches, joint angles at the far end, error [m]."""
    finished = execute(config, baseline=False)
    table = read_ticks(finished.folder)
    n = len(table) // 5
    wanted = np.column_stack([table[f"target_{axis}_m"].to_numpy()[-n:] for axis in "xyz"])
    actual = np.column_stack([table[f"ee_{axis}_m"].to_numpy()[-n:] for axis in "xyz"])
    q = column_matrix(table, "q", "rad")[-n // 2]
    return wanted, actual, q, float(np.mean(finished.summary["rmse_m_by_trial"][-2:]))


def render(config: RunConfig, wanted: FloatArray, actual: FloatArray, q: FloatArray, colour: Any) -> Any:
    """The arm with its payload, the desired path and the one it took."""
    plant = MujocoPlant(load_arm(config.arm), perturbation=config.perturbation, q0=q)
    camera = mujoco.MjvCamera()
    camera.lookat[:] = wanted.mean(axis=0) + np.array([0.0, 0.0, 0.03])
    camera.distance, camera.azimuth, camera.elevation = 0.62, 165.0, -12.0
    with mujoco.Renderer(plant.model, height=720, width=960) as renderer:
        renderer.update_scene(plant.data, camera)
        draw_path(renderer.scene, wanted, WANTED, 0.002)
        draw_path(renderer.scene, actual, colour, 0.0035)
        image = renderer.render()
    plant.close()
    return image


def draw_path(scene: Any, points: FloatArray, colour: Any, radius_m: float) -> None:
    """Short capsules along a path."""
    points = points[::10]
    for a, b in pairwise(points):
        if scene.ngeom >= scene.maxgeom or np.linalg.norm(b - a) < 1e-5:
            continue
        geom = scene.geoms[scene.ngeom]
        capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
        rgba = np.asarray(colour, np.float32)
        mujoco.mjv_initGeom(geom, capsule, np.zeros(3), np.zeros(3), np.zeros(9), rgba)
        mujoco.mjv_connector(geom, capsule, radius_m, a, b)
        scene.ngeom += 1


def main() -> None:
    """Two runs, two renderings, one picture."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    with tempfile.TemporaryDirectory() as out:
        config = RunConfig(seed=SEED, out=Path(out))
        panels = (
            (dataclasses.replace(config, controller="osc"), "without adaptation", LATE),
            (config, "with adaptation", ACTUAL),
        )
        for ax, (variant, title, colour) in zip(axes, panels, strict=True):
            wanted, actual, q, error_m = reaches(variant)
            ax.imshow(render(variant, wanted, actual, q, colour))
            ax.set_title(f"{title}: {1e3 * error_m:.1f} mm rms", fontsize=12)
            ax.axis("off")
    figure.savefig(Path(__file__).parent / "reaching.png", dpi=110)


if __name__ == "__main__":
    main()
