"""What every plant promises the loop, whoever implements it.

A new plant is one line in ``PLANTS``. No simulated arm is excused from anything; the adapter of a real one is
from what its arm cannot do, in ``EXCUSED``, by the test's name and with the reason.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from spikearm.controller.protocols import Plant
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ClosedError, NotFiniteError, SpikearmError
from spikearm.hardware.adapters.dynamixel_config import DynamixelConfig
from spikearm.hardware.adapters.franka import FrankaPlant
from spikearm.hardware.adapters.franka_config import FrankaConfig
from spikearm.hardware.adapters.lerobot import LeRobotNames, LeRobotPlant
from spikearm.hardware.link.limits import LimitRules
from spikearm.hardware.link.served_plant import MeasuresTorque

HARD = Perturbation(
    payload_kg=0.907,
    joint_friction=0.5,
    gravity_tilt_rad=(0.05, 0.0),
    sensor_noise_q_rad=1e-4,
    sensor_noise_dq_rad_s=1e-3,
    delay_s=0.004,
)

sys.path.extend(str(Path(__file__).parents[1] / "hardware" / folder) for folder in ("link", "adapters"))

from franka_library import Arm, stand_in  # noqa: E402 - needs the path above
from rig import Rig  # noqa: E402
from simulated_planar import JOINTS, SimulatedPlanar, SimulatedPlanarConfig  # noqa: E402


def across_a_wire() -> Plant:
    """The planar arm behind a link, in lock step, with limits wide enough to be the arm's own."""
    arm = ARMS["planar2"]
    dynamics = MujocoDynamics(arm)
    wide = LimitRules(torque_rate_nm_s=1e12, speed_rad_s=1e9, margin_rad=0.0)
    rig = Rig(
        MujocoPlant(arm),
        dynamics,
        lock_step=True,
        limits=wide,
        torque_limits=dynamics.torque_limits,
        record=False,
    )
    return rig.armed()


def franka() -> Plant:
    """An FR3 through a stand-in of its library."""
    arm = Arm()
    arm.desires = deque(maxlen=1)
    return FrankaPlant(FrankaConfig(franka_host="arm.local"), stand_in(arm))


def lerobot() -> Plant:
    """The planar arm as a robot of LeRobot's, whose time is the simulation's."""
    robot = SimulatedPlanar(SimulatedPlanarConfig(id="bench"))
    names = LeRobotNames(JOINTS, degrees=True)
    return LeRobotPlant(robot, names, dt_s=robot.arm.dt_s, now=lambda: robot.arm.read().t_s)


def dynamixel() -> Plant:
    """The planar arm's servos behind a pseudo-terminal, whose time is the simulation's."""
    pytest.importorskip("dynamixel_sdk")
    from dynamixel_bus import Bus

    from spikearm.hardware.adapters.dynamixel import DynamixelPlant

    class OnItsBus(DynamixelPlant):
        def close(self) -> None:
            try:
                super().close()
            finally:
                bus.close()

    bus = Bus()
    config = DynamixelConfig(servo_port=bus.port, servo_limit_a=30.0, servo_baudrate=1_000_000)
    return OnItsBus(config, dt_s=bus.plant.dt_s, now=lambda: bus.plant.read().t_s)


PLANTS: dict[str, Callable[[], Plant]] = {
    **{f"mujoco {name}": lambda arm=arm: MujocoPlant(arm) for name, arm in ARMS.items()},
    "mujoco with substeps": lambda: MujocoPlant(ARMS["planar2"], control_dt_s=0.002, physics_dt_s=0.0005),
    "mujoco across a wire": across_a_wire,
    "mujoco perturbed": lambda: MujocoPlant(ARMS["planar3"], perturbation=HARD, seed=3),
    "franka": franka,
    "lerobot": lerobot,
    "dynamixel": dynamixel,
}
"""Factories of freshly made plants by name."""

_STAYS = "a real arm stays where it is, and goes on as it moved: a reset starts its clock alone"
_CYCLE = "a reading waits for the arm's next cycle, and that is when time passes, not with a write"
_RATE = "the first torque of a control is the arm's own, and the next ones change by 1 N m in a cycle"
_REAL = {"test_reset_brings_the_arm_to_rest": _STAYS, "test_reset_with_a_seed_repeats_the_run": _STAYS}

EXCUSED: dict[str, dict[str, str]] = {
    "franka": {
        **_REAL,
        "test_read_changes_nothing": _CYCLE,
        "test_reading_that_its_caller_changed_is_not_read_again": _CYCLE,
        "test_time_advances_by_the_period_with_every_write": _CYCLE,
        "test_write_returns_the_torque_when_it_is_within_the_limits": _RATE,
        "test_write_returns_what_the_limits_leave": _RATE,
        "test_write_neither_keeps_nor_changes_the_callers_torque": _RATE,
    },
    "lerobot": _REAL,
    "dynamixel": _REAL,
}
"""What a plant does not promise, and why: test by name -> reason. An excuse that is none any more fails."""

LONG_RUN = {"dynamixel": 500}
"""Ticks of a long run where they are few: an exchange on a line takes time; a reading has 300 bytes."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With servos, if there are any."""
    if importlib.util.find_spec("dynamixel_sdk") is not None:
        from dynamixel_bus import be_patient

        be_patient(monkeypatch)


@pytest.fixture(params=list(PLANTS))
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Plant]]:
    """Makes plants, and closes them."""
    if reason := EXCUSED.get(request.param, {}).get(request.node.originalname):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    made: list[Plant] = []

    def new() -> Plant:
        made.append(PLANTS[request.param]())
        return made[-1]

    yield new
    for plant in made:
        plant.close()


@pytest.fixture
def plant(make: Callable[[], Plant]) -> Plant:
    return make()


def n_joints(plant: Plant) -> int:
    return len(plant.read().q)


def roll(plant: Plant, n_ticks: int = 50) -> np.ndarray:
    """Readings after each of some small torques, shape (n_ticks, 2 n_joints + 1)."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(n_ticks):
        plant.write(rng.uniform(-2, 2, n_joints(plant)))
        state = plant.read()
        rows.append(np.concatenate((state.q, state.dq, [state.t_s])))
    return np.array(rows)


def test_has_every_member_of_the_protocol(plant: Plant) -> None:
    for name, member in vars(Plant).items():
        if name.startswith("_"):
            continue
        assert hasattr(plant, name)
        if callable(member):
            wanted = list(inspect.signature(member).parameters)[1:]  # without self
            assert list(inspect.signature(getattr(plant, name)).parameters) == wanted


def test_names_its_period(plant: Plant) -> None:
    assert isinstance(plant.dt_s, float)
    assert plant.dt_s > 0


def test_every_excuse_is_from_a_test_that_there_is() -> None:
    assert EXCUSED.keys() <= PLANTS.keys()
    for tests in EXCUSED.values():
        assert tests.keys() <= globals().keys()


def test_reset_starts_at_time_zero(plant: Plant) -> None:
    roll(plant)
    assert plant.reset().t_s == 0.0


def test_reset_brings_the_arm_to_rest(plant: Plant) -> None:
    roll(plant)
    np.testing.assert_allclose(plant.reset().dq, 0.0, atol=0.01)


def test_reset_returns_what_read_returns(plant: Plant) -> None:
    state, again = plant.reset(), plant.read()
    np.testing.assert_array_equal(state.q, again.q)
    np.testing.assert_array_equal(state.dq, again.dq)


def test_read_gives_double_precision_vectors_of_one_length(plant: Plant) -> None:
    state = plant.read()
    assert state.q.shape == state.dq.shape == (n_joints(plant),)
    assert state.q.dtype == state.dq.dtype == np.float64


def test_read_changes_nothing(make: Callable[[], Plant]) -> None:
    curious, plain = make(), make()
    for _ in range(3):
        curious.read()
    np.testing.assert_array_equal(roll(curious), roll(plain))


def test_readings_belong_to_the_caller(plant: Plant) -> None:
    before = plant.read()
    kept = before.q.copy()
    roll(plant)
    np.testing.assert_array_equal(before.q, kept)


def test_reading_that_its_caller_changed_is_not_read_again(plant: Plant) -> None:
    roll(plant)
    now = plant.read()
    kept = now.q.copy()
    now.q[:] = now.dq[:] = 99.0
    np.testing.assert_array_equal(plant.read().q, kept)


@pytest.mark.parametrize("make", ["franka", "dynamixel"], indirect=True)
def test_measured_torque_belongs_to_the_caller(plant: Plant) -> None:
    assert isinstance(plant, MeasuresTorque)
    roll(plant)
    measured = plant.torque_measured
    kept = measured.copy()
    measured[:] = 99.0
    np.testing.assert_array_equal(plant.torque_measured, kept)


def test_time_advances_by_the_period_with_every_write(plant: Plant) -> None:
    times = roll(plant, n_ticks=200)[:, -1]
    np.testing.assert_allclose(times, plant.dt_s * np.arange(1, 201), rtol=0, atol=1e-9)


def test_write_returns_the_torque_when_it_is_within_the_limits(plant: Plant) -> None:
    torque = np.linspace(-1, 1, n_joints(plant))
    np.testing.assert_array_equal(plant.write(torque), torque)


def test_write_returns_what_the_limits_leave(plant: Plant) -> None:
    wanted = np.full(n_joints(plant), 1e6)
    upper, lower = plant.write(wanted), plant.write(-wanted)
    assert ((upper > 0) & (upper < wanted)).all()
    np.testing.assert_array_equal(lower, -upper)
    np.testing.assert_array_equal(plant.write(upper), upper)


def test_write_neither_keeps_nor_changes_the_callers_torque(plant: Plant) -> None:
    torque = np.full(n_joints(plant), 1e6)
    applied = plant.write(torque)
    np.testing.assert_array_equal(torque, 1e6)
    applied[:] = 0.0
    assert (plant.write(torque) > 0).all()


def test_torque_moves_the_arm(make: Callable[[], Plant]) -> None:
    pushed, idle = make(), make()
    for _ in range(20):
        pushed.write(np.full(n_joints(pushed), 5.0))
        idle.write(np.zeros(n_joints(idle)))
    assert (pushed.read().dq != idle.read().dq).all()


def test_same_seed_same_readings(make: Callable[[], Plant]) -> None:
    first, second = make(), make()
    first.reset(seed=11)
    second.reset(seed=11)
    np.testing.assert_array_equal(roll(first), roll(second))


def test_reset_with_a_seed_repeats_the_run(plant: Plant) -> None:
    plant.reset(seed=11)
    first = roll(plant)
    plant.reset(seed=11)
    np.testing.assert_array_equal(roll(plant), first)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_torque_that_is_not_finite_is_refused_and_loses_nothing(
    make: Callable[[], Plant], bad: float
) -> None:
    plant, twin = make(), make()
    roll(plant)
    roll(twin)
    torque = np.zeros(n_joints(plant))
    assert n_joints(twin) == len(torque)  # read as often: of some arms, a reading is a cycle
    torque[-1] = bad
    with pytest.raises(NotFiniteError, match="must be finite"):
        plant.write(torque)
    assert plant.read().t_s == twin.read().t_s
    np.testing.assert_array_equal(roll(plant), roll(twin))


def test_torque_of_the_wrong_length_is_refused_and_loses_nothing(make: Callable[[], Plant]) -> None:
    plant, twin = make(), make()
    with pytest.raises(SpikearmError, match="shape"):
        plant.write(np.zeros(n_joints(plant) + 1))
    n_joints(twin)  # read as often, likewise
    np.testing.assert_array_equal(roll(plant), roll(twin))


def test_closing_twice_is_not_an_error(plant: Plant) -> None:
    plant.close()
    plant.close()


def test_closed_plant_says_so(plant: Plant) -> None:
    torque = np.zeros(n_joints(plant))
    plant.close()
    with pytest.raises(ClosedError, match="closed; make a new one"):
        plant.write(torque)
    with pytest.raises(ClosedError, match="closed; make a new one"):
        plant.read()
    with pytest.raises(ClosedError, match="closed; make a new one"):
        plant.reset()


def test_long_run_keeps_its_memory(plant: Plant, request: pytest.FixtureRequest) -> None:
    """Ten thousand ticks, or as many as take some seconds: no reading may be kept for ever."""
    n_ticks = LONG_RUN.get(request.node.callspec.params["make"], 10_000)
    torque = np.zeros(n_joints(plant))
    for _ in range(100):
        plant.write(torque)
    tracemalloc.start()
    for _ in range(n_ticks):
        plant.write(torque)
        plant.read()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 50_000
