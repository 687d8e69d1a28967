"""The missing torque against the plant itself: added to the nominal one, it makes the arm follow."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.missing_torque import MissingTorque
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.envs.plant import MujocoPlant

DT_S = 0.001
N_TICKS = 300
NO_PAYLOAD_NM = 1e-7  # a payload of none still weighs 1e-9 kg: MuJoCo wants some inertia in every body
FREQUENCY = 2.0 * np.pi / 0.6

KINDS = {
    "payload": Perturbation(payload_kg=0.907),
    "payload with offset": Perturbation(payload_kg=0.6, payload_offset_m=(0.05, -0.03, 0.08)),
    "damping": Perturbation(joint_damping=1.5),
    "damping per joint": Perturbation(joint_damping=(0.5, 1.0)),
    "weak motors": Perturbation(actuator_gain=0.8),
    "strong motors": Perturbation(actuator_gain=1.15),
    "force": Perturbation(force_n=(3.0, -2.0, 4.0)),
    "curl field": Perturbation(force_field=((0.0, 0.0, -8.0), (0.0, 0.0, 0.0), (8.0, 0.0, 0.0))),
    "tilt": Perturbation(gravity_tilt_rad=(0.1, -0.2)),
    "all at once": Perturbation(
        payload_kg=0.5,
        payload_offset_m=(0.02, 0.0, 0.03),
        joint_damping=0.5,
        actuator_gain=0.9,
        force_n=(1.0, 0.0, -2.0),
        gravity_tilt_rad=(0.05, 0.1),
    ),
}


WITHOUT_FRICTION = [name for name in ARMS if name != "fr3"]
"""The FR3's own friction is missing torque of its own, with a test of its own."""


@pytest.fixture(params=WITHOUT_FRICTION)
def arm(request):
    return ARMS[request.param]


def amplitude(arm) -> np.ndarray:
    return np.linspace(0.15, 0.1, arm.n_joints)


def motion(arm, t_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A joint trajectory that starts at rest at home: angles, velocities, accelerations."""
    size, w = amplitude(arm), FREQUENCY
    q = np.asarray(arm.home) + size * (1.0 - np.cos(w * t_s))
    return q, size * w * np.sin(w * t_s), size * w**2 * np.cos(w * t_s)


def fitted(perturbation: Perturbation, arm) -> Perturbation:
    """The perturbation, with lists of the arm's length."""
    if isinstance(perturbation.joint_damping, tuple):
        values = tuple(np.linspace(*perturbation.joint_damping, arm.n_joints))
        return Perturbation(joint_damping=values)
    return perturbation


def deviation(arm, perturbation: Perturbation, compensate: Perturbation) -> float:
    """Largest distance of a joint from its trajectory under open-loop torque [rad].

    A little feedback keeps rounding and the integrator's error from growing; it is the same whatever is
    compensated, and far too weak to hide a perturbation.
    """
    dynamics = MujocoDynamics(arm)
    missing = MissingTorque(arm)
    missing.perturb(compensate)
    plant = MujocoPlant(arm, control_dt_s=DT_S, perturbation=perturbation)
    worst = 0.0
    for tick in range(N_TICKS):
        state = plant.read()
        q, dq, ddq = motion(arm, tick * DT_S)
        worst = max(worst, float(np.abs(state.q - q).max()))
        # The state that the plant is in, not the wanted one: exact inverse dynamics of this very moment.
        wanted = ddq + 20.0 * (q - state.q) + 9.0 * (dq - state.dq)
        dynamics.update(state.q, state.dq)
        nominal = dynamics.mass_matrix() @ wanted + dynamics.bias()
        applied = nominal + missing(state.q, state.dq, wanted)
        assert (np.abs(applied) < dynamics.torque_limits).all()
        plant.write(applied)
    plant.close()
    return worst


@pytest.mark.parametrize(
    ("arm", "kind"),
    # A force across the motion does nothing to an arm with one way to move.
    [(arm, kind) for arm in WITHOUT_FRICTION for kind in KINDS if (arm, kind) != ("planar1", "curl field")],
    indirect=["arm"],
)
def test_arm_follows_when_the_missing_torque_is_added(arm, kind):
    perturbation = fitted(KINDS[kind], arm)
    with_it = deviation(arm, perturbation, perturbation)
    assert with_it < 1.5e-3
    assert deviation(arm, perturbation, NO_PERTURBATION) > 10.0 * with_it


def test_friction_of_a_moving_joint_is_made_up_for(arm, rng):
    """While every joint moves, Coulomb friction is a constant torque against the velocity."""
    missing = MissingTorque(arm)
    friction = tuple(np.linspace(0.5, 1.5, arm.n_joints))
    missing.perturb(Perturbation(joint_friction=friction))
    for _ in range(5):
        q = np.asarray(arm.home) + rng.uniform(-0.2, 0.2, arm.n_joints)
        dq = rng.choice([-1.0, 1.0], arm.n_joints) * rng.uniform(0.5, 1.0, arm.n_joints)
        expected = np.asarray(friction) * np.sign(dq)
        np.testing.assert_allclose(missing(q, dq, np.zeros(arm.n_joints)), expected, atol=1e-9)


def test_friction_of_the_nominal_arm_is_missing_torque_too():
    """The nominal bias leaves Coulomb friction out, so the law alone does not make it up."""
    arm = ARMS["fr3"]
    dq = np.array([0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5])
    expected = np.sign(dq) * ([1.137] * 4 + [0.763, 0.44, 0.248])
    missing = MissingTorque(arm)(np.asarray(arm.home), dq, np.zeros(7))
    np.testing.assert_allclose(missing, expected, atol=1e-6)


def test_arm_with_friction_follows_while_it_moves():
    arm = ARMS["planar2"]
    perturbation = Perturbation(joint_friction=1.0)
    # Only until the joints turn round: at rest, friction is whatever holds them.
    assert deviation(arm, perturbation, perturbation) < 0.2 * deviation(arm, perturbation, NO_PERTURBATION)


def test_nothing_is_missing_without_perturbation(arm, state, rng):
    q, dq = state
    missing = MissingTorque(arm)(q, dq, rng.normal(size=arm.n_joints))
    np.testing.assert_allclose(missing, 0.0, atol=NO_PAYLOAD_NM)


def test_nothing_remains_of_an_earlier_perturbation(arm, state, rng):
    q, dq = state
    ddq = rng.normal(size=arm.n_joints)
    used, fresh = MissingTorque(arm), MissingTorque(arm)
    for kind in KINDS.values():
        used.perturb(fitted(kind, arm))
        used(q, dq, ddq)
    used.perturb(KINDS["payload"])
    fresh.perturb(KINDS["payload"])
    np.testing.assert_allclose(used(q, dq, ddq), fresh(q, dq, ddq), atol=1e-9)


def test_torque_of_a_payload_is_linear_in_its_mass(arm, state, rng):
    q, dq = state
    ddq = rng.normal(size=arm.n_joints)
    missing = MissingTorque(arm)

    def torque(mass_kg: float) -> np.ndarray:
        missing.perturb(Perturbation(payload_kg=mass_kg))
        return missing(q, dq, ddq)

    # The payload's own inertia, a steel sphere's, grows faster than its mass and is tiny.
    np.testing.assert_allclose(torque(0.8), 2.0 * torque(0.4), atol=0.02)


def test_weight_of_a_payload_is_that_of_the_jacobian(arm):
    """At rest: m g along z at the end effector, mapped to the joints."""
    q = np.asarray(arm.home)
    still = np.zeros(arm.n_joints)
    missing = MissingTorque(arm)
    missing.perturb(Perturbation(payload_kg=0.5))
    dynamics = MujocoDynamics(arm)
    dynamics.update(q, still)
    expected = dynamics.jacobian()[2] * 0.5 * 9.81
    np.testing.assert_allclose(missing(q, still, still), expected, atol=1e-6)


def test_damping_asks_for_torque_along_the_velocity(arm, state):
    q, dq = state
    missing = MissingTorque(arm)
    missing.perturb(Perturbation(joint_damping=0.7))
    np.testing.assert_allclose(missing(q, dq, np.zeros(arm.n_joints)), 0.7 * dq, atol=1e-9)


def test_force_is_pushed_back(arm, state):
    q, dq = state
    force = np.array([3.0, -2.0, 1.0])
    missing = MissingTorque(arm)
    missing.perturb(Perturbation(force_n=tuple(force)))
    dynamics = MujocoDynamics(arm)
    dynamics.update(q, dq)
    expected = -dynamics.jacobian()[:3].T @ force
    np.testing.assert_allclose(missing(q, dq, np.zeros(arm.n_joints)), expected, atol=1e-9)


def test_weak_motors_are_told_more(arm, state):
    q, dq = state
    still = np.zeros(arm.n_joints)
    missing = MissingTorque(arm)
    missing.perturb(Perturbation(actuator_gain=0.5))
    dynamics = MujocoDynamics(arm)
    dynamics.update(q, dq)
    np.testing.assert_allclose(missing(q, dq, still), dynamics.bias(), atol=1e-9)


def test_sensors_add_no_torque(arm, state):
    q, dq = state
    missing = MissingTorque(arm)
    missing.perturb(Perturbation(sensor_noise_q_rad=0.1, sensor_noise_dq_rad_s=0.1, delay_s=0.01))
    np.testing.assert_allclose(missing(q, dq, np.zeros(arm.n_joints)), 0.0, atol=NO_PAYLOAD_NM)


def test_joint_limits_are_no_perturbation(arm):
    dynamics = MujocoDynamics(arm)
    beyond = np.asarray(arm.home).copy()
    beyond[0] = dynamics.joint_ranges[0, 1] + 0.05 if np.isfinite(dynamics.joint_ranges[0, 1]) else 3.0
    still = np.zeros(arm.n_joints)
    np.testing.assert_allclose(MissingTorque(arm)(beyond, still, still), 0.0, atol=NO_PAYLOAD_NM)
