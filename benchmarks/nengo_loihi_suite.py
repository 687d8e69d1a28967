"""Does nengo-loihi's own test suite notice that its emulator has been replaced?

    python benchmarks/nengo_loihi_suite.py [--json FILE] [-- PYTEST_ARGUMENT ...]

Runs the tests inside the installed nengo-loihi twice, with the stock emulator and with the compiled one in
its place, and prints the tests whose outcome differs. The suite is of 2022: some of its tests fail on today's
NumPy and Nengo with either emulator, or want a board or a file that is not installed; only differences count.
Exit code 1 if there are any.

The second half of this file is the pytest plugin that brings the fixtures which the suite takes from packages
that are no longer maintained.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import MagicMock
from xml.etree import ElementTree as ET

import numpy as np
import pytest

Outcomes = dict[str, str]


def run_suite(emulator: str, arguments: list[str]) -> tuple[Outcomes, float]:
    """Outcome of every test, and the time of the whole suite [s]."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "--pyargs", "nengo_loihi", "-q", "--no-header", "--tb=no"]
        command += ["--continue-on-collection-errors", "-W", "ignore::pytest.PytestUnknownMarkWarning"]
        command += ["-c", os.devnull, f"--rootdir={folder}", "-p", "no:nengo", "-p", "no:cacheprovider"]
        command += ["-p", Path(__file__).stem, f"--emulator={emulator}", f"--junitxml={report}", *arguments]
        path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
        start = perf_counter()
        subprocess.run(  # noqa: S603 our own interpreter
            command, env={**os.environ, "PYTHONPATH": path}, cwd=folder, check=False, stdout=sys.stderr
        )
        return outcomes(report), perf_counter() - start


def outcomes(report: Path) -> Outcomes:
    """Test names and whether they passed, failed, broke or were skipped."""
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 written by our own pytest
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


def main() -> int:
    """Run both, print the difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the outcomes to FILE")
    parser.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
    arguments = parser.parse_args()
    results = {emulator: run_suite(emulator, arguments.pytest) for emulator in ("stock", "compiled")}
    for emulator, (found, seconds) in results.items():
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(found.values()).items()))
        print(f"{emulator:9s} {len(found)} tests: {counts}; {seconds:.0f} s")
    stock, compiled = results["stock"][0], results["compiled"][0]
    different = [name for name in sorted({*stock, *compiled}) if stock.get(name) != compiled.get(name)]
    for name in different:
        print(f"{name}: stock {stock.get(name)}, compiled {compiled.get(name)}")
    print(f"{len(different)} tests differ.")
    if arguments.json:
        arguments.json.write_text(json.dumps({"stock": stock, "compiled": compiled}, indent=2) + "\n")
    return 1 if different else 0


# --- the pytest plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's own option, and ours."""
    parser.addoption("--target", default="sim", help="nengo-loihi's target")
    parser.addoption(
        "--emulator", default="stock", choices=["stock", "compiled"], help="which emulator to test"
    )


class NoiseFilters:
    """Image filters drawn at random, in place of Gabor's."""

    @staticmethod
    def generate(n: int, shape: tuple[int, int], rng: np.random.RandomState = np.random) -> np.ndarray:  # type: ignore[assignment]
        """``n`` filters of a shape."""
        return rng.uniform(-1, 1, size=(n, *shape))


def pytest_configure(config: pytest.Config) -> None:
    """Mend nengo-loihi for today's NumPy, and put the emulator into place before any test is imported."""
    import nengo._vendor
    import nengo_loihi.emulator
    import nengo_loihi.simulator
    from nengo.builder import transforms

    from spikearm.hardware.loihi import CompiledEmulator

    # What the tests of convolution import: moved in Nengo 4, or from a package of plots and image filters.
    nengo._vendor.npconv2d = sys.modules["nengo._vendor.npconv2d"] = MagicMock(conv2d=transforms)  # noqa: SLF001
    sys.modules["nengo._vendor.npconv2d.conv2d"] = transforms
    for name in ("nengo_extras", "nengo_extras.matplotlib", "nengo_extras.vision"):
        sys.modules[name] = MagicMock(Gabor=NoiseFilters)
    nengo_loihi.emulator.EmulatorInterface.strict = True  # as in the suite's own configuration
    if config.getoption("--emulator") == "compiled":
        for module in (nengo_loihi.emulator, nengo_loihi.simulator):
            module.EmulatorInterface = CompiledEmulator


@pytest.fixture(name="Simulator")
def _simulator(request: pytest.FixtureRequest) -> Any:
    from nengo_loihi.tests import make_test_sim

    return make_test_sim(request)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed that depends on the test alone."""
    return zlib.crc32(request.node.name.encode()) % 2**31


@pytest.fixture
def rng(seed: int) -> np.random.RandomState:
    """The kind of generator the suite was written for."""
    return np.random.RandomState(seed)


@pytest.fixture
def plt() -> Any:
    """Plots nobody looks at."""
    return MagicMock()


@pytest.fixture
def allclose() -> Any:
    """``np.allclose``, also with one of both shifted by up to ``xtol`` steps."""

    def compare(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, xtol: int = 0, **_: Any) -> bool:
        a, b = np.broadcast_arrays(np.asarray(a), np.asarray(b))
        n = len(a) if a.ndim else 0
        pairs = (
            [(a[max(s, 0) : n + s], b[max(-s, 0) : n - s]) for s in range(-xtol, xtol + 1)] if n else [(a, b)]
        )
        return any(np.allclose(x, y, rtol=rtol, atol=atol) for x, y in pairs)

    return compare


if __name__ == "__main__":
    sys.exit(main())
