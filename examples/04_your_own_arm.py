"""Lesson 4: your own arm, from an MJCF file.

    python examples/04_your_own_arm.py

An arm is a chain of hinge joints with one motor each and a site at its end. No network was trained for it:
the neurons then see the state itself (encoder "none"), which works, only more slowly. The best learning rate
depends on the arm, too: half of the default, which was found on seven joints, leaves the least error here.
"""

import tempfile
from pathlib import Path

from spikearm.envs.arms import load_arm
from spikearm.envs.perturbation import Perturbation
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.run import execute

LEARNING_RATE = 2e-2  # best of 3e-3, 5e-3, 1e-2, 2e-2 and 4e-2, the default

# A crane of three links: turns, lifts, bends. Masses follow from the geoms' sizes and density [kg/m^3].
MJCF = """
<mujoco model="crane">
  <compiler angle="radian"/>
  <option timestep="0.001" integrator="implicitfast"/>
  <default>
    <joint damping="0.5" armature="0.05" limited="true"/>
    <geom type="capsule" size="0.04" density="700" contype="0" conaffinity="0"/>
  </default>
  <worldbody>
    <body pos="0 0 0.3">
      <joint name="turn" axis="0 0 1" range="-2.5 2.5"/>
      <geom fromto="0 0 0 0 0 0.2"/>
      <body pos="0 0 0.2">
        <joint name="lift" axis="0 -1 0" range="-0.5 2.2"/>
        <geom fromto="0 0 0 0.4 0 0"/>
        <body pos="0.4 0 0">
          <joint name="bend" axis="0 -1 0" range="-2.5 0.2"/>
          <geom fromto="0 0 0 0.35 0 0"/>
          <site name="ee" pos="0.35 0 0"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="turn" ctrlrange="-60 60"/>
    <motor joint="lift" ctrlrange="-90 90"/>
    <motor joint="bend" ctrlrange="-60 60"/>
  </actuator>
  <keyframe><key name="home" qpos="0 0.9 -1.4"/></keyframe>
</mujoco>
"""

with tempfile.TemporaryDirectory() as name:
    path = Path(name) / "crane.xml"
    path.write_text(MJCF)
    arm = load_arm(str(path))
    print(f"{arm.name}: {arm.n_joints} joints, home {arm.home}")
    config = RunConfig(
        arm=str(path),
        trials=6,
        duration_s=4.8,
        distance_m=0.15,
        perturbation=Perturbation(payload_kg=0.5),
        network=NetworkConfig(encoder="none", learning_rate=LEARNING_RATE),
        out=Path(name),
    )
    summary = execute(config).summary

for key, label in (("rmse_m_by_trial_without_adaptation", "without"), ("rmse_m_by_trial", "with")):
    print(f"{label:8}", "  ".join(f"{1e3 * e:5.2f}" for e in summary[key]), "mm rms")
