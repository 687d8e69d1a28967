"""Pictures of an environment: off screen as colours or depth, or in MuJoCo's own window."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from spikearm.errors import ConfigError
from spikearm.records import FloatArray

OFFSCREEN_MODES = ("rgb_array", "depth_array")
MODES = ("human", *OFFSCREEN_MODES)
WIDTH, HEIGHT = 640, 480
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
_TARGET_COLOUR = np.array((0.1, 0.65, 0.25, 0.7), dtype=np.float32)


class Renderer:
    """Draws one arm and its target; made at the first picture, so that nobody else needs a display.

    Args:
        model: ``MjModel`` of the arm.
        mode: One of :data:`MODES`.
        radius_m: Radius of the target's sphere [m].

    Attributes:
        model: The arm it draws.
    """

    def __init__(self, model: Any, mode: str, radius_m: float) -> None:
        self.model, self._mode, self._radius_m = model, mode, radius_m
        self._offscreen: Any = None
        self._viewer: Any = None
        self._camera = "side" if _has_camera(model, "side") else -1

    def render(self, data: Any, target: FloatArray | None) -> NDArray[Any] | None:
        """A picture of this state, shape (480, 640, 3) of bytes or (480, 640) of metres; None in a window.

        Args:
            data: ``MjData`` with kinematics computed.
            target: Where to draw the target [m], shape (3,), or None.
        """
        if self._mode == "human":
            self._show(data, target)
            return None
        if self._offscreen is None:
            self._offscreen = _offscreen(self.model)
        if self._mode == "depth_array":
            self._offscreen.enable_depth_rendering()
        self._offscreen.update_scene(data, camera=self._camera)
        if target is not None:
            self._mark(self._offscreen.scene, target)
        picture: NDArray[Any] = self._offscreen.render()
        return picture

    def close(self) -> None:
        """Release the graphics."""
        for graphics in (self._offscreen, self._viewer):
            if graphics is not None:
                graphics.close()
        self._offscreen = self._viewer = None

    def _show(self, data: Any, target: FloatArray | None) -> None:
        if self._viewer is None:
            import mujoco.viewer

            self._viewer = mujoco.viewer.launch_passive(self.model, data)
        self._viewer.user_scn.ngeom = 0
        if target is not None:
            self._mark(self._viewer.user_scn, target)
        self._viewer.sync()

    def _mark(self, scene: Any, target: FloatArray) -> None:
        if scene.ngeom >= scene.maxgeom:
            return
        mujoco.mjv_initGeom(
            scene.geoms[scene.ngeom],
            mujoco.mjtGeom.mjGEOM_SPHERE,
            np.array((self._radius_m, 0.0, 0.0)),
            target,
            np.eye(3).ravel(),
            _TARGET_COLOUR,
        )
        scene.ngeom += 1


def check_mode(mode: str | None, modes: Sequence[str]) -> None:
    """Refuse a render mode that does not exist, or a window where there is no display for it.

    Without a display MuJoCo's window does not fail, it ends the process.

    Raises:
        ConfigError: There is no such mode, or no display.
    """
    if mode is not None and mode not in modes:
        raise ConfigError(f"render_mode must be one of {', '.join(modes)}, or None; not {mode!r}.")
    if mode == "human" and sys.platform == "linux" and not any(map(os.environ.get, _DISPLAYS)):
        raise ConfigError(
            f"render_mode 'human' opens a window, and there is no display ({' and '.join(_DISPLAYS)} are not "
            "set); choose rgb_array here."
        )
    if mode == "human" and sys.platform == "linux" and not _opens_windows():
        told = ", ".join(f"{name}={os.environ[name]}" for name in _DISPLAYS if os.environ.get(name))
        raise ConfigError(
            f"render_mode 'human' opens a window, and the display ({told}) does not answer; choose rgb_array "
            "here."
        )


def _opens_windows() -> bool:
    """Whether the library of MuJoCo's window can start."""
    from mujoco import viewer

    with warnings.catch_warnings():  # it warns of what it also returns
        warnings.simplefilter("ignore")
        return bool(viewer.glfw.init())


def _has_camera(model: Any, name: str) -> bool:
    return any(model.camera(i).name == name for i in range(model.ncam))


def _offscreen(model: Any) -> Any:
    width = min(WIDTH, int(model.vis.global_.offwidth))
    height = min(HEIGHT, int(model.vis.global_.offheight))
    try:
        return mujoco.Renderer(model, height, width)
    except Exception as error:
        raise ConfigError(
            f"no picture can be drawn here ({error}); without a display set MUJOCO_GL=egl, or osmesa, before "
            "MuJoCo is imported."
        ) from error
