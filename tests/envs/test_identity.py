from __future__ import annotations

import dataclasses
import shutil

from spikearm.envs.arms import ARMS, load_arm
from spikearm.envs.identity import arm_identity


def test_every_shipped_arm_is_another_one():
    assert len({arm_identity(arm) for arm in ARMS.values()}) == len(ARMS)


def test_same_arm_under_another_name_and_home_is_the_same():
    arm = ARMS["planar2"]
    other = dataclasses.replace(arm, name="mine", home=(0.1, 0.2))
    assert arm_identity(other) == arm_identity(arm)


def test_model_in_which_one_mass_differs_is_another_arm(tmp_path):
    text = ARMS["planar2"].path.read_text()
    same, changed = tmp_path / "same.xml", tmp_path / "changed.xml"
    shutil.copy(ARMS["planar2"].path, same)
    assert 'mass="' in text
    changed.write_text(text.replace('mass="', 'mass="1', 1))
    assert arm_identity(load_arm(same)) == arm_identity(ARMS["planar2"])
    assert arm_identity(load_arm(changed)) != arm_identity(ARMS["planar2"])
