import numpy as np
import pytest

from spikearm.controller.network import TickNetwork
from spikearm.controller.orientation import displacement, from_rotation_vector, left_jacobian, multiply
from spikearm.controller.protocols import Target
from spikearm.controller.spiking import SpikingController, target_inputs
from spikearm.errors import NetworkLostError, TimeStepError
from spikearm.hardware.backend import StepResult
from spikearm.hardware.host_cost import HOST_COST
from spikearm.records import JointState, OpCounts, Pose

CENTER = Pose(np.array((0.5, 0.1, 0.4)), from_rotation_vector(np.array((0.3, -1.0, 0.5))))
STATE = JointState(np.array((0.1, 0.2)), np.array((0.3, 0.4)), 0.0)


class Answering:
    """A program that keeps its inputs and gives one torque."""

    def __init__(self, torque, dt_s: float = 1e-3) -> None:
        self.dt_s, self.torque, self.inputs = dt_s, np.asarray(torque, dtype=float), []
        self.n_resets = self.n_closed = 0

    def step(self, inputs) -> StepResult:
        self.inputs.append(inputs)
        return StepResult({"torque": self.torque}, OpCounts(spikes=2.0))

    def reset(self) -> None:
        self.n_resets += 1

    def close(self) -> None:
        self.n_closed += 1


def pose(way) -> Pose:
    return Pose(CENTER.position + way[:3], multiply(from_rotation_vector(way[3:]), CENTER.quaternion))


def controller(program, *, feedforward=False, control_dt_s=1e-3) -> SpikingController:
    network = TickNetwork(program, HOST_COST, control_dt_s=control_dt_s)
    return SpikingController(network, CENTER, np.array((10.0, 10.0)), feedforward=feedforward)


def still(way) -> Target:
    return Target(pose(way), np.zeros(6), np.zeros(6))


def test_network_sees_state_and_displacement():
    way, program = np.array((0.1, -0.2, 0.05, 0.2, 0.1, -0.3)), Answering((1.0, 2.0))
    command = controller(program).update(STATE, still(way))
    (inputs,) = program.inputs
    assert inputs.keys() == {"state", "target"}
    np.testing.assert_array_equal(inputs["state"], (0.1, 0.2, 0.3, 0.4))
    np.testing.assert_allclose(inputs["target"], way, atol=1e-12)
    np.testing.assert_array_equal(command.torque, (1.0, 2.0))
    assert command.counts.spikes == 2.0
    assert command.cost == HOST_COST.estimate(command.counts, 1e-3)


def test_torque_is_cut_at_the_limits():
    command = controller(Answering((30.0, -1.0))).update(STATE, still(np.zeros(6)))
    np.testing.assert_array_equal(command.torque, (10.0, -1.0))
    assert command.saturated
    assert not controller(Answering((10.0, -1.0))).update(STATE, still(np.zeros(6))).saturated


def test_all_network_steps_of_a_tick_are_made_and_counted():
    program = Answering((1.0, 2.0))
    command = controller(program, control_dt_s=4e-3).update(STATE, still(np.zeros(6)))
    assert len(program.inputs) == 4
    assert command.counts.spikes == 8.0
    with pytest.raises(TimeStepError, match="not a multiple"):
        controller(program, control_dt_s=1.5e-3)


def test_reset_and_close_reach_the_program():
    program = Answering((1.0, 2.0))
    spiking = controller(program)
    spiking.reset()
    spiking.close()
    assert (program.n_resets, program.n_closed) == (1, 1)


def test_velocity_and_acceleration_are_rates_of_the_displacement(rng):
    for _ in range(10):
        way, rate, h = rng.uniform(-0.4, 0.4, 6), rng.normal(size=6), 1e-6
        spin = left_jacobian(way[3:]) @ rate[3:]
        velocity = np.concatenate((rate[:3], spin))
        inputs = target_inputs(CENTER, Target(pose(way), velocity, 2.0 * velocity), feedforward=True)
        moved = multiply(from_rotation_vector(h * spin), pose(way).quaternion)
        ahead = Pose(pose(way).position + h * rate[:3], moved)
        numeric = (displacement(CENTER, ahead) - displacement(CENTER, pose(way))) / h
        np.testing.assert_allclose(inputs["velocity"], numeric, atol=1e-5)
        np.testing.assert_allclose(inputs["acceleration"], 2.0 * inputs["velocity"])


def test_left_jacobian_is_smooth_at_zero():
    axis = np.array((0.6, 0.0, 0.8))
    near, far = left_jacobian(0.99e-4 * axis), left_jacobian(1.01e-4 * axis)
    np.testing.assert_allclose(near, far, atol=1e-5)
    np.testing.assert_array_equal(left_jacobian(np.zeros(3)), np.eye(3))


def test_torque_that_is_no_number_is_held_and_then_ends_the_run():
    program = Answering((1.0, 2.0))
    spiking = controller(program)
    spiking.update(STATE, still(np.zeros(6)))
    program.torque = np.array((np.nan, 0.0))
    held = [spiking.update(STATE, still(np.zeros(6))) for _ in range(20)]
    assert all((c.torque == (1.0, 2.0)).all() and c.fallback == 1 for c in held)
    with pytest.raises(NetworkLostError, match=r"not finite for 0\.02 s"):
        spiking.update(STATE, still(np.zeros(6)))
    program.torque = np.array((3.0, 4.0))
    spiking.reset()
    command = spiking.update(STATE, still(np.zeros(6)))
    assert (command.torque.tolist(), command.fallback) == ([3.0, 4.0], 0)


def test_slower_network_is_held_with_its_age():
    program = Answering((1.0, 2.0), dt_s=3e-3)
    spiking = controller(program)
    commands = [spiking.update(STATE, still(np.zeros(6))) for _ in range(4)]
    assert len(program.inputs) == 2
    assert [round(1e3 * c.network_age_s) for c in commands] == [0, 1, 2, 0]
    assert [c.counts.spikes for c in commands] == [2.0, 0.0, 0.0, 2.0]
    assert {c.fallback for c in commands} == {0}
