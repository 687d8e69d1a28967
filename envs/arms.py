"""The arms that are shipped, and any other from an MJCF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from spikearm.envs.mjcf import CompiledArm, compile_arm
from spikearm.envs.probe import compile_apart
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.records import FloatArray

ASSETS = Path(__file__).parent / "assets"

STANDARD_GRAVITY = 9.81
PAYLOAD_KG = 0.907
"""Two pounds: the unknown weight of DeWolf, Jaworski and Eliasmith 2020 (Front. Neurorobot. 14:568359)."""


@dataclass(frozen=True)
class ArmSpec:
    """Which arm, and the magnitudes that go with it.

    Attributes:
        name: Short name.
        path: MJCF file.
        home: Joint angles to start from [rad].
        ee_site: Name of the end-effector site in the model.
        task_axes: Which of x, y, z, rx, ry, rz the arm can control, in the world frame.
        reach_m: Length of a reach that fits its workspace [m].
        payload_kg: Payload that is heavy for it, yet within its torque [kg].
        torque_scale_nm: Torque of a joint that counts as 1 for a network [N m].
        q_half_range_rad: Distance of a joint angle from home that counts as 1 for a network [rad].
        dq_half_range_rad_s: Joint velocity that counts as 1 for a network [rad/s].
    """

    name: str
    path: Path
    home: tuple[float, ...]
    ee_site: str = "ee"
    task_axes: tuple[bool, bool, bool, bool, bool, bool] = (True, True, True, True, True, True)
    reach_m: float = 0.2
    payload_kg: float = PAYLOAD_KG
    torque_scale_nm: float = 20.0
    q_half_range_rad: float = 1.0
    dq_half_range_rad_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.home or not np.isfinite(self.home).all():
            raise ConfigError(f"home of arm {self.name!r} needs one finite angle per joint; got {self.home}.")
        if len(self.task_axes) != 6 or not any(self.task_axes):
            raise ConfigError(
                f"task_axes of arm {self.name!r} are six flags (x, y, z, rx, ry, rz), at least one set; "
                f"got {self.task_axes}."
            )
        for field in ("reach_m", "torque_scale_nm", "q_half_range_rad", "dq_half_range_rad_s"):
            value = getattr(self, field)
            if not 0 < value < float("inf"):
                raise ConfigError(f"{field} of arm {self.name!r} must be positive and finite, not {value!r}.")
        if not 0 <= self.payload_kg < float("inf"):
            raise ConfigError(f"payload_kg of arm {self.name!r} must be 0 or more, not {self.payload_kg!r}.")

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.home)


ARMS: dict[str, ArmSpec] = {
    "iiwa14": ArmSpec(
        name="iiwa14",
        path=ASSETS / "iiwa14.xml",
        home=(0.0, 0.785398, 0.0, -1.5708, 0.0, 0.0, 0.0),
    ),
    "gen3": ArmSpec(
        name="gen3",
        path=ASSETS / "gen3.xml",
        home=(0.0, 0.26179939, 3.14159265, -2.26892803, 0.0, 0.95993109, 1.57079633),
        torque_scale_nm=16.0,
    ),
    "fr3": ArmSpec(
        name="fr3",
        path=ASSETS / "fr3.xml",
        home=(0.0, 0.0, 0.0, -1.57079, 0.0, 1.57079, -0.7853),
        torque_scale_nm=15.0,
    ),
    "ur5e": ArmSpec(
        name="ur5e",
        path=ASSETS / "ur5e.xml",
        home=(-1.5708, -1.5708, 1.5708, -1.5708, -1.5708, 0.0),
        torque_scale_nm=17.0,
    ),
    "planar1": ArmSpec(
        name="planar1",
        path=ASSETS / "planar1.xml",
        home=(1.5708,),
        task_axes=(True, False, False, False, False, False),
        reach_m=0.15,
        torque_scale_nm=11.0,
        dq_half_range_rad_s=3.0,
    ),
    "planar2": ArmSpec(
        name="planar2",
        path=ASSETS / "planar2.xml",
        home=(-0.78, 1.75),
        task_axes=(True, False, True, False, False, False),
        torque_scale_nm=15.0,
        dq_half_range_rad_s=3.0,
    ),
    "planar3": ArmSpec(
        name="planar3",
        path=ASSETS / "planar3.xml",
        home=(-0.75, 1.77, -1.02),
        task_axes=(True, False, True, False, True, False),
        torque_scale_nm=15.0,
        dq_half_range_rad_s=3.0,
    ),
}
"""The shipped arms by name."""


def load_arm(name_or_path: str | Path) -> ArmSpec:
    """A shipped arm by its name, or any arm of hinge joints from an MJCF file.

    Args:
        name_or_path: A key of :data:`ARMS`, or a path that ends in ``.xml``.

    Returns:
        The arm. For a file the magnitudes are derived from the model: home is its keyframe ``home`` (or
        its zero position, moved into the joint ranges), the task axes are those its Jacobian spans.

    Raises:
        UnknownNameError: No shipped arm of this name.
        ModelError: The file is missing or broken, or is not a torque-drivable arm of hinge joints.
        ConfigError: It is neither a text nor a path.
    """
    if not isinstance(name_or_path, (str, Path)):
        raise ConfigError(f"arm must be a name or a path, not {name_or_path!r}.")
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() != ".xml":
        if str(name_or_path) not in ARMS:
            raise UnknownNameError("arm", str(name_or_path), ARMS)
        return ARMS[str(name_or_path)]
    if path.is_file():
        compile_apart(path)
    path = path.absolute()
    arm = compile_arm(path)
    home = _home(arm)
    radius_m = _reach_radius(arm)
    return ArmSpec(
        name=path.stem,
        path=path,
        home=tuple(home.tolist()),
        ee_site=arm.model.site(arm.site_id).name,
        task_axes=_task_axes(arm),
        reach_m=min(0.2, 0.25 * radius_m),
        # About twice the payload's weight on an outstretched arm: 20 N m for the iiwa14.
        torque_scale_nm=2.0 * PAYLOAD_KG * STANDARD_GRAVITY * radius_m,
    )


def _home(arm: CompiledArm) -> FloatArray:
    """Keyframe ``home``, else the zero position with joints outside their range moved to its middle."""
    model = arm.model
    names = [model.key(i).name for i in range(model.nkey)]
    if "home" in names:
        home: FloatArray = model.key_qpos[names.index("home")].copy()
        return home
    home = model.qpos0.copy()
    low, high = model.jnt_range.T
    outside = model.jnt_limited.astype(bool) & ((home < low) | (home > high))
    home[outside] = (0.5 * (low + high))[outside]
    return home


def _sample_jacobians(arm: CompiledArm, n_samples: int = 20) -> tuple[FloatArray, FloatArray]:
    """Jacobians (n, 6, n_joints) and end-effector positions (n, 3) at random joint angles."""
    rng = np.random.default_rng(0)
    model, data = arm.model, mujoco.MjData(arm.model)
    limited = model.jnt_limited.astype(bool)
    low = np.where(limited, model.jnt_range[:, 0], -np.pi)
    high = np.where(limited, model.jnt_range[:, 1], np.pi)
    jacobians = np.zeros((n_samples, 6, arm.n_joints))
    positions = np.zeros((n_samples, 3))
    for jacobian, position in zip(jacobians, positions, strict=True):
        data.qpos[:] = rng.uniform(low, high)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], arm.site_id)
        position[:] = data.site_xpos[arm.site_id] - data.xanchor[0]
    return jacobians, positions


def _task_axes(arm: CompiledArm) -> tuple[bool, bool, bool, bool, bool, bool]:
    """Axes that can be controlled at once, positions before rotations: rows that raise the typical rank."""
    jacobians, _ = _sample_jacobians(arm)
    chosen: list[int] = []
    for axis in range(6):
        ranks = np.linalg.matrix_rank(jacobians[:, [*chosen, axis]], tol=1e-6)
        if np.median(ranks) > len(chosen):
            chosen.append(axis)
    x, y, z, rx, ry, rz = (axis in chosen for axis in range(6))
    return x, y, z, rx, ry, rz


def _reach_radius(arm: CompiledArm) -> float:
    """How far the end effector gets from the first joint [m], over random joint angles."""
    _, positions = _sample_jacobians(arm)
    return float(np.linalg.norm(positions, axis=1).max())
