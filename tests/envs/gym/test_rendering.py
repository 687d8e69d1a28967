"""Pictures, where this machine can draw any."""

import os
import subprocess
import sys

import gymnasium
import mujoco
import numpy as np
import pytest

from spikearm.envs.gym.rendering import HEIGHT, WIDTH
from spikearm.errors import ConfigError


@pytest.fixture(autouse=True, scope="module")
def _graphics():
    try:
        mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>"), 8, 8).close()
    except Exception as error:  # noqa: BLE001 (each graphics library raises its own)
        pytest.skip(f"no graphics here: {error}")


def picture(env, **options):
    env.reset(seed=1, options=options or None)
    return env.render()


def test_picture_shows_the_arm_and_its_target(make):
    env = make(render_mode="rgb_array")
    shown = picture(env, target=[0.5, -0.2, 0.6])
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert shown.dtype == np.uint8
    green = (shown[..., 1] > 1.3 * shown[..., 0]) & (shown[..., 1] > 1.3 * shown[..., 2])
    assert green.sum() > 20
    hidden = picture(env, target=[0.5, 0.8, 0.6])
    assert (shown != hidden).any()


def test_depth_is_in_metres(make):
    depth = picture(make(render_mode="depth_array"))
    assert depth.shape == (HEIGHT, WIDTH)
    assert 1.0 < depth.min() < 3.0


def test_picture_follows_the_arm(make):
    env = make(render_mode="rgb_array", arm="planar2")
    before = picture(env)
    for _ in range(30):
        env.step(np.ones(2))
    assert (env.render() != before).any()


def test_random_plant_is_drawn_as_it_is(make):
    env, fresh = (make("PlantFamily", render_mode="rgb_array", n_joints=4) for _ in range(2))
    env.reset(seed=2)
    env.render()
    np.testing.assert_array_equal(picture(env), picture(fresh))


def test_rendering_changes_nothing(make):
    seen, unseen = make(render_mode="rgb_array", arm="planar2"), make(arm="planar2")
    for env in (seen, unseen):
        env.reset(seed=1)
    for _ in range(3):
        seen.render()
        np.testing.assert_array_equal(seen.step(np.ones(2))[0], unseen.step(np.ones(2))[0])


def test_frames_come_at_the_rate_of_the_steps(make):
    assert make(render_mode="rgb_array", control_dt_s=0.04).metadata["render_fps"] == 25


def test_vector_draws_every_arm_as_the_single_environment_does(make, vector):
    many, one = vector(n=2, render_mode="rgb_array"), make(arm="planar2", render_mode="rgb_array")
    many.reset(seed=[3, 4])
    pictures = many.render()
    for picture_of_one, seed in zip(pictures, (3, 4), strict=True):
        one.reset(seed=seed)
        np.testing.assert_array_equal(picture_of_one, one.render())


@pytest.fixture
def graphics(monkeypatch):
    """Those that were made, and are not closed."""
    made = []

    class Counted(mujoco.Renderer):
        def __init__(self, *arguments):
            made.append(self)
            super().__init__(*arguments)

        def close(self):
            if self in made:  # they are closed again when they are collected
                made.remove(self)
            super().close()

    monkeypatch.setattr(mujoco, "Renderer", Counted)
    return made


def test_arms_of_a_vector_share_graphics_until_it_is_closed(vector, graphics):
    env = vector(n=3, render_mode="rgb_array")
    env.reset(seed=1)
    env.render()
    kept = list(graphics)
    env.render()
    assert graphics == kept
    assert len(graphics) == 1
    env.close()
    assert not graphics


def test_arm_of_its_own_has_graphics_of_its_own(vector, graphics):
    env = vector("PayloadReach", n=2, render_mode="rgb_array")
    for seed in (1, 2):
        env.reset(seed=seed)
        env.render()
    assert len(graphics) == 2


def test_graphics_of_random_plants_of_the_past_are_released(graphics):
    env = gymnasium.make_vec("spikearm/PlantFamily-v0", num_envs=2, render_mode="rgb_array")
    for seed in (1, 2):
        env.reset(seed=seed)
        env.render()
    assert len(graphics) == 2
    env.close()


def test_machine_without_graphics_is_told_what_to_set(make, monkeypatch):
    def fail(*_):
        raise RuntimeError("no display")

    monkeypatch.setattr(mujoco, "Renderer", fail)
    env = make(render_mode="rgb_array")
    env.reset(seed=1)
    with pytest.raises(ConfigError, match=r"no picture can be drawn here \(no display\).*MUJOCO_GL=egl"):
        env.render()


def test_display_that_does_not_answer_is_told_before_a_window_opens(tmp_path):
    """MuJoCo's window would end the process, and leave a log."""
    program = (
        "from spikearm.envs.gym.rendering import MODES, check_mode\n"
        "from spikearm.errors import ConfigError\n"
        "try:\n    check_mode('human', MODES)\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"}
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-c", program],
        env=environment | {"DISPLAY": ":97"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "the display (DISPLAY=:97) does not answer; choose rgb_array" in done.stdout
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())
