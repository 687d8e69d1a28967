import dataclasses

import numpy as np
import pytest
from fake_plant import UPRIGHT, still

from spikearm.controller.network import TickNetwork
from spikearm.controller.protocols import LawOutput
from spikearm.controller.torque import TorqueController
from spikearm.errors import TimeStepError
from spikearm.hardware.backend import StepResult
from spikearm.hardware.cost import Figure, TableCost
from spikearm.records import JointState, OpCounts, Pose

LIMITS = np.array((10.0, 5.0))
STATE = JointState(np.array((0.1, 0.2)), np.array((0.3, 0.4)), 0.0)
TARGET = still(Pose(np.zeros(3), UPRIGHT))
COST_MODEL = TableCost(
    "test",
    {"spikes": (Figure("spikes", 2e-12, "test"),), "leak": (Figure("dt_s", 1e-3, "test"),)},
    latency=(Figure("dt_s", 0.5, "test"),),
)


class FixedLaw:
    def __init__(self, task, support, onto_task=None) -> None:
        self.output = LawOutput(np.array(task), np.array(support), onto_task)
        self.told: list[bool] = []
        self.n_reset = 0

    def reset(self) -> None:
        self.n_reset += 1

    def compute(self, state, target) -> LawOutput:
        return self.output

    def notify_saturated(self, saturated: bool) -> None:
        self.told.append(saturated)


class CountingProgram:
    """Gives a torque that counts its steps; fires one spike more in every step."""

    def __init__(self, dt_s: float = 1e-3) -> None:
        self.dt_s = dt_s
        self.inputs: list[dict[str, np.ndarray]] = []
        self.n_closed = 0

    def step(self, inputs) -> StepResult:
        self.inputs.append({name: value.copy() for name, value in inputs.items()})
        n = float(len(self.inputs))
        return StepResult({"torque": np.array((n, -n))}, OpCounts(spikes=n))

    def reset(self) -> None:
        self.inputs.clear()

    def close(self) -> None:
        self.n_closed += 1


def controller(law, program=None, control_dt_s=1e-3) -> TorqueController:
    network = None if program is None else TickNetwork(program, COST_MODEL, control_dt_s=control_dt_s)
    return TorqueController(law, LIMITS, adaptation=network)


def test_torque_is_the_sum_of_task_support_and_adaptation():
    command = controller(FixedLaw((1.0, 2.0), (3.0, -1.0)), CountingProgram()).update(STATE, TARGET)
    np.testing.assert_array_equal(command.torque, (5.0, 0.0))
    np.testing.assert_array_equal(command.task_torque, (1.0, 2.0))
    np.testing.assert_array_equal(command.adaptive_torque, (1.0, -1.0))
    assert not command.saturated


def test_what_was_learned_acts_on_the_task_alone():
    onto_first_joint = np.diag((1.0, 0.0))
    command = controller(FixedLaw((1.0, 2.0), (0.5, 0.5), onto_first_joint), CountingProgram()).update(
        STATE, TARGET
    )
    np.testing.assert_array_equal(command.adaptive_torque, (1.0, 0.0))
    np.testing.assert_array_equal(command.torque, (2.5, 2.5))


def test_network_sees_the_state_and_learns_from_the_task_torque_alone():
    program = CountingProgram()
    controller(FixedLaw((1.0, 2.0), (3.0, -1.0)), program).update(STATE, TARGET)
    np.testing.assert_array_equal(program.inputs[0]["state"], (0.1, 0.2, 0.3, 0.4))
    np.testing.assert_array_equal(program.inputs[0]["error"], (-1.0, -2.0))


def test_all_network_steps_of_a_tick_are_counted_and_paid_for():
    program = CountingProgram(dt_s=5e-4)
    command = controller(FixedLaw((0.0, 0.0), (0.0, 0.0)), program, control_dt_s=2e-3).update(STATE, TARGET)
    assert len(program.inputs) == 4
    np.testing.assert_array_equal(command.adaptive_torque, (4.0, -4.0))
    assert command.counts.spikes == 1 + 2 + 3 + 4
    assert command.cost.energy_j == pytest.approx({"spikes": 10 * 2e-12, "leak": 2e-3 * 1e-3})
    assert command.cost.latency_s == pytest.approx(1e-3)


def test_torque_is_clipped_to_the_limits_and_says_so():
    law = FixedLaw((100.0, 0.0), (0.0, -100.0))
    command = controller(law).update(STATE, TARGET)
    np.testing.assert_array_equal(command.torque, (10.0, -5.0))
    assert command.saturated
    assert law.told == [True]


def test_learning_error_is_zero_after_a_saturated_tick_and_comes_back():
    law, program = FixedLaw((100.0, 0.0), (0.0, 0.0)), CountingProgram()
    adaptive = controller(law, program)
    adaptive.update(STATE, TARGET)
    law.output = LawOutput(np.array((1.0, 0.0)), np.zeros(2))
    adaptive.update(STATE, TARGET)
    adaptive.update(STATE, TARGET)
    errors = [step["error"].tolist() for step in program.inputs]
    assert errors == [[-100.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]


def test_learning_stops_when_the_arm_applied_less_than_it_was_sent():
    law, program = FixedLaw((1.0, 0.0), (0.0, 0.0)), CountingProgram()
    adaptive = controller(law, program)
    sent = adaptive.update(STATE, TARGET).torque
    adaptive.notify_applied(sent, 0.5 * sent)
    assert law.told == [False, True]
    adaptive.update(STATE, TARGET)
    adaptive.notify_applied(sent, sent)
    adaptive.update(STATE, TARGET)
    assert [step["error"].tolist() for step in program.inputs] == [[-1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]


def test_nothing_is_learned_on_the_way_to_a_path():
    program = CountingProgram()
    adaptive = controller(FixedLaw((1.0, 0.0), (0.0, 0.0)), program)
    adaptive.update(STATE, dataclasses.replace(TARGET, leading=True))
    adaptive.update(STATE, TARGET)
    assert [step["error"].tolist() for step in program.inputs] == [[0.0, 0.0], [-1.0, 0.0]]


def test_torque_rounded_on_its_way_to_the_arm_is_no_saturation():
    law = FixedLaw((1.0 / 3.0, 0.1), (0.0, 0.0))
    adaptive = controller(law, CountingProgram())
    sent = np.array((10.0 / 3.0, -0.1))
    adaptive.notify_applied(sent, sent.astype(np.float32).astype(np.float64))
    assert not any(law.told)
    adaptive.notify_applied(sent, 0.99 * sent)
    assert law.told[-1]


def test_delayed_torque_is_no_saturation():
    law, program = FixedLaw((1.0, 0.0), (0.0, 0.0)), CountingProgram()
    adaptive = controller(law, program)
    adaptive.update(STATE, TARGET)
    earlier = np.array((0.7, 0.1))
    adaptive.notify_applied(earlier, earlier.copy())
    adaptive.update(STATE, TARGET)
    assert program.inputs[1]["error"].tolist() == [-1.0, 0.0]


def test_without_a_network_there_is_no_cost():
    command = controller(FixedLaw((1.0, 2.0), (0.0, 0.0))).update(STATE, TARGET)
    np.testing.assert_array_equal(command.adaptive_torque, (0.0, 0.0))
    assert command.cost.total_j == 0.0
    assert command.counts == OpCounts()


def test_reset_forgets_everything():
    law, program = FixedLaw((100.0, 0.0), (0.0, 0.0)), CountingProgram()
    adaptive = controller(law, program)
    adaptive.update(STATE, TARGET)
    adaptive.reset()
    assert law.n_reset == 1
    adaptive.update(STATE, TARGET)
    assert program.inputs[0]["error"].tolist() == [-100.0, 0.0]


def test_close_releases_the_network():
    program = CountingProgram()
    controller(FixedLaw((0.0, 0.0), (0.0, 0.0)), program).close()
    assert program.n_closed == 1
    controller(FixedLaw((0.0, 0.0), (0.0, 0.0))).close()


def test_control_step_must_be_a_whole_number_of_network_steps():
    with pytest.raises(
        TimeStepError, match=r"control step 0.0025 s is not a multiple of network step 0.001 s"
    ):
        controller(FixedLaw((0.0, 0.0), (0.0, 0.0)), CountingProgram(), control_dt_s=2.5e-3)


def test_command_is_not_changed_by_later_ticks():
    law = FixedLaw((1.0, 2.0), (3.0, -1.0))
    adaptive = controller(law, CountingProgram())
    first = adaptive.update(STATE, TARGET)
    kept = [a.copy() for a in (first.torque, first.task_torque, first.adaptive_torque)]
    law.output = LawOutput(np.zeros(2), np.zeros(2))
    adaptive.update(STATE, TARGET)
    for array, copy in zip((first.torque, first.task_torque, first.adaptive_torque), kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_slower_network_steps_now_and_then_and_is_held_in_between():
    program = CountingProgram(dt_s=3e-3)
    adaptive = controller(FixedLaw((1.0, 0.0), (0.0, 0.0)), program)
    commands = [adaptive.update(STATE, TARGET) for _ in range(7)]
    assert [c.adaptive_torque[0] for c in commands] == [1, 1, 1, 2, 2, 2, 3]
    assert [c.counts.spikes for c in commands] == [1, 0, 0, 2, 0, 0, 3]
    assert [round(1e3 * c.network_age_s) for c in commands] == [0, 1, 2, 0, 1, 2, 0]
    assert {c.fallback for c in commands} == {0}
    assert commands[0].cost.energy_j["leak"] == pytest.approx(3e-3 * 1e-3)


def test_network_step_and_control_step_must_divide_one_way_or_the_other():
    with pytest.raises(
        TimeStepError, match=r"network step 0\.0025 s is not a multiple of control step 0\.001"
    ):
        controller(FixedLaw((0.0, 0.0), (0.0, 0.0)), CountingProgram(dt_s=2.5e-3))


def test_output_that_is_no_number_never_reaches_the_arm_and_stops_learning():
    law, program = FixedLaw((1.0, 0.0), (0.0, 0.0)), CountingProgram()
    adaptive = controller(law, program)
    adaptive.update(STATE, TARGET)
    step = program.step
    program.step = lambda inputs: StepResult({"torque": np.full(2, np.nan)}, step(inputs).counts)
    commands = [adaptive.update(STATE, TARGET) for _ in range(130)]
    assert all(np.isfinite(c.torque).all() for c in commands)
    assert [c.fallback for c in commands] == [1] * 20 + [2] * 110
    np.testing.assert_array_equal(commands[-1].torque, (1.0, 0.0))
    assert program.inputs[1]["error"][0] == -1.0
    assert {s["error"][0] for s in program.inputs[2:]} == {0.0}


def test_old_output_is_held_and_its_age_told():
    law, program = FixedLaw((1.0, 0.0), (0.0, 0.0)), CountingProgram()
    adaptive = controller(law, program)
    adaptive.update(STATE, TARGET)
    step = program.step
    program.step = lambda inputs: StepResult(step(inputs).outputs, OpCounts(), age_s=0.011)
    command = adaptive.update(STATE, TARGET)
    assert (command.fallback, command.network_age_s) == (1, 0.011)
    np.testing.assert_array_equal(command.adaptive_torque, (1.0, -1.0))


def test_resumed_controller_keeps_what_was_learned():
    law, program = FixedLaw((100.0, 0.0), (0.0, 0.0)), CountingProgram()
    law.n_resets = 0
    law.reset = lambda: setattr(law, "n_resets", law.n_resets + 1)
    adaptive = controller(law, program)
    adaptive.update(STATE, TARGET)
    adaptive.resume()
    law.output = LawOutput(np.array((1.0, 0.0)), np.zeros(2))
    adaptive.update(STATE, TARGET)
    assert law.n_resets == 1
    assert len(program.inputs) == 2
    assert program.inputs[1]["error"][0] == -1.0
