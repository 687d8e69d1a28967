"""What a robot is not served as, whatever plant is given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.envs.arms import load_arm
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import ConfigError, LinkError
from spikearm.hardware.link.wire import Mode, Stop, Trait
from spikearm.launch.config import RunConfig
from spikearm.launch.hardware_run import LinkConfig, connect, execute_on_robot
from spikearm.launch.robot import make_robot, robot_around
from spikearm.launch.robot_config import RobotConfig
from spikearm.launch.robot_drives import make_arm


class MisHomed:
    """An arm one encoder of which counts too much, as after a power cycle or a wrong homing."""

    def __init__(self, plant, joint, by_rad):
        self.plant, self.closed = plant, False
        self.offset = np.zeros(len(plant.read().q))
        self.offset[joint] = by_rad

    dt_s = 1e-3

    def reset(self, *, seed=None):
        return self.read()

    def read(self):
        reading = self.plant.read()
        return dataclasses.replace(reading, q=reading.q + self.offset)

    def write(self, torque):
        return self.plant.write(torque)

    def close(self):
        self.closed = True


def settings(folder, **changes) -> RobotConfig:
    base = RobotConfig(
        listen=f"unix:{folder}/arm.sock", acknowledge_real_arm=True, perturbation=Perturbation()
    )
    return dataclasses.replace(base, **changes)


@pytest.mark.parametrize("traits", [Trait.REAL, Trait.RESETTABLE])
@pytest.mark.parametrize(("name", "joint", "by_rad"), [("iiwa14", 0, 3.3), ("fr3", 6, 2.0 * np.pi)])
def test_arm_that_reads_outside_its_range_is_not_served(short_path, name, joint, by_rad, traits):
    config = settings(short_path, arm=name)
    arm = load_arm(name)
    plant = MisHomed(make_arm(config, arm), joint, by_rad)
    said = f"joint {joint} reads .* rad, outside its range of .*rad. Check homing"
    with pytest.raises(ConfigError, match=said), robot_around(plant, arm, config, traits):
        pass
    assert plant.closed


@pytest.mark.parametrize("traits", [Trait.REAL, Trait.RESETTABLE])
def test_real_arm_that_moves_is_not_taken_over(short_path, traits):
    config = settings(short_path, arm="planar2")
    arm = load_arm("planar2")
    plant = MisHomed(make_arm(config, arm), 0, 0.0)
    read = plant.read
    plant.read = lambda: dataclasses.replace(read(), dq=np.array((0.0, -0.3)))
    if traits is Trait.RESETTABLE:
        with robot_around(plant, arm, config, traits) as robot:
            assert robot.session.mode is Mode.IDLE
        return
    with pytest.raises(ConfigError, match=r"real and moves, by up to 0\.30 rad/s.*at rest \(below 0\.1"):
        robot_around(plant, arm, config, traits)
    assert plant.closed


@pytest.mark.parametrize("commanded", [False, True])
def test_arm_comes_to_rest_before_its_robot_ends(short_path, commanded):
    with make_robot(settings(short_path)) as robot:
        robot.plant._data.qvel[:] = 0.4
        robot.server.reading = robot.plant.read()
        if commanded:
            robot.session.mode = Mode.COMMAND_ACTIVE
        robot.serve(lambda: False, on_stop=id)
        assert np.abs(robot.plant.read().dq).max() <= 0.02
        assert robot.session.tick_number >= 5
        assert robot.session.stop == (Stop.ENDED if commanded else Stop(0))


def test_arm_that_does_not_come_to_rest_is_not_waited_for(short_path):
    with make_robot(settings(short_path, arm="planar2")) as robot:
        look = robot.server._look

        def restless():
            look()
            robot.server.reading = dataclasses.replace(robot.server.reading, dq=np.full(2, 0.5))

        robot.server._look = restless
        robot.serve(lambda: False, on_stop=id)
        assert robot.session.tick_number >= 1000


@pytest.mark.parametrize(("lock_step", "trait"), [(True, Trait(0)), (False, Trait.LOCK_STEP)])
def test_real_arm_is_not_served_in_lock_step(short_path, lock_step, trait):
    config = settings(short_path, arm="planar2", lock_step=lock_step)
    arm = load_arm("planar2")
    with pytest.raises(ConfigError, match="a real arm does not wait for its commands"):
        robot_around(make_arm(config, arm), arm, config, Trait.REAL | trait)


@pytest.mark.parametrize(("true", "believed"), [("fr3", "iiwa14"), ("iiwa14", "gen3"), ("gen3", "fr3")])
def test_client_of_another_arm_does_not_join(served, short_path, true, believed):
    config = settings(short_path, arm=true)
    arm = load_arm(true)
    with served(robot_around(make_arm(config, arm), arm, config, Trait.RESETTABLE)):
        with pytest.raises(LinkError, match=r"another arm than the one this run is for.*--arm"):
            connect(LinkConfig(robot=config.listen), load_arm(believed))
        with connect(LinkConfig(robot=config.listen), arm) as plant:
            assert plant.mode is Mode.MONITOR


@pytest.mark.parametrize("monitor", [False, True])
def test_real_arm_far_from_its_start_is_looked_at_but_not_moved(served, short_path, monitor):
    run = RunConfig(controller="osc", trials=1, duration_s=0.05, distance_m=0.02, out=short_path / "runs")
    config = settings(short_path)
    arm = load_arm(config.arm)
    plant = make_arm(config, arm)
    plant._q0 = plant._q0 + 0.12
    start = plant.reset().q
    link = LinkConfig(robot=config.listen, acknowledge_real_arm=True, monitor=monitor)
    with served(robot_around(plant, arm, config, Trait.REAL)):
        if monitor:
            summary, _ = execute_on_robot(run, link)
            assert summary["link"]["monitor_only"] is True
        else:
            with pytest.raises(ConfigError, match=r"real and stands .*--lead-in"):
                execute_on_robot(run, link)
            assert list((short_path / "runs").iterdir()) == []
        # Its drives were off: it sinks a little until its own hold has its torque.
        np.testing.assert_allclose(plant.read().q, start, atol=0.06)


def test_looking_only_and_recovering_exclude_each_other():
    with pytest.raises(ConfigError, match="--monitor only looks, --recover gives an arm its torque back"):
        LinkConfig(monitor=True, recover=True)
