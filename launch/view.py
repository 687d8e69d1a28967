"""Watching a run while it lasts: in MuJoCo's window where there is a display, in a browser elsewhere."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich

from spikearm.controller.tickschema import TickRecord
from spikearm.errors import ConfigError
from spikearm.launch.config import RunConfig
from spikearm.launch.display import say
from spikearm.launch.scene import ArmScene

_PERIOD_S = 1 / 30
_PATIENCE_S = 60.0

OnTick = Callable[[TickRecord], None]


@contextmanager
def view(config: RunConfig, on_tick: OnTick) -> Iterator[OnTick]:
    """Show the arm in every tick that a screen can show; hands out what to call in each tick.

    Args:
        config: The run's configuration.
        on_tick: Called as well, e.g. for the panel in the terminal.

    Raises:
        ConfigError: There is no display that can be opened, and the package for the browser is missing.
    """
    scene = ArmScene(config)
    shown_s = 0.0
    try:
        with _window(scene) if _opens_windows() else _page(scene) as sync:

            def on_tick_with_view(record: TickRecord) -> None:
                nonlocal shown_s
                on_tick(record)
                if time.monotonic() - shown_s > _PERIOD_S:
                    shown_s = time.monotonic()
                    scene.pose(record.state.q)
                    sync()

            yield on_tick_with_view
    finally:
        scene.close()


def _opens_windows() -> bool:
    """Whether MuJoCo's window can be opened; on macOS that takes a Python of its own."""
    named = [os.environ[name] for name in ("DISPLAY", "WAYLAND_DISPLAY") if os.environ.get(name)]
    if sys.platform != "linux" or not named:
        return False
    if _try_window():
        return True
    say(f"view: no window can be opened on display {named[0]}.")
    return False


def _try_window() -> bool:
    """Open a window that nobody sees: where MuJoCo cannot open its own, it ends the process."""
    import glfw

    with warnings.catch_warnings(action="ignore"):
        if not glfw.init():
            return False
        try:
            glfw.window_hint(glfw.VISIBLE, glfw.FALSE)
            window = glfw.create_window(64, 64, "spikearm", None, None)
            return bool(window)
        finally:
            glfw.terminate()


@contextmanager
def _window(scene: ArmScene) -> Iterator[Callable[[], None]]:
    from mujoco import viewer

    with viewer.launch_passive(scene.model, scene.data, show_left_ui=False, show_right_ui=False) as window:
        yield window.sync


@contextmanager
def _page(scene: ArmScene) -> Iterator[Callable[[], None]]:
    """A page on this computer; the run begins when somebody looks."""
    try:
        import viser
        from mjviser import ViserMujocoScene
    except ImportError as error:
        raise ConfigError(
            "there is no display that can be opened, and the view in a browser needs packages: "
            "pip install 'spikearm[view]'."
        ) from error
    # viser prints through rich's own console, at the end from a thread that may outlive the run by seconds;
    # stdout is for the JSON document.
    rich.reconfigure(stderr=True)
    server = viser.ViserServer(host="127.0.0.1", port=8080, verbose=False)
    try:
        shown = ViserMujocoScene(server, scene.model, num_envs=1)
        shown.create_visualization_gui()
        scene.pose(scene.data.qpos.copy())
        shown.update_from_mjdata(scene.data)
        address = f"http://localhost:{server.get_port()}"
        begins = f"the run begins then, or after {_PATIENCE_S:.0f} s."
        say(f"view: open {address} in a browser; {begins}")
        _wait_for(lambda: bool(server.get_clients()))
        yield lambda: shown.update_from_mjdata(scene.data)
    finally:
        server.stop()


def _wait_for(somebody: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not somebody() and time.monotonic() < deadline:
        time.sleep(0.1)
