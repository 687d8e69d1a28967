import math
import os
import signal
import threading
from functools import partial

import numpy as np
import pytest
from fake_plant import FakeController, FakePlant, short_schedule

from spikearm.controller.clock import FreeRunning
from spikearm.controller.interruption import StopRequest
from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.osc import OperationalSpace
from spikearm.controller.loop import Loop
from spikearm.controller.path import out_and_back, sample
from spikearm.controller.patience import Patience
from spikearm.controller.ticklog import (
    TickLog,
    column_matrix,
    log_description,
    read_ticks,
    recover,
    stable_bytes,
)
from spikearm.controller.tickschema import TickSchema
from spikearm.controller.torque import TorqueController
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ConfigError, JournalError, NotFiniteError, TimeStepError
from spikearm.records import Cost, JointState


def run(folder, *, plant=None, controller=None, schedule=None, clock=None, schema=None, n=None, **more):
    """One run on fakes; returns plant, controller, result."""
    plant, controller = plant or FakePlant(), controller or FakeController()
    with TickLog(folder, schema or TickSchema(2)) as log:
        loop = Loop(
            plant,
            controller,
            schedule or short_schedule(),
            log,
            clock=clock or FreeRunning(),
            measure=plant.pose,
            **more,
        )
        return plant, controller, loop.run(n)


def test_loop_reads_updates_and_writes_once_per_tick(tmp_path):
    plant, controller, result = run(tmp_path)
    assert result.n_ticks == plant.n_steps == controller.n_updates == 200
    assert (result.n_lost, result.interrupted, plant.n_closed) == (0, False, 0)
    table = read_ticks(tmp_path)
    assert table.num_rows == 200
    np.testing.assert_array_equal(column_matrix(table, "torque_applied", "nm"), plant.written)
    np.testing.assert_allclose(table["t_s"].to_numpy(), np.arange(200) * 1e-3)
    assert np.bincount(table["reach"].to_numpy()).tolist() == [50, 150]


def test_record_shows_state_and_pose_before_the_torque_of_its_tick(tmp_path):
    run(tmp_path)
    table = read_ticks(tmp_path)
    q, dq = column_matrix(table, "q", "rad"), column_matrix(table, "dq", "rad_s")
    torque = column_matrix(table, "torque_applied", "nm")
    np.testing.assert_array_equal(table["ee_x_m"].to_numpy(), q[:, 0])
    np.testing.assert_allclose(dq[1:], dq[:-1] + 1e-3 * torque[:-1], atol=1e-15)


def test_loop_tracks_the_reach(tmp_path):
    run(tmp_path, schedule=short_schedule(500))
    error = read_ticks(tmp_path)["position_error_m"].to_numpy()
    assert error[:100].max() < 0.06
    assert error[-1] < 1e-3


def test_same_run_gives_the_same_log(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(tmp_path / name)
    assert stable_bytes(tmp_path / "a") == stable_bytes(tmp_path / "b")


def test_n_ticks_shortens_the_run(tmp_path):
    assert run(tmp_path, n=30)[2].n_ticks == 30
    assert read_ticks(tmp_path).num_rows == 30


def test_loops_on_one_log_go_on_counting(tmp_path):
    plant, controller = FakePlant(), FakeController()
    with TickLog(tmp_path, TickSchema(2)) as log:
        for trial in range(3):
            plant.reset()
            Loop(plant, controller, short_schedule(), log, clock=FreeRunning(), trial=trial).run(20)
    table = read_ticks(tmp_path)
    assert table["tick"].to_pylist() == list(range(60))
    assert table["trial"].to_pylist() == [0] * 20 + [1] * 20 + [2] * 20


def test_without_a_measure_the_pose_is_null(tmp_path):
    with TickLog(tmp_path, TickSchema(2)) as log:
        Loop(FakePlant(), FakeController(), short_schedule(), log, clock=FreeRunning()).run(3)
    table = read_ticks(tmp_path)
    assert table["ee_x_m"].null_count == table["position_error_m"].null_count == 3


def test_controller_hears_what_was_sent_and_what_was_applied(tmp_path):
    _, controller, _ = run(tmp_path, plant=FakePlant(limit=1.0))
    clipped = [not np.array_equal(sent, applied) for sent, applied in controller.notified]
    assert any(clipped)
    for sent, applied in controller.notified:
        np.testing.assert_array_equal(applied, np.clip(sent, -1.0, 1.0))


def test_stages_lie_within_the_tick(tmp_path):
    run(tmp_path)
    table = read_ticks(tmp_path)
    read, write, tick = (table[f"latency_{s}_s"].to_numpy() for s in ("read", "write", "tick"))
    assert (read > 0).all()
    assert (write > 0).all()
    assert (read + write < tick).all()
    assert table["latency_log_s"].null_count == 1
    assert np.nanmin(table["latency_log_s"].to_numpy()) > 0


class LateClock:
    """Every third tick begins half a second late."""

    waits = False

    def __init__(self) -> None:
        self.n_started = self.n_waited = 0

    def start(self) -> None:
        self.n_started += 1

    def wait(self) -> float:
        self.n_waited += 1
        return 0.5 if self.n_waited % 3 == 0 else 0.0


def test_deadline_misses_are_counted_and_logged(tmp_path):
    clock = LateClock()
    # A period so long that only the clock can make a tick late, however slow the machine is.
    start = short_schedule()[0].pose
    path = out_and_back(start, np.array((1.0, 0, 0)), 0.1, n_reaches=1, duration_s=9.0)
    plant = FakePlant(dt_s=0.4)
    _, _, result = run(tmp_path, plant=plant, schedule=sample(path, 0.4, 12), clock=clock)
    assert (clock.n_started, clock.n_waited) == (1, 12)
    assert (result.deadline_misses, result.max_lateness_s) == (4, 0.5)
    table = read_ticks(tmp_path)
    assert np.flatnonzero(table["deadline_missed"].to_numpy()).tolist() == [2, 5, 8, 11]
    assert table["lateness_s"].to_pylist()[:3] == [0.0, 0.0, 0.5]


def test_modelled_delay_reaches_the_arm_but_not_the_learner(tmp_path):
    controller = FakeController(Cost(latency_s=2.5e-3))
    run(tmp_path, controller=controller, actuation_delay="modelled")
    table = read_ticks(tmp_path)
    commanded = column_matrix(table, "torque_commanded", "nm")
    applied = column_matrix(table, "torque_applied", "nm")
    np.testing.assert_array_equal(applied[3:], commanded[:-3])
    np.testing.assert_array_equal(applied[:3], commanded[[0, 0, 0]])
    assert all(np.array_equal(sent, applied) for sent, applied in controller.notified)


def test_modelled_delay_makes_tracking_worse(tmp_path):
    errors = []
    for name, delay in (("none", "none"), ("modelled", "modelled")):
        (tmp_path / name).mkdir()
        run(tmp_path / name, controller=FakeController(Cost(latency_s=0.02)), actuation_delay=delay)
        errors.append(np.linalg.norm(read_ticks(tmp_path / name)["position_error_m"].to_numpy()))
    assert errors[1] > 1.05 * errors[0]


def test_torque_changes_no_faster_than_allowed_and_catches_up(tmp_path):
    controller = FakeController()
    controller.torque_at = dict.fromkeys(range(20, 40), np.array((5.0, -0.3)))
    run(tmp_path, controller=controller, torque_rate_nm_s=500.0)
    table = read_ticks(tmp_path)
    commanded = column_matrix(table, "torque_commanded", "nm")
    applied = column_matrix(table, "torque_applied", "nm")
    assert np.abs(np.diff(commanded, axis=0)).max() > 3.0
    assert np.abs(np.diff(applied, axis=0)).max() <= 0.5 + 1e-12
    np.testing.assert_array_equal(applied[0], commanded[0])
    np.testing.assert_array_equal(applied[35:40], commanded[35:40])


def test_controller_is_told_of_a_torque_that_lags(tmp_path):
    controller = FakeController()
    controller.torque_at = {0: np.zeros(2)}
    controller.torque_at |= dict.fromkeys(range(1, 20), np.array((8.5, -0.3)))
    run(tmp_path, controller=controller, torque_rate_nm_s=1000.0, n=11)
    told, applied = np.array(controller.notified)[:, :, 0].T
    np.testing.assert_array_equal(applied, [0, 1, 2, 3, 4, 5, 6, 7, 8, 8.5, 8.5])
    np.testing.assert_array_equal(told, [0, 8.5, 8.5, 8.5, 4, 5, 6, 7, 8, 8.5, 8.5])  # 4.5 come in five ticks


def test_rate_is_counted_from_what_was_sent_not_from_what_the_arm_made_of_it(tmp_path):
    plant = FakePlant(limit=2.0)
    controller = FakeController()
    controller.torque_at = dict.fromkeys(range(200), np.array((9.0, 0.0)))
    controller.torque_at[0] = np.zeros(2)
    run(tmp_path, plant=plant, controller=controller, torque_rate_nm_s=1000.0, n=12)
    np.testing.assert_array_equal(np.array(plant.written)[:, 0], [*range(10), 9, 9])


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan])
def test_rate_must_be_positive(tmp_path, rate):
    with pytest.raises(ConfigError, match="torque_rate_nm_s must be a positive number"):
        run(tmp_path, torque_rate_nm_s=rate)


def test_meter_is_read_once_per_tick_and_once_before(tmp_path):
    class Meter:
        name = "test"
        n = 0

        def read_j(self) -> float:
            self.n += 1
            return self.n * 1e-3

    run(tmp_path, meter=Meter(), schema=TickSchema(2, has_energy_measured=True), n=3)
    assert read_ticks(tmp_path)["energy_measured_j"].to_pylist() == [2e-3, 3e-3, 4e-3]


class FaultyPlant(FakePlant):
    """Reads or applies something that is not finite from one tick on."""

    def __init__(self, what: str, value: float, tick: int) -> None:
        self.what, self.value, self.tick = what, value, tick
        super().__init__()

    def read(self) -> JointState:
        state = super().read()
        if self.n_steps < self.tick:
            return state
        if self.what == "t_s":
            return JointState(state.q, state.dq, self.value)
        if self.what in ("q", "dq"):
            getattr(state, self.what)[1] = self.value
        return state

    def write(self, torque):
        applied = super().write(torque)
        return applied * self.value if self.what == "applied" and self.n_steps > self.tick else applied


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("what", "text"),
    [("q", "the joint angles"), ("dq", "the joint velocities"), ("t_s", "the arm's time")],
)
def test_bad_state_is_named_never_used_and_loses_nothing(tmp_path, what, value, text):
    plant, controller = FaultyPlant(what, value, tick=7), FakeController()
    with pytest.raises(NotFiniteError, match=f"tick 7: {text} must be finite, not"):
        run(tmp_path, plant=plant, controller=controller)
    assert controller.n_updates == len(plant.written) == 7
    assert plant.n_closed == 1
    assert read_ticks(tmp_path).num_rows == 7


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_bad_command_never_reaches_the_plant(tmp_path, value):
    plant, controller = FakePlant(), FakeController()
    controller.torque_at[5] = np.array((0.0, value))
    with pytest.raises(NotFiniteError, match="tick 5: the commanded torque must be finite, not"):
        run(tmp_path, plant=plant, controller=controller)
    assert len(plant.written) == 5
    assert np.isfinite(plant.written).all()
    assert plant.n_closed == 1
    assert read_ticks(tmp_path).num_rows == 5


def test_bad_applied_torque_stops_the_arm(tmp_path):
    plant = FaultyPlant("applied", math.nan, tick=4)
    with pytest.raises(NotFiniteError, match="tick 4: the applied torque must be finite"):
        run(tmp_path, plant=plant)
    assert plant.n_closed == 1


def test_any_error_closes_the_plant_and_keeps_the_log(tmp_path):
    plant = FakePlant()

    def fail(record):
        if plant.n_steps == 9:
            raise RuntimeError("display is gone")

    with pytest.raises(RuntimeError, match="display is gone"):
        run(tmp_path, plant=plant, on_tick=fail)
    assert plant.n_closed == 1
    assert read_ticks(tmp_path).num_rows == 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_finishes_the_tick_and_makes_the_arm_safe(tmp_path, number):
    before = signal.getsignal(number)
    plant = FakePlant()
    seen = []

    def interrupt(record):
        seen.append(record)
        if len(seen) == 12:
            os.kill(os.getpid(), number)

    _, controller, result = run(tmp_path, plant=plant, on_tick=interrupt)
    assert result.interrupted
    assert result.n_ticks == len(seen) == plant.n_steps == controller.n_updates
    assert 12 <= result.n_ticks <= 13
    assert plant.n_closed == 1
    assert read_ticks(tmp_path).num_rows == result.n_ticks
    assert signal.getsignal(number) is before


def test_interruption_in_the_middle_of_a_tick_loses_nothing(tmp_path):
    class InterruptingPlant(FakePlant):
        def write(self, torque):
            if self.n_steps == 5:
                os.kill(os.getpid(), signal.SIGINT)
            return super().write(torque)

    plant, _, result = run(tmp_path, plant=InterruptingPlant())
    assert result.interrupted
    assert result.n_ticks == plant.n_steps == read_ticks(tmp_path).num_rows == 6


def test_second_interruption_stops_at_once(tmp_path):
    plant = FakePlant()

    def insist(record):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, plant=plant, on_tick=insist)
    assert plant.n_closed == 1
    assert read_ticks(tmp_path).num_rows == 1
    assert log_description(read_ticks(tmp_path))["complete"]


def test_loop_in_another_thread_leaves_the_signals_alone(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    during = []
    results = []

    def work():
        results.append(run(tmp_path, n=20, on_tick=lambda _: during.append(signal.getsignal(signal.SIGINT))))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results[0][2].n_ticks == 20
    assert set(during) == {before}


def test_stop_request_puts_every_handler_back_after_an_error():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError), StopRequest():
        _ = 1 / int(signal.getsignal(signal.SIGINT) is before[0])
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


class ArmTime(FreeRunning):
    """As fast as possible, but the arm does not wait."""

    waits = False


def test_full_disk_does_not_stop_control(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        real = os.pwrite
        calls = iter(range(10**6))
        patch.setattr(
            "spikearm.controller.journal.os.pwrite",
            lambda fd, data, offset: real(fd, data, offset) if next(calls) < 50 else 0,
        )
        plant, _, result = run(tmp_path, clock=ArmTime())
    # The first call wrote the header.
    assert (result.n_ticks, result.n_lost, plant.n_steps) == (200, 151, 200)
    assert read_ticks(tmp_path).num_rows == 49


def test_simulation_waits_for_a_slow_log(tmp_path, monkeypatch):
    """A write that does not return until somebody lets it: the arm stands still meanwhile."""
    entered, go = threading.Event(), threading.Event()
    real, plant = os.pwrite, FakePlant()

    def slow(fd, data, offset):
        if plant.n_steps == 50:
            entered.set()
            assert go.wait(60)
        return real(fd, data, offset)

    monkeypatch.setattr("spikearm.controller.journal.os.pwrite", slow)
    results = []
    thread = threading.Thread(target=lambda: results.append(run(tmp_path, plant=plant)))
    thread.start()
    assert entered.wait(60)
    assert plant.n_steps == 50
    go.set()
    thread.join()
    assert (results[0][2].n_ticks, results[0][2].n_lost) == (200, 0)
    assert read_ticks(tmp_path)["tick"].to_pylist() == list(range(200))


def test_simulation_waits_until_the_disk_has_room_again(tmp_path, monkeypatch, caplog):
    tries, full, real = [], threading.Event(), os.pwrite
    full.set()

    def write(fd, data, offset):
        tries.append(offset)
        if len(tries) > 50 and full.is_set():
            raise OSError(28, "No space left on device")
        return real(fd, data, offset)

    def make_room(seconds):
        if len(tries) > 60:
            full.clear()

    monkeypatch.setattr("spikearm.controller.journal.os.pwrite", write)
    monkeypatch.setattr("spikearm.controller.loop.Patience", partial(Patience, sleep=make_room))
    plant, _, result = run(tmp_path)
    assert (result.n_ticks, result.n_lost, plant.n_steps) == (200, 0, 200)
    assert read_ticks(tmp_path)["tick"].to_pylist() == list(range(200))
    assert len(tries) > 210
    assert caplog.text.count("(No space left on device); the simulated arm waits for the log") == 1


def test_simulation_ends_when_the_disk_stays_full(tmp_path, monkeypatch):
    real, calls, times = os.pwrite, iter(range(10**6)), iter(range(10**6))
    patient = partial(Patience, patience_s=30.0, sleep=lambda seconds: None, now=lambda: float(next(times)))
    monkeypatch.setattr("spikearm.controller.loop.Patience", patient)
    plant = FakePlant()
    with monkeypatch.context() as patch:
        patch.setattr(
            "spikearm.controller.journal.os.pwrite",
            lambda fd, data, offset: real(fd, data, offset) if next(calls) < 50 else 0,
        )
        with pytest.raises(
            JournalError, match=r"tick 49 could not .* within 30 s, .* \(--out\), and run again"
        ):
            run(tmp_path, plant=plant)
    assert (plant.n_steps, plant.n_closed) == (50, 1)
    assert next(times) >= 30
    assert read_ticks(tmp_path)["tick"].to_pylist() == list(range(49))


def test_nobody_waits_for_the_log_after_ctrl_c(tmp_path, monkeypatch):
    stop, real = StopRequest(), os.pwrite

    def write(fd, data, offset):
        stop.requested = offset > 50_000
        return 0 if stop.requested else real(fd, data, offset)

    monkeypatch.setattr("spikearm.controller.journal.os.pwrite", write)
    _, _, result = run(tmp_path, stop=stop)
    assert result.interrupted
    assert result.n_lost == 1
    assert read_ticks(tmp_path).num_rows == result.n_ticks - 1


def test_time_steps_of_plant_and_schedule_must_agree(tmp_path):
    with pytest.raises(TimeStepError, match=r"torque every 0.002 s, the schedule has a target every 0.001 s"):
        run(tmp_path, plant=FakePlant(dt_s=0.002))


def test_unknown_actuation_delay_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="actuation_delay must be 'none' or 'modelled', not 'some'"):
        run(tmp_path, actuation_delay="some")


@pytest.mark.parametrize("n", [0, 201])
def test_ticks_must_be_on_the_schedule(tmp_path, n):
    with pytest.raises(ConfigError, match="n_ticks must be from 1 to 200"):
        run(tmp_path, n=n)
    assert recover(tmp_path).n_ticks == 0


def test_arm_and_law_of_the_same_seed_give_the_same_log(tmp_path):
    arm = ARMS["iiwa14"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        noisy = Perturbation(sensor_noise_q_rad=1e-4, sensor_noise_dq_rad_s=1e-3)
        plant, dynamics = MujocoPlant(arm, perturbation=noisy, seed=5), MujocoDynamics(arm)
        law = OperationalSpace(dynamics, Gains(), dt_s=plant.dt_s, posture=np.array(arm.home))
        path = out_and_back(plant.ee_pose(), np.array((0.0, 1.0, 0)), 0.05, n_reaches=2, duration_s=0.1)
        with TickLog(tmp_path / name, TickSchema(7)) as log:
            Loop(
                plant,
                TorqueController(law, dynamics.torque_limits),
                sample(path, plant.dt_s),
                log,
                clock=FreeRunning(),
                measure=plant.ee_pose,
            ).run()
    assert stable_bytes(tmp_path / "a") == stable_bytes(tmp_path / "b")
    assert read_ticks(tmp_path / "a")["position_error_m"].to_numpy().max() < 0.01
