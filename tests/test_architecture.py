"""Who may import whom, over the syntax trees; and that the package carries everything it needs."""

from __future__ import annotations

import ast
import fnmatch
import importlib
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from spikearm.controller.protocols import Plant

ROOT = Path(__file__).parent.parent
FOLDERS = ("spikearm", "models", "hardware", "controller", "envs", "launch")

MAY_IMPORT = {
    "spikearm": set(),
    "models": {"spikearm"},
    "hardware": {"spikearm", "models"},
    "controller": {"spikearm", "models", "hardware"},
    "envs": {"spikearm"},
    "launch": {"spikearm", "models", "hardware", "controller", "envs"},
}
"""Folders that the modules of a folder may import, besides itself."""

THIRD_PARTY = {
    "spikearm": {"numpy"},
    "models": {"nengo", "numpy"},
    "hardware": {"nengo", "numba", "numpy", "scipy"},
    "controller": {"numpy", "pyarrow", "scipy"},
    "envs": {"gymnasium", "mujoco", "numba", "numpy"},
    "launch": {"gymnasium", "matplotlib", "mujoco", "numpy", "pyarrow", "rich", "tyro"},
}
"""Libraries that every module of a folder may import."""

EXCEPTIONS = {
    "models/*training*.py": {"scipy", "torch"},
    "envs/gym/stable_baselines.py": {"stable_baselines3"},
    "launch/encoder_data.py": {"scipy"},
    "launch/train_*.py": {"torch"},
    "hardware/adapters/dynamixel.py": {"dynamixel_sdk"},
    "hardware/adapters/dynamixel_port.py": {"dynamixel_sdk"},
    "launch/export/mcap.py": {"mcap"},
    "launch/export/neurobench.py": {"nengo"},
    "launch/report/page.py": {"plotly"},
    "launch/video.py": {"imageio_ffmpeg"},
    "launch/video_frames.py": {"imageio_ffmpeg"},
    "launch/view.py": {"glfw", "mjviser", "viser"},
    "hardware/loihi/*.py": {"nengo_loihi"},
    "spikearm/compiled.py": {"numba"},
}
"""Libraries that only some modules may import."""

PROTOCOL_MODULES = {"backend", "cost", "meter"}
"""Modules of ``hardware`` from which ``controller`` may import, and only protocols."""


@dataclass(frozen=True)
class Import:
    """One module that another one imports.

    Attributes:
        target: The module, e.g. ``spikearm.records``.
        names: What is taken from it; empty for a plain import.
        at_import: Whether it happens as soon as the importing module is imported.
        line: Where.
    """

    target: str
    names: tuple[str, ...]
    at_import: bool
    line: int


@cache
def modules() -> tuple[Path, ...]:
    return tuple(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    """Name under which a file of the checkout is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "spikearm" else ("spikearm", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_of(module: str) -> str:
    """Folder of a dotted name inside the package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else "spikearm"


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import statement of a file."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, (), at_import, child.lineno)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{relative(path)}:{child.lineno}: relative import"
                names = tuple(alias.name for alias in child.names)
                yield Import(child.module or "", names, at_import, child.lineno)
            else:
                later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                yield from visit(child, at_import and not later and not typing_only)

    return tuple(visit(ast.parse(path.read_text(encoding="utf-8")), True))


def inside(imported: Import) -> bool:
    return imported.target.split(".")[0] == "spikearm"


@pytest.fixture(params=modules(), ids=relative)
def module(request) -> Path:
    return request.param


def test_module_imports_only_what_its_folder_may(module):
    own = relative(module).split("/")[0]
    for imported in filter(inside, imports(module)):
        # `from spikearm import launch` names a folder too.
        targets = [imported.target] + [f"{imported.target}.{name}" for name in imported.names]
        for folder in map(folder_of, targets):
            allowed = {own, "spikearm"} | MAY_IMPORT[own]
            assert folder in allowed, f"{relative(module)}:{imported.line} imports {imported.target}"


def test_module_imports_only_libraries_its_folder_may(module):
    own = relative(module).split("/")[0]
    allowed = set(sys.stdlib_module_names) | THIRD_PARTY[own]
    for pattern, libraries in EXCEPTIONS.items():
        if fnmatch.fnmatch(relative(module), pattern):
            allowed |= libraries
    for imported in imports(module):
        top = imported.target.split(".")[0]
        assert top == "spikearm" or top in allowed, f"{relative(module)}:{imported.line} imports {top}"


def test_controller_takes_nothing_but_protocols_from_hardware():
    for path in (ROOT / "controller").rglob("*.py"):
        for imported in filter(inside, imports(path)):
            if folder_of(imported.target) != "hardware":
                continue
            where = f"{relative(path)}:{imported.line}"
            assert imported.target.removeprefix("spikearm.hardware.") in PROTOCOL_MODULES, where
            for name in imported.names:
                thing = getattr(importlib.import_module(imported.target), name)
                assert getattr(thing, "_is_protocol", False), f"{where}: {name} is not a protocol"


def test_controller_asks_an_arm_for_nothing_that_would_tell_a_real_one_apart():
    """One code path: what is in the protocol is all that is used, and nobody asks which class it is."""
    allowed = {name for name in vars(Plant) if not name.startswith("_")}
    assert allowed == {"dt_s", "reset", "read", "write", "close"}
    used = set()
    for path in (ROOT / "controller").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("plant", "self._plant"):
                used.add(node.attr)
                assert node.attr in allowed, f"{relative(path)}:{node.lineno}: plant.{node.attr}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "hasattr", "getattr"):
                about = ast.unparse(node)
                assert "plant" not in about.lower(), f"{relative(path)}:{node.lineno}: {about}"
    assert used == {"dt_s", "read", "write", "close"}


def test_only_launch_prints(module):
    if relative(module).startswith("launch/"):
        return
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        named = isinstance(node, ast.Name) and node.id == "print"
        assert not named, f"{relative(module)}:{node.lineno} prints"


def test_imports_form_no_circle():
    """Imports at import time form no cycle, so any module can be imported first."""
    graph = {dotted(path): direct(path) for path in modules()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for target in sorted(graph.get(name, ())):
            visit(target, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@cache
def direct(path: Path) -> frozenset[str]:
    """Modules of the package that a file imports as soon as it is imported, parent packages aside."""
    known = {dotted(p) for p in modules()}
    found: set[str] = set()
    for imported in imports(path):
        if imported.at_import:
            submodules = {f"{imported.target}.{name}" for name in imported.names} & known
            found |= submodules or {imported.target} & known
    return frozenset(found - {"spikearm"})


def test_everything_but_training_works_without_torch():
    """Torch is an extra: a machine without it can import every module except those that train."""
    torch = {"torch", "stable_baselines3"}
    training = {
        dotted(path)
        for path in modules()
        if torch & {i.target.partition(".")[0] for i in imports(path) if i.at_import}
    }
    assert training == {
        "spikearm.envs.gym.stable_baselines",
        "spikearm.models.encoder_training",
        "spikearm.models.online_training",
        "spikearm.models.osc_training",
        "spikearm.models.osc_training_network",
        "spikearm.models.policy_training",
    }
    needs = training | {dotted(path) for path in modules() if direct(path) & training}
    assert needs == training | {"spikearm.launch.encoder_data"}
    for path in modules():
        if dotted(path) not in needs:
            assert not direct(path) & needs, f"{relative(path)} needs torch as soon as it is imported"


def setuptools_table() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_pyproject_lists_every_package():
    found = {dotted(path) for path in modules() if path.name == "__init__.py"}
    assert set(setuptools_table()["packages"]) == found


def test_every_folder_with_modules_is_a_package():
    for folder in {path.parent for path in modules()}:
        assert (folder / "__init__.py").is_file(), f"{relative(folder)} has modules but no __init__.py"


def test_every_package_is_mapped_to_its_folder():
    mapping = setuptools_table()["package-dir"]
    assert mapping == {dotted(ROOT / folder / "__init__.py"): folder for folder in FOLDERS}
    for package in setuptools_table()["packages"]:
        root = max((name for name in mapping if f"{package}.".startswith(f"{name}.")), key=len)
        below = package[len(root) :].replace(".", "/")
        assert (ROOT / f"{mapping[root]}{below}" / "__init__.py").is_file()


def test_every_data_file_is_packaged():
    listed = setuptools_table()["package-data"]
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_dir() or path.suffix in (".py", ".pyc") or "__pycache__" in path.parts:
                continue
            if path.suffix in (".nbi", ".nbc"):  # numba's cache
                continue
            package = dotted(ROOT / folder / "__init__.py")
            name = path.relative_to(ROOT / folder).as_posix()
            patterns = listed.get(package, [])
            assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns), (
                f"{relative(path)} is not packaged"
            )


def test_every_data_pattern_matches_a_file():
    for package, patterns in setuptools_table()["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / package.split(".")[-1]).glob(pattern)), (
                f"{package}: nothing matches {pattern}"
            )
