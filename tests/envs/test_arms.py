"""The shipped arms, and arms from files."""

import math
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from spikearm.envs.arms import ARMS, load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.mjcf import compile_arm
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ConfigError, ModelError, UnknownNameError


@pytest.fixture
def model(arm):
    return compile_arm(arm.path).model


def test_home_is_the_keyframe_of_the_file(arm, model):
    np.testing.assert_array_equal(model.key("home").qpos, arm.home)


def test_home_lies_within_the_joint_ranges(arm, model):
    low, high = model.jnt_range.T
    within = (low < arm.home) & (arm.home < high)
    assert (within | (model.jnt_limited == 0)).all()


def test_model_is_torque_driven_at_one_millisecond(arm, model):
    assert model.nu == model.nq == model.nv == arm.n_joints
    assert model.opt.timestep == 0.001
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST


def test_model_needs_no_file_beside_it(arm, model):
    assert model.nmesh == model.nhfield == 0
    assert "file=" not in arm.path.read_text()


def test_no_part_of_the_arm_can_touch_anything(arm):
    plant = MujocoPlant(arm)
    for _ in range(300):
        plant.write(-plant.torque_limits)
    assert plant.data.ncon == 0


def test_model_has_a_camera_to_be_seen_from(model):
    assert model.camera("side").id >= 0


OUTSTRETCHED = {
    "iiwa14": (0, math.pi / 2, 0, 0, 0, 0, 0),
    "gen3": (0, math.pi / 2, 0, 0, 0, 0, 0),
    "fr3": (0, math.pi / 2, 0, -0.117, 0, 1.6, 0),
}
"""Joint angles that stretch an arm out horizontally [rad]; all zero unless given."""


def test_limits_hold_the_arm_and_its_payload_outstretched(arm):
    dynamics = MujocoDynamics(arm)
    horizontal = np.array(OUTSTRETCHED.get(arm.name, np.zeros(arm.n_joints)), dtype=np.float64)
    dynamics.update(horizontal, np.zeros(arm.n_joints))
    weight = np.array((0, 0, -9.81 * arm.payload_kg, 0, 0, 0))
    held = dynamics.bias() - dynamics.jacobian().T @ weight
    assert (np.abs(held) < 0.7 * dynamics.torque_limits).all()


def test_task_axes_are_those_the_jacobian_spans(arm):
    assert load_arm(arm.path).task_axes == arm.task_axes


def test_reaches_along_the_task_axes_stay_in_the_workspace():
    """A planar arm's default reach from home, either way along x and z, with its elbow still bent."""
    for name, links in (("planar2", (0.42, 0.36)), ("planar3", (0.40, 0.32))):
        arm = ARMS[name]
        shoulder, wrist_offset = np.array((0.0, 0.0, 0.55)), np.array((0.18, 0.0, 0.0))
        home = MujocoPlant(arm).ee_position() - (wrist_offset if name == "planar3" else 0.0)
        for axis in (0, 2):
            for sign in (-1, 1):
                reached = home + sign * arm.reach_m * np.eye(3)[axis]
                assert np.linalg.norm(reached - shoulder) < 0.95 * sum(links)


def test_iiwa14_has_the_published_figures():
    """Menagerie's figures by their totals: mass, and height of the outstretched flange."""
    model = compile_arm(ARMS["iiwa14"].path).model
    assert model.body_mass.sum() == pytest.approx(5 + 5.76 + 6.35 + 3.5 + 3.5 + 3.5 + 1.8 + 1.2)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    height_m = 0.1575 + 0.2025 + 0.2045 + 0.2155 + 0.1845 + 0.2155 + 0.081 + 0.045
    np.testing.assert_allclose(data.site("ee").xpos, (0, 0, height_m), atol=1e-6)
    np.testing.assert_array_equal(model.dof_damping, 1.0)
    np.testing.assert_array_equal(model.dof_armature, 0.1)


PUBLISHED = {
    # mass of all moving links and the base [kg], end effector with all joints at 0 [m]
    "gen3": (8.1879, (0.0, -0.0246, 1.1873)),
    "fr3": (15.494813, (0.088, 0.0, 0.926)),
    "ur5e": (20.9949, (-0.234, 0.817, 0.063)),
}
"""Menagerie's figures by their totals; the heights and lengths are those of the makers' data sheets: 1187 mm
for the upright Gen3, 333 + 316 + 384 - 107 mm and 88 mm for the FR3, 425 + 392 mm, 163 - 100 mm and
138 - 131 + 127 + 100 mm for the UR5e."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_arm_has_the_published_figures(name):
    mass_kg, ee = PUBLISHED[name]
    model = compile_arm(ARMS[name].path).model
    assert model.body_mass.sum() == pytest.approx(mass_kg)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(data.site("ee").xpos, ee, atol=5e-4)


def test_torque_limits_are_the_published_ones():
    limits = {name: compile_arm(ARMS[name].path).torque_limits.tolist() for name in PUBLISHED}
    assert limits == {
        "gen3": [105] * 4 + [52] * 3,
        "fr3": [87] * 4 + [12] * 3,
        "ur5e": [150] * 3 + [28] * 3,
    }


def test_continuous_joints_have_no_stop():
    np.testing.assert_array_equal(compile_arm(ARMS["gen3"].path).model.jnt_limited, [0, 1, 0, 1, 0, 1, 0])


def test_fr3_has_its_joint_friction():
    friction = compile_arm(ARMS["fr3"].path).model.dof_frictionloss
    np.testing.assert_array_equal(friction, [1.137] * 4 + [0.763, 0.44, 0.248])


def test_loading_by_name_gives_the_shipped_arm(arm):
    assert load_arm(arm.name) is arm


def test_unknown_name_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"no arm named 'iiwa'\. Known: .*Did you mean 'iiwa14'\?"):
        load_arm("iiwa")


def test_arm_from_a_file_takes_its_magnitudes_from_the_model(arm):
    loaded = load_arm(arm.path)
    assert (loaded.name, loaded.home, loaded.ee_site) == (arm.name, arm.home, "ee")
    assert loaded.torque_scale_nm == pytest.approx(arm.torque_scale_nm, rel=0.15)
    assert loaded.reach_m == pytest.approx(arm.reach_m, rel=0.05)


def test_relative_path_survives_a_change_of_folder(arm, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "arm.xml").write_text(arm.path.read_text())
    monkeypatch.chdir(tmp_path)
    loaded = load_arm("a/arm.xml")
    monkeypatch.chdir(tmp_path / "a")
    MujocoPlant(loaded).close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"home": ()}, "home of arm 'planar2' needs one finite angle per joint"),
        ({"home": (math.nan, 0.0)}, "home of arm 'planar2' needs one finite angle per joint"),
        ({"task_axes": (False,) * 6}, "task_axes of arm 'planar2' are six flags"),
        ({"reach_m": 0.0}, "reach_m of arm 'planar2' must be positive"),
        ({"torque_scale_nm": math.inf}, "torque_scale_nm of arm 'planar2' must be positive"),
        ({"payload_kg": -1.0}, "payload_kg of arm 'planar2' must be 0 or more, not -1.0"),
    ],
)
def test_arm_spec_refuses(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(ARMS["planar2"], **change)


def test_missing_file_is_an_error_that_names_it():
    with pytest.raises(ModelError, match=r"no model file at .*nowhere\.xml; give the path"):
        load_arm("nowhere.xml")
