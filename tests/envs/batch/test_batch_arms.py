"""Arms in a batch against the plant, and against themselves in other company."""

import dataclasses
import pickle

import mujoco
import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.batch.arms import ArmBatch, Waves
from spikearm.envs.batch.drives import BANDWIDTH_RAD_S, Drive
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.mjcf import compile_arm
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import TimeStepError

TIMES = {"control_dt_s": 0.02, "physics_dt_s": 0.002}
PERTURBATIONS = {
    "none": NO_PERTURBATION,
    "payload": Perturbation(payload_kg=0.7, payload_offset_m=(0.03, 0.02, 0.05)),
    "damping": Perturbation(joint_damping=1.3),
    "gain": Perturbation(actuator_gain=0.8),
    "tilt": Perturbation(gravity_tilt_rad=(0.2, -0.1)),
    "force": Perturbation(force_n=(3.0, -2.0, 4.0)),
    "field": Perturbation(force_field=((0.0, 1.0, 9.0), (-1.0, 0.0, 5.0), (-9.0, -5.0, 0.0))),
}


def compiled(arm, *, servo=False, compensated=False):
    drive = Drive(arm.home, servo, compensated)
    return compile_arm(arm.path, ee_site=arm.ee_site, extend=drive.extend)


def batch_of(arm, n_arms=1, *, servo=False, compensated=False, **settings):
    batch = ArmBatch(compiled(arm, servo=servo, compensated=compensated), n_arms, **TIMES, **settings)
    for e in range(n_arms):
        batch.place(e, np.asarray(arm.home))
    batch.locate()
    return batch


def steps(batch, commands):
    """Angles after each command (held, the same for all arms), shape (n, n_arms, n_joints)."""
    q = []
    for command in commands:
        batch.control[:, :, batch.actuator_of_joint] = command
        batch.step()
        q.append(batch.q.copy())
    return np.array(q)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_arm_moves_as_the_plant_does(arm, rng, name):
    perturbation = PERTURBATIONS[name]
    torques = rng.uniform(-5, 5, (15, arm.n_joints))
    batch, plant = batch_of(arm, 2), MujocoPlant(arm, perturbation=perturbation, **TIMES)
    batch.perturb(1, perturbation)
    q = steps(batch, torques)[:, 1]
    wanted = []
    for torque in torques:
        plant.write(torque)
        wanted.append(plant.read().q)
    # Coulomb friction is solved for from a cold start here, from the last solution there.
    np.testing.assert_allclose(q, wanted, atol=2e-5 if arm.name == "fr3" else 1e-12)
    batch.locate()
    np.testing.assert_allclose(
        batch.position[1], plant.ee_position(), atol=2e-5 if arm.name == "fr3" else 1e-12
    )


def test_arms_share_a_model_until_one_is_perturbed(arm):
    batch = batch_of(arm, 3)
    assert batch.model(0) is batch.model(1) is batch.model(2)
    nominal_kg = batch.model(0).body_mass.sum()
    batch.perturb(1, PERTURBATIONS["payload"])
    masses = [batch.model(e).body_mass.sum() for e in range(3)]
    assert masses == pytest.approx([nominal_kg, nominal_kg + 0.7, nominal_kg])
    batch.perturb(1, NO_PERTURBATION)
    assert batch.model(1).body_mass.sum() == nominal_kg


def test_company_and_threads_change_nothing(arm, rng):
    torques = rng.uniform(-5, 5, (10, arm.n_joints))
    alone = steps(batch_of(arm), torques)[:, 0]
    crowd = batch_of(arm, 5, n_threads=2)
    crowd.perturb(0, PERTURBATIONS["payload"])
    crowd.perturb(4, PERTURBATIONS["gain"])
    np.testing.assert_array_equal(steps(crowd, torques)[:, 2], alone)


@pytest.mark.parametrize("other", ["none", "friction"])
def test_force_on_one_arm_leaves_another_as_it_was(arm, rng, other):
    """Friction shows how often the constraint solver starts cold."""
    torques = rng.uniform(-5, 5, (20, arm.n_joints))
    perturbation = Perturbation(joint_friction=2.0) if other == "friction" else NO_PERTURBATION
    single = batch_of(arm)
    single.perturb(0, perturbation)
    alone = steps(single, torques)[:, 0]
    trio = batch_of(arm, 3, n_threads=2)
    trio.perturb(1, perturbation)
    trio.perturb(0, PERTURBATIONS["field"])
    np.testing.assert_array_equal(steps(trio, torques)[:, 1], alone)


def test_forced_arm_moves_as_it_does_alone(arm, rng):
    torques = rng.uniform(-5, 5, (10, arm.n_joints))
    perturbation = dataclasses.replace(PERTURBATIONS["field"], joint_friction=2.0)
    single, pair = batch_of(arm), batch_of(arm, 2)
    single.perturb(0, perturbation)
    pair.perturb(1, perturbation)
    np.testing.assert_array_equal(steps(pair, torques)[:, 1], steps(single, torques)[:, 0])


def test_forced_arm_that_diverges_takes_no_further_step(rng, monkeypatch):
    arm = ARMS["planar2"]
    torques = rng.uniform(-5, 5, (3, arm.n_joints))
    single, pair = batch_of(arm), batch_of(arm, 2)
    single.perturb(0, PERTURBATIONS["force"])
    for e in range(2):
        pair.perturb(e, PERTURBATIONS["force"])
    pair.dq[0] = 1e9
    rolled, roll = [], pair._roll
    monkeypatch.setattr(
        pair, "_roll", lambda models, *rest: rolled.append(len(models)) or roll(models, *rest)
    )
    q = steps(pair, torques[:1])
    assert pair.sane.tolist() == [False, True]
    assert rolled[0] == 2
    assert rolled[1:] == [1] * (pair.n_substeps - 1)
    np.testing.assert_array_equal(q[0, 1], steps(single, torques[:1])[0, 0])


def test_copy_by_pickle_goes_the_same_way(arm, rng):
    batch = batch_of(arm, 2)
    batch.perturb(1, PERTURBATIONS["field"])
    torques = rng.uniform(-5, 5, (10, arm.n_joints))
    steps(batch, torques)
    twin = pickle.loads(pickle.dumps(batch))  # noqa: S301 (our own bytes)
    np.testing.assert_array_equal(steps(twin, torques), steps(batch, torques))


# The FR3's friction would hold it too.
@pytest.mark.parametrize("arm", [name for name in ARMS if name != "fr3"], indirect=True)
def test_gravity_compensation_holds_the_arm_still(arm):
    batch = batch_of(arm, compensated=True)
    np.testing.assert_allclose(steps(batch, [np.zeros(arm.n_joints)] * 50)[-1, 0], arm.home, atol=1e-9)


# The planar arm of one joint stands upright: nothing pulls it to a side at once.
@pytest.mark.parametrize("arm", [name for name in ARMS if name != "planar1"], indirect=True)
@pytest.mark.parametrize("name", ["payload", "tilt"])
def test_compensation_does_not_know_of_payload_or_tilt(arm, name):
    batch = batch_of(arm, compensated=True)
    batch.perturb(0, PERTURBATIONS[name])
    q = steps(batch, [np.zeros(arm.n_joints)] * 25)[-1, 0]
    assert np.abs(q - arm.home).max() > 1e-3


def test_tilt_of_a_compensated_arm_is_the_missing_weight(arm):
    """Drives that carry the nominal weight leave what the tilt adds: g(tilted) - g(level), at every joint."""
    perturbation = PERTURBATIONS["tilt"]
    batch = batch_of(arm, compensated=True)
    batch.perturb(0, perturbation)
    batch._compute_external(batch._state)
    model = compile_arm(arm.path).model
    level, data = model.opt.gravity.copy(), mujoco.MjData(model)
    data.qpos[:] = arm.home
    mujoco.mj_forward(model, data)
    before = data.qfrc_bias.copy()
    model.opt.gravity[:] = level + batch._tilt[0]
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(batch._external[0], before - data.qfrc_bias, atol=1e-10)


@pytest.mark.parametrize("payload_kg", [0.0, 0.6])
def test_drives_of_a_tilted_arm_give_command_and_nominal_weight(arm, rng, payload_kg):
    """As the plant, whose gravity compensation is part of the torque it is told."""
    perturbation = Perturbation(gravity_tilt_rad=(0.2, -0.1), payload_kg=payload_kg)
    batch = batch_of(arm, compensated=True)
    batch.perturb(0, perturbation)
    step_s = TIMES["physics_dt_s"]
    plant = MujocoPlant(arm, perturbation=perturbation, control_dt_s=step_s, physics_dt_s=step_s)
    dynamics = MujocoDynamics(arm)
    for command in rng.uniform(-3, 3, (5, arm.n_joints)):
        (q,) = steps(batch, [command])[0]
        for _ in range(10):
            dynamics.update(plant.read().q, np.zeros(arm.n_joints))
            applied = plant.write(command + dynamics.bias())
        np.testing.assert_allclose(batch.torque[0], applied, atol=1e-3 if arm.name == "fr3" else 1e-9)
        np.testing.assert_allclose(q, plant.read().q, atol=2e-5 if arm.name == "fr3" else 1e-11)


def test_files_own_sensors_and_gravity_compensation_make_no_difference(tmp_path, rng):
    arm = ARMS["planar2"]
    plain = arm.path.read_text()
    path = tmp_path / "sensing.xml"
    path.write_text(
        plain.replace("<body ", '<body gravcomp="1" ').replace(
            "</mujoco>", '<sensor><framepos objtype="site" objname="ee"/></sensor></mujoco>'
        )
    )
    torques = rng.uniform(-5, 5, (5, 2))
    own = batch_of(dataclasses.replace(arm, path=path))
    wanted = batch_of(arm)
    np.testing.assert_array_equal(steps(own, torques), steps(wanted, torques))
    np.testing.assert_array_equal(own.torque, wanted.torque)


def test_servo_brings_joints_to_their_set_points(arm):
    wanted = np.asarray(arm.home) + 0.1
    batch = batch_of(arm, servo=True, compensated=True)
    q = steps(batch, [wanted] * 100)[-1, 0]
    np.testing.assert_allclose(q, wanted, atol=0.02 if arm.name == "fr3" else 1e-3)


def test_servo_is_as_stiff_as_it_says():
    """A payload pulls the first joint of planar2 down by its torque over the stiffness."""
    arm = ARMS["planar2"]
    batch, dynamics = batch_of(arm, servo=True, compensated=True), MujocoDynamics(arm)
    dynamics.update(np.asarray(arm.home), np.zeros(2))
    stiffness = BANDWIDTH_RAD_S**2 * np.diag(dynamics.mass_matrix())
    batch.perturb(0, Perturbation(payload_kg=0.3))
    q = steps(batch, [np.asarray(arm.home)] * 150)[-1, 0]
    dynamics.update(q, np.zeros(2))
    weight = dynamics.jacobian()[2] * -0.3 * 9.81
    np.testing.assert_allclose(q - arm.home, weight / stiffness, rtol=1e-3)


def test_limits_cut_the_drives_and_are_reported(arm):
    batch = batch_of(arm)
    limits = MujocoPlant(arm).torque_limits
    steps(batch, [3.0 * limits])
    assert batch.saturated[0]
    np.testing.assert_allclose(batch.torque[0], limits)
    batch.perturb(0, Perturbation(actuator_gain=0.5))
    steps(batch, [3.0 * limits])
    np.testing.assert_allclose(batch.torque[0], 0.5 * limits)


def test_work_is_torque_times_velocity(arm):
    """Of every physics step, with the velocity it begins with."""
    batch = batch_of(arm, compensated=False)
    torque = np.full(arm.n_joints, 2.0)
    batch.control[:] = torque
    start = batch.dq.copy()
    batch.step()
    velocities = np.concatenate((start, batch._trace[0, :-1, 1 + arm.n_joints :]))
    expected = np.abs(torque * velocities).sum() * TIMES["physics_dt_s"]
    assert batch.work_j[0] == pytest.approx(expected)


def test_diverged_arm_stays_where_it_was_and_harms_nobody(rng):
    arm = ARMS["iiwa14"]
    torques = rng.uniform(-5, 5, (3, 7))
    alone = steps(batch_of(arm), torques)[:, 0]
    trio = batch_of(arm, 3, n_threads=2)
    trio.dq[1] = 1e9
    before = trio.q[1].copy()
    with np.errstate(all="raise"):
        q = steps(trio, torques)
    assert trio.sane.tolist() == [True, False, True]
    assert not trio.all_sane
    np.testing.assert_array_equal(trio.q[1], before)
    np.testing.assert_array_equal(q[:, 2], alone)


def test_unknown_torque_is_the_sum_of_its_waves(arm, rng):
    n = arm.n_joints
    waves = Waves(rng.normal(size=(n, 4)), rng.normal(size=(4, n)), rng.normal(size=4))
    batch = batch_of(arm, n_waves=4)
    batch.set_waves(0, waves)
    batch._compute_external(batch._state)
    expected = waves.gain @ np.sin(waves.frequency @ np.asarray(arm.home) + waves.phase)
    np.testing.assert_allclose(batch._external[0], expected, atol=1e-12)


def test_steps_that_do_not_divide_are_refused():
    arm = ARMS["planar2"]
    with pytest.raises(
        TimeStepError, match=r"control step 0\.003 s is not a multiple of physics step 0\.002"
    ):
        ArmBatch(compiled(arm), 1, control_dt_s=0.003, physics_dt_s=0.002)


def test_reach_is_the_length_of_the_arm():
    base, length_m = batch_of(ARMS["planar3"]).reach
    np.testing.assert_allclose(base, (0.0, 0.0, 0.55))
    assert length_m == pytest.approx(0.4 + 0.32 + 0.18)
