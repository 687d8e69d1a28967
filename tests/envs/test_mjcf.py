"""Model files from outside: what is taken, how it is changed, what is refused and why."""

import mujoco
import numpy as np
import pytest

from spikearm.envs import arms, probe
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.mjcf import compile_arm
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ModelError

LINKS = """
<body name="upper" pos="0 0 1">
  <joint name="shoulder" axis="0 1 0" {shoulder}/>
  <geom type="capsule" size="0.04" fromto="0 0 0 0.4 0 0" mass="2" contype="0" conaffinity="0"/>
  <body name="lower" pos="0.4 0 0">
    <joint name="elbow" axis="0 1 0" {elbow}/>
    <geom type="capsule" size="0.03" fromto="0 0 0 0.3 0 0" mass="1" contype="0" conaffinity="0"/>
    {site}
  </body>
</body>
"""
MOTORS = """
<motor joint="shoulder" ctrlrange="-50 50"/>
<motor joint="elbow" ctrlrange="-20 20"/>
"""
SITE = '<site name="ee" pos="0.3 0 0"/>'


def mjcf(*, actuators=MOTORS, site=SITE, shoulder="", elbow="", option="", more="", extra="", compiler=""):
    links = LINKS.format(shoulder=shoulder, elbow=elbow, site=site)
    return (
        f'<mujoco model="test"><compiler angle="radian" {compiler}/>'
        f'<option timestep="0.001" {option}/>{extra}'
        f"<worldbody>{links}{more}</worldbody><actuator>{actuators}</actuator></mujoco>"
    )


@pytest.fixture
def write(tmp_path):
    def write_model(text):
        path = tmp_path / "arm.xml"
        path.write_text(text)
        return path

    return write_model


@pytest.fixture
def trusted(monkeypatch):
    """Leaves out the trial compilation in a process of its own, half a second each."""
    monkeypatch.setattr(arms, "compile_apart", lambda path: None)


def trajectory(arm, torques, perturbation=NO_PERTURBATION):
    plant = MujocoPlant(arm, perturbation=perturbation)
    states = []
    for torque in torques:
        plant.write(torque)
        states.append(plant.read().q)
    return np.array(states)


def test_any_file_of_hinges_with_a_site_is_an_arm(write):
    arm = load_arm(write(mjcf()))
    assert arm.n_joints == 2
    assert arm.task_axes == (True, False, True, False, False, False)
    np.testing.assert_array_equal(MujocoDynamics(arm).torque_limits, (50, 20))


def test_only_site_is_the_end_effector_whatever_its_name(write):
    assert load_arm(write(mjcf(site='<site name="tip"/>'))).ee_site == "tip"


def test_site_named_ee_wins_over_others(write):
    assert load_arm(write(mjcf(site='<site name="tip"/><site name="ee"/>'))).ee_site == "ee"


def test_site_in_a_turned_frame_carries_the_payload(write):
    """The site's frame counts as compiled: Euler angles, frames and all."""
    turned = '<frame pos="0.1 0 0" euler="0 0 0.5"><site name="ee" pos="0.2 0 0" euler="0.3 0 0"/></frame>'
    arm = load_arm(write(mjcf(site=turned)))
    plant = MujocoPlant(arm, perturbation=Perturbation(payload_kg=1.0, payload_offset_m=(0, 0, 0.1)))
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, plant.ee_pose().quaternion)
    expected = plant.ee_position() + rotation.reshape(3, 3) @ (0, 0, 0.1)
    np.testing.assert_allclose(plant.data.body("spikearm_payload").xipos, expected, atol=1e-12)


SERVOS = """
<position joint="shoulder" kp="1000" kv="50" ctrlrange="-2 2" forcerange="-50 50"/>
<position joint="elbow" kp="500" kv="20" ctrlrange="-2 2" forcerange="-20 20"/>
"""


@pytest.mark.parametrize(
    "actuators",
    [
        SERVOS,
        '<velocity joint="shoulder" forcerange="-50 50"/><velocity joint="elbow" forcerange="-20 20"/>',
        (
            '<intvelocity joint="shoulder" kp="9" actrange="-1 1" forcerange="-50 50"/>'
            '<position joint="elbow" timeconst="0.1" forcerange="-20 20"/>'
        ),
        '<motor joint="elbow" ctrlrange="-20 20"/><motor joint="shoulder" ctrlrange="-50 50"/>',
        '<motor joint="shoulder" gear="100" ctrlrange="-0.5 0.5"/><motor joint="elbow" ctrlrange="-20 20"/>',
        '<motor joint="shoulder" gear="-5" ctrlrange="-10 12"/><motor joint="elbow" ctrlrange="-20 20"/>',
        (
            '<motor joint="shoulder" ctrlrange="-90 90" forcerange="-50 50"/>'
            '<motor joint="elbow" ctrlrange="-20 20" delay="0.005" nsample="6"/>'
        ),
    ],
    ids=["servos", "velocity", "with activation", "other order", "gear", "turned gear", "least limit, delay"],
)
def test_any_actuator_on_a_joint_becomes_a_torque_motor(write, trusted, actuators):
    torques = np.random.default_rng(0).uniform(-10, 10, (60, 2))
    expected = trajectory(load_arm(write(mjcf())), torques)
    arm = load_arm(write(mjcf(actuators=actuators)))
    np.testing.assert_array_equal(MujocoDynamics(arm).torque_limits, (50, 20))
    np.testing.assert_allclose(trajectory(arm, torques), expected, atol=1e-9)


def test_servo_takes_its_limit_from_the_joint(write):
    servos = '<position joint="shoulder" kp="9"/><position joint="elbow" kp="9" forcerange="-30 30"/>'
    text = mjcf(actuators=servos, shoulder='actuatorfrcrange="-40 45"', elbow='actuatorfrcrange="-20 20"')
    np.testing.assert_array_equal(compile_arm(write(text)).torque_limits, (40, 20))


def test_runge_kutta_gives_way_with_a_warning(write, caplog):
    arm = compile_arm(write(mjcf(option='integrator="RK4"')))
    assert arm.model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert "asks for RK4" in caplog.text


def test_automatic_reset_is_turned_off(write):
    flags = compile_arm(write(mjcf())).model.opt.disableflags
    assert flags & mujoco.mjtDisableBit.mjDSBL_AUTORESET


@pytest.mark.parametrize(
    "change",
    [
        {"compiler": 'fusestatic="true"'},
        {"compiler": 'discardvisual="true"'},
        {"compiler": 'inertiafromgeom="true"'},
        {"compiler": 'boundmass="0.5" boundinertia="1e-4"'},
        {"extra": '<option actuatorgroupdisable="0"/>'},
        {"extra": '<option><flag actuation="disable"/></option>'},
    ],
    ids=lambda change: next(iter(change.values())),
)
def test_compiler_settings_of_the_file_spare_payload_and_motors(write, trusted, change):
    """None of these changes the two links; each would change or remove what is added to them."""
    torques = np.random.default_rng(0).uniform(-10, 10, (60, 2))
    heavy = Perturbation(payload_kg=1.0)
    expected = trajectory(load_arm(write(mjcf())), torques, heavy)
    arm = load_arm(write(mjcf(**change)))
    np.testing.assert_allclose(trajectory(arm, torques, heavy), expected, atol=1e-9)


def test_model_of_slower_physics_runs_at_the_control_step(write):
    arm = load_arm(write(mjcf().replace('timestep="0.001"', 'timestep="0.002"')))
    assert MujocoPlant(arm, control_dt_s=0.001).model.opt.timestep == 0.001


def test_home_is_moved_into_the_joint_ranges(write):
    assert load_arm(write(mjcf(elbow='range="0.5 1.5"', compiler='autolimits="true"'))).home == (0.0, 1.0)


BAD = {
    "broken XML": ("<mujoco><worldbody>", "MuJoCo cannot compile .*XML parse error.*; correct the file"),
    "no XML": ("hello", "MuJoCo cannot compile"),
    "empty": ("", "MuJoCo cannot compile"),
    "unknown element": ("<mujoco><wordbody/></mujoco>", "MuJoCo cannot compile .*wordbody"),
    "missing mesh": (
        mjcf(extra='<asset><mesh name="m" file="gone.stl"/></asset>'),
        "MuJoCo cannot compile .*gone.stl",
    ),
    "no site": (mjcf(site=""), r"no end-effector site named 'ee' \(its sites: none\); add <site name=\"ee\""),
    "two sites": (
        mjcf(site='<site name="a"/><site name="b"/>'),
        r"no end-effector site named 'ee' \(its sites: 'a', 'b'\)",
    ),
    "no joints": (
        '<mujoco><worldbody><body><geom size="1"/><site name="ee"/></body></worldbody></mujoco>',
        "has no joints",
    ),
    "slide joint": (
        mjcf(shoulder='type="slide"'),
        "joint 'shoulder' of .* is a slide joint; all joints must be hinges",
    ),
    "free body": (
        mjcf(more='<body name="cup"><freejoint name="cup"/><geom size="0.1"/></body>'),
        "joint 'cup' of .* is a free joint",
    ),
    "no actuators": (mjcf(actuators=""), "has no actuators; add one per joint"),
    "joint without actuator": (
        mjcf(actuators='<motor joint="shoulder" ctrlrange="-1 1"/>'),
        "joint 'elbow' of .* has 0 actuators; every joint needs exactly one",
    ),
    "two actuators on a joint": (
        mjcf(actuators=MOTORS + '<motor joint="elbow" ctrlrange="-1 1"/>'),
        "joint 'elbow' of .* has 2 actuators",
    ),
    "actuator on a site": (
        mjcf(actuators=MOTORS + '<motor name="jet" site="ee" ctrlrange="-1 1"/>'),
        "actuator 'jet' of .* acts on a site; every actuator must drive one joint",
    ),
    "motor without limit": (
        mjcf(actuators='<motor joint="shoulder"/><motor joint="elbow" ctrlrange="-1 1"/>'),
        "joint 'shoulder' of .* has no torque limit; a positive one is needed: add actuatorfrcrange=",
    ),
    "servo without limit": (
        mjcf(actuators='<position joint="shoulder" kp="9" ctrlrange="-1 1"/><motor joint="elbow"/>'),
        "joint 'shoulder' of .* has no torque limit",
    ),
    "one-sided limit": (
        mjcf(actuators=MOTORS.replace("-50 50", "0 50")),
        "joint 'shoulder' of .* has the torque limit 0 N m",
    ),
    "timestep nan": (
        mjcf().replace('timestep="0.001"', 'timestep="nan"'),
        "has a NaN among its numbers",
    ),
    "timestep negative": (mjcf().replace('timestep="0.001"', 'timestep="-1"'), "has timestep -1"),
    "timestep zero": (mjcf().replace('timestep="0.001"', 'timestep="0"'), "has timestep 0"),
    "timestep infinite": (mjcf().replace('timestep="0.001"', 'timestep="inf"'), "has timestep inf"),
    "nan in a length": (mjcf().replace('pos="0.4 0 0"', 'pos="nan 0 0"'), "has a NaN among its numbers"),
    "nan in a mass": (mjcf().replace('mass="1"', 'mass="nan"'), "has a NaN among its numbers"),
    "nan in gravity": (mjcf(option='gravity="0 0 nan"'), "has a NaN among its numbers"),
    "infinite gravity": (mjcf(option='gravity="0 0 inf"'), "inertia or acceleration is not finite"),
    "no mass": (mjcf().replace('mass="1"', 'mass="0"'), "cannot compile .*mass and inertia"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_model_is_refused_with_the_reason(write, case):
    text, message = BAD[case]
    with pytest.raises(ModelError, match=message):
        compile_arm(write(text))


@pytest.mark.parametrize("case", ["broken XML", "no site", "timestep nan", "nan in gravity", "missing mesh"])
def test_bad_model_is_refused_on_loading(write, case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, message = BAD[case]
    with pytest.raises(ModelError, match=message):
        load_arm(write(text))
    assert [path.name for path in tmp_path.iterdir()] == ["arm.xml"], "MuJoCo left a log file"


def test_folder_in_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "arm.xml").mkdir()
    with pytest.raises(ModelError, match="no model file at"):
        load_arm(tmp_path / "arm.xml")


def test_model_that_wants_too_much_memory_is_refused(write):
    with pytest.raises(ModelError, match=r"cannot compile .*arm\.xml: .*allocate memory; correct the file"):
        load_arm(write(mjcf(extra='<size memory="200G"/>')))


def test_model_that_kills_the_compiler_is_refused(write, monkeypatch):
    monkeypatch.setattr(probe, "_CHILD", "import os; os.abort()")
    with pytest.raises(ModelError, match="ended MuJoCo's compiler with signal 6"):
        probe.compile_apart(write(mjcf()))


def test_model_that_never_ends_is_refused(write, monkeypatch):
    monkeypatch.setattr(probe, "_CHILD", "while True: pass")
    monkeypatch.setattr(probe, "WALL_S", 0.2)
    with pytest.raises(ModelError, match=r"did not compile within 0\.2 s"):
        probe.compile_apart(write(mjcf()))


def test_model_that_burns_time_hits_its_limit(write, monkeypatch):
    endless = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass"
    monkeypatch.setattr(probe, "_CHILD", endless)
    with pytest.raises(ModelError, match="ended MuJoCo's compiler with signal"):
        probe.compile_apart(write(mjcf()))


def ncon_at_rest(write, more, geom=""):
    """Contacts of an arm that has fallen, and what it does about them."""
    path = write(mjcf(more=more, site=geom + SITE))
    model = compile_arm(path).model
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, 3000)
    return data.ncon, data.qpos.copy()


def test_arm_that_can_touch_something_does(write):
    ball = '<geom size="0.05" pos="0.3 0 0"/>'
    n_contacts, q = ncon_at_rest(write, '<geom type="plane" size="5 5 0.1" pos="0 0 0.8"/>', ball)
    assert n_contacts > 0
    height = 1.0 - 0.4 * np.sin(q[0]) - 0.3 * np.sin(q.sum())
    assert height == pytest.approx(0.85, abs=0.01)


@pytest.mark.parametrize("arm", arms.ARMS.values(), ids=lambda arm: arm.name)
def test_nothing_is_lost_where_contacts_are_not_looked_for(arm):
    model = compile_arm(arm.path, ee_site=arm.ee_site).model
    off = int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    assert model.opt.disableflags & off
    runs = []
    for flags in (model.opt.disableflags, model.opt.disableflags & ~off):
        model.opt.disableflags = flags
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = arm.home, 1.0
        mujoco.mj_step(model, data, 500)
        assert data.ncon == 0
        runs.append(data.qpos.copy())
    np.testing.assert_array_equal(*runs)
