"""Draws and encodes the film of a run: ``python -m spikearm.launch.video_frames RUN FILE``.

A process of its own, started by :mod:`.video` with ``MUJOCO_GL`` set: MuJoCo reads it when it is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import mujoco
import numpy as np

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.launch.recovery import settings_of
from spikearm.launch.scene import ArmScene
from spikearm.launch.summary import column
from spikearm.records import FloatArray

FRAMES_PER_S = 30
WIDTH, HEIGHT = 800, 608
_COSTLY = [int(mujoco.mjtRndFlag.mjRND_SHADOW), int(mujoco.mjtRndFlag.mjRND_REFLECTION)]
_TRAIL_S = 1.6
_POINTS_PER_S = 100
_WANTED, _ACTUAL = (0.25, 0.25, 0.3, 1.0), (0.05, 0.55, 0.65, 1.0)


def main(run: Path, path: Path) -> None:
    """Write the film; print the number of its pictures, then that of each picture when it is done."""
    partial = path.with_name(f".{path.name}{path.suffix}")
    try:
        encoder = imageio_ffmpeg.write_frames(str(partial), (WIDTH, HEIGHT), fps=FRAMES_PER_S)
        encoder.send(None)
        for done, (total, image) in enumerate(frames(run)):
            if not done:
                print(total, flush=True)
            encoder.send(np.ascontiguousarray(image))
            print(done + 1, flush=True)
        encoder.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def frames(run: Path) -> Iterator[tuple[int, Any]]:
    """How many pictures there are, and each of them, shape (HEIGHT, WIDTH, 3), uint8."""
    config, ticks = settings_of(run), read_ticks(run)
    q = column_matrix(ticks, "q", "rad")
    wanted, actual = (np.column_stack([column(ticks, f"{p}_{a}_m") for a in "xyz"]) for p in ("target", "ee"))
    per_frame = 1.0 / (FRAMES_PER_S * config.control_dt_s)
    trail, step = (max(1, round(s / config.control_dt_s)) for s in (_TRAIL_S, 1 / _POINTS_PER_S))
    scene = ArmScene(config)
    scene.model.vis.global_.offwidth, scene.model.vis.global_.offheight = WIDTH, HEIGHT
    camera = _camera(scene, wanted)
    with mujoco.Renderer(scene.model, height=HEIGHT, width=WIDTH) as renderer:
        n_frames = max(1, int(len(q) / per_frame))
        for frame in range(n_frames):
            tick = int(frame * per_frame)
            scene.pose(q[tick])
            renderer.update_scene(scene.data, camera)
            # Three quarters of the time where a processor has to draw.
            renderer.scene.flags[_COSTLY] = False
            past = slice(max(0, tick - trail), tick + 1, step)
            _draw_path(renderer.scene, wanted[past], _WANTED, 0.0025)
            _draw_path(renderer.scene, actual[past], _ACTUAL, 0.004)
            yield n_frames, renderer.render()
    scene.close()


def _camera(scene: ArmScene, wanted: FloatArray) -> Any:
    """Looks at the middle between the arm and its path; far enough away to see both."""
    camera = mujoco.MjvCamera()
    camera.lookat[:] = 0.5 * (scene.model.stat.center + wanted.mean(axis=0))
    camera.distance, camera.azimuth, camera.elevation = 0.95 * scene.model.stat.extent, 150.0, -16.0
    return camera


def _draw_path(scene: Any, points: FloatArray, colour: Any, radius_m: float) -> None:
    """Short capsules along a path; where nobody knew the position there are none."""
    capsule, rgba = mujoco.mjtGeom.mjGEOM_CAPSULE, np.asarray(colour, np.float32)
    for a, b in pairwise(points):
        if scene.ngeom >= scene.maxgeom or not np.linalg.norm(b - a) > 1e-5:
            continue
        geom = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(geom, capsule, np.zeros(3), np.zeros(3), np.zeros(9), rgba)
        mujoco.mjv_connector(geom, capsule, radius_m, a, b)
        scene.ngeom += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
