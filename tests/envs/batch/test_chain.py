"""Compiled kinematics against MuJoCo's own."""

import mujoco
import numpy as np
import pytest

from spikearm.envs.batch.chain import chain_of, locate
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.mjcf import compile_arm

BRANCHED = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <worldbody>
    <body pos="0.1 0.2 0.3" quat="0.9 0.1 0.3 -0.2">
      <geom type="sphere" size="0.05" mass="1"/>
      <body pos="0.1 0 0.2" quat="0.5 0.5 0.5 -0.5">
        <joint name="a" axis="1 0.5 0" pos="0.03 -0.02 0.05" ref="0.4" range="-3 3"/>
        <joint name="b" axis="0 1 0.2" pos="-0.01 0.02 0.04" range="-3 3"/>
        <geom type="box" size="0.05 0.04 0.1" mass="2"/>
        <body pos="0 0.1 0.2">
          <joint name="c" axis="0 0 1" range="-3 3"/>
          <geom type="sphere" size="0.05" mass="1" pos="0.1 0 0"/>
        </body>
        <body pos="0 -0.1 0.2" quat="0.8 0 0.6 0">
          <joint name="d" axis="0 1 0" pos="0 0 0.1" range="-3 3"/>
          <geom type="sphere" size="0.05" mass="1" pos="0.1 0 0"/>
          <body pos="0.05 0 0.1"><geom type="sphere" size="0.02" mass="0.1"/>
            <site name="ee" pos="0.1 0.02 0.03" quat="0.7 0 0.7 0.1"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="a" ctrlrange="-9 9"/><motor joint="b" ctrlrange="-9 9"/>
    <motor joint="c" ctrlrange="-9 9"/><motor joint="d" ctrlrange="-9 9"/>
  </actuator>
</mujoco>
"""


def located(compiled, q):
    """Positions, quaternions and Jacobians of arms at angles of shape (n_arms, n_joints)."""
    chain = chain_of(compiled.model, compiled.site_id)
    n_arms, n_joints = q.shape
    out = np.zeros((n_arms, 3)), np.zeros((n_arms, 4)), np.zeros((n_arms, 6, n_joints))
    segments = np.repeat(chain.segments[None], n_arms, axis=0)
    tools = np.repeat(chain.tool[None], n_arms, axis=0)
    locate(segments, chain.tree, tools, chain.tool_segment, q, *out)
    return out


def same_rotation(a, b):
    return abs(abs(float(a @ b)) - 1.0) < 1e-12


def test_kinematics_are_mujocos(arm, rng):
    compiled, dynamics = compile_arm(arm.path), MujocoDynamics(arm)
    q = np.asarray(arm.home) + rng.uniform(-1.5, 1.5, (5, arm.n_joints))
    position, quaternion, jacobian = located(compiled, q)
    for e in range(len(q)):
        dynamics.update(q[e], np.zeros(arm.n_joints))
        np.testing.assert_allclose(position[e], dynamics.pose().position, atol=1e-13)
        assert same_rotation(quaternion[e], dynamics.pose().quaternion)
        np.testing.assert_allclose(jacobian[e], dynamics.jacobian(), atol=1e-13)


def test_tree_with_branches_and_shifted_hinges_is_followed(tmp_path, rng):
    path = tmp_path / "branched.xml"
    path.write_text(BRANCHED)
    compiled = compile_arm(path)
    data, q = mujoco.MjData(compiled.model), rng.uniform(-2, 2, (3, 4))
    position, quaternion, jacobian = located(compiled, q)
    for e in range(len(q)):
        data.qpos[:] = q[e]
        mujoco.mj_forward(compiled.model, data)
        wanted, frame = np.zeros((6, 4)), np.zeros(4)
        mujoco.mj_jacSite(compiled.model, data, wanted[:3], wanted[3:], compiled.site_id)
        mujoco.mju_mat2Quat(frame, data.site_xmat[compiled.site_id])
        np.testing.assert_allclose(position[e], data.site_xpos[compiled.site_id], atol=1e-13)
        assert same_rotation(quaternion[e], frame)
        np.testing.assert_allclose(jacobian[e], wanted, atol=1e-13)
        assert not jacobian[e, :, 2].any()  # joint c is on another branch


def test_an_arm_is_the_same_in_any_company(arm, rng):
    compiled = compile_arm(arm.path)
    q = rng.uniform(-1, 1, (7, arm.n_joints))
    together = located(compiled, q)
    for e in range(len(q)):
        for many, alone in zip(together, located(compiled, q[e : e + 1]), strict=True):
            np.testing.assert_array_equal(many[e], alone[0])


@pytest.mark.parametrize("n_arms", [1, 64])
def test_quaternions_stay_of_length_one(arm, rng, n_arms):
    _, quaternion, _ = located(compile_arm(arm.path), rng.uniform(-9, 9, (n_arms, arm.n_joints)))
    np.testing.assert_allclose(np.linalg.norm(quaternion, axis=1), 1.0, atol=1e-12)
