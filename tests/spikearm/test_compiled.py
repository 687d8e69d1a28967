from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spikearm import compiled

CALLER = """
from tiny import constants
from tiny.callee import (
    half,  # on a line of its own
)
from tiny.constants import OFFSET
from spikearm.compiled import kernel

@kernel
def f(x):
    return half(x) + OFFSET

@kernel(error_model="numpy")
def g(x):
    return constants.GAIN / x
"""
CALLEE = """
from spikearm.compiled import kernel

@kernel
def half(x):
    return x / 2
"""
CONSTANTS = "OFFSET = 10.0\nGAIN = 1.0\n"
RUN = """
from tiny.caller import f, g
print(f(4.0), g(2.0), sum(f.stats.cache_hits.values()), sum(g.stats.cache_hits.values()))
"""


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of two kernels, a callee and two constants, with its compiled code."""
    folder = tmp_path_factory.mktemp("once") / "tiny"
    folder.mkdir()
    sources = {"__init__": "", "caller": CALLER, "callee": CALLEE, "constants": CONSTANTS}
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    assert run(folder) == [12.0, 0.5, 0, 0]
    return folder


@pytest.fixture
def tiny(compiled_once: Path, tmp_path: Path) -> Path:
    """A copy of it to be edited."""
    return Path(shutil.copytree(compiled_once, tmp_path / "tiny"))


def run(folder: Path, **environment: str) -> list[float]:
    """What the kernels of the package return in a process of their own, and how often its cache was hit."""
    root = Path(compiled.__file__).parent.parent
    path = os.pathsep.join([str(folder.parent), str(root)])
    found = subprocess.run(  # noqa: S603 our own interpreter
        [sys.executable, "-B", "-c", RUN],
        env={**os.environ, "PYTHONPATH": path, **environment},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(word) for word in found.stdout.split()]


def edit(path: Path, old: str, new: str) -> None:
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new))


def test_an_edited_callee_and_an_edited_constant_are_noticed(tiny):
    edit(tiny / "callee.py", "x / 2", "x / 4")
    edit(tiny / "constants.py", "GAIN = 1.0", "GAIN = 3.0")
    assert run(tiny) == [11.0, 1.5, 0, 0]


def test_a_second_process_compiles_nothing_and_an_edit_elsewhere_does_not_matter(tiny):
    (tiny / "other.py").write_text("from tiny.caller import f\n")
    (tiny / "__init__.py").write_text("VERSION = 2\n")
    assert run(tiny) == [12.0, 0.5, 1, 1]


def test_kernels_run_where_no_folder_can_be_written(monkeypatch, caplog):
    def refuse(_function):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(compiled, "_Cache", refuse)
    with caplog.at_level(logging.WARNING):
        double = compiled.kernel(lambda x: 2 * x)
    assert double(3) == 6
    assert "no folder can be written; compiled in this process only" in caplog.text
