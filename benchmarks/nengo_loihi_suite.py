"""Does nengo-loihi's own test suite notice that its emulator has been replaced?

    python benchmarks/nengo_loihi_suite.py [--json FILE] [-- PYTEST_ARGUMENT ...]

Runs the tests inside the installed nengo-loihi twice, with the stock emulator and with the compiled one in
its place, and prints the tests whose outcome differs; exit code 1 if there are any. The suite is of 2022:
some of its tests fail on today's NumPy and Nengo with either emulator, or miss a tolerance chosen for other
seeds. These are listed last, with the reason.

The second half of this file is the pytest plugin that brings what the suite takes from packages that are no
longer maintained and from files that are not installed: its configuration, its fixtures, filters, and an
image. Tests that compare an emulator with a board get the stock emulator for a board; others that need a
board are skipped, as by the suite's own configuration.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import MagicMock, patch
from xml.etree import ElementTree as ET

import nengo
import numpy as np
import pytest

from spikearm.hardware.loihi import numpy2

numpy2.install()

from nengo_loihi.emulator import EmulatorInterface  # noqa: E402 mended for today's NumPy before

_FIGURE = re.compile(r"[0-9]+([.][0-9e+-]+)?")
_COMPARING = ("test_chip_population_axons", "test_input_node_precompute", "test_uv_overflow")
"""Tests that compare what an emulator computes with what a board does, and look no further into the board."""

Outcomes = dict[str, tuple[str, str]]
"""For each test: passed, failure, error or skipped, and the reason."""


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
    """Test names and whether they passed, failed, broke or were skipped, and why."""
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 written by our own pytest
        notable = [child for child in case if child.tag in ("failure", "error", "skipped")]
        outcome = (notable[0].tag, notable[0].get("message") or "") if notable else ("passed", "")
        found[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return found


def in_common(stock: Outcomes, compiled: Outcomes) -> list[str]:
    """What does not pass with either emulator: one line for each test function and reason."""
    groups: Counter[tuple[str, str, str]] = Counter()
    for name, (kind, reason) in stock.items():
        if kind != "passed" and compiled.get(name, ("", ""))[0] == kind:
            groups[kind, name.partition("[")[0], _FIGURE.sub("#", reason.partition("\n")[0])[:90]] += 1
    return [f"{n:4d} {kind:8s} {name}: {reason}" for (kind, name, reason), n in sorted(groups.items())]


def main() -> int:
    """Run both, print the difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the outcomes to FILE")
    parser.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
    arguments = parser.parse_args()
    results = {emulator: run_suite(emulator, arguments.pytest) for emulator in ("stock", "compiled")}
    for emulator, (found, seconds) in results.items():
        counts = ", ".join(
            f"{n} {kind}" for kind, n in sorted(Counter(kind for kind, _ in found.values()).items())
        )
        print(f"{emulator:9s} {len(found)} tests: {counts}; {seconds:.0f} s")
    stock, compiled = results["stock"][0], results["compiled"][0]
    nothing = ("not run", "")
    different = [
        name
        for name in sorted({*stock, *compiled})
        if stock.get(name, nothing)[0] != compiled.get(name, nothing)[0]
    ]
    for name in different:
        print(f"{name}: stock {stock.get(name, nothing)}, compiled {compiled.get(name, nothing)}")
    print(f"{len(different)} tests differ. With both emulators:")
    print("\n".join(in_common(stock, compiled)))
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


class Gabor:
    """Image filters: a wave under a bell, in a direction drawn at random (Gabor 1946, in two dimensions).

    Args:
        freq: Distribution of waves per half the width of a filter.
        sigma_x: Distribution of the width of the bell, across the waves.
        sigma_y: The same, along the waves.
    """

    def __init__(self, freq: Any, sigma_x: Any = None, sigma_y: Any = None) -> None:
        self._freq = freq
        self._sigmas = [
            nengo.dists.Choice([0.45]) if sigma is None else sigma for sigma in (sigma_x, sigma_y)
        ]

    def generate(self, n: int, shape: tuple[int, int], rng: np.random.RandomState) -> np.ndarray:
        """``n`` filters of a shape, with values from -1 to 1."""
        freq, sigma_x, sigma_y = (
            dist.sample(n, rng=rng)[:, np.newaxis, np.newaxis] for dist in (self._freq, *self._sigmas)
        )
        angle, phase = rng.uniform(-np.pi, np.pi, size=(2, n, 1, 1))
        y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
        across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        bell = np.exp(-((across / sigma_x) ** 2 + (along / sigma_y) ** 2) / 2)
        return bell * np.cos(2 * np.pi * freq * across + phase)


def drawn_zero() -> np.ndarray:
    """A digit of 28 x 28 pixels from 0 to 1, in place of the first of MNIST's test images; shape (784,)."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    return np.exp(-(((np.hypot(x / 0.5, y / 0.7) - 1) / 0.25) ** 2)).ravel()


def pytest_configure(config: pytest.Config) -> None:
    """Mend nengo-loihi for today's NumPy, and put the emulator into place before any test is imported."""
    import matplotlib as mpl
    import nengo._vendor
    import nengo_loihi.builder.builder
    import nengo_loihi.emulator
    import nengo_loihi.simulator
    from nengo.builder import transforms

    from spikearm.hardware.loihi import CompiledEmulator

    # What the tests of convolution import: moved in Nengo 4, or from a package of plots and image filters.
    nengo._vendor.npconv2d = sys.modules["nengo._vendor.npconv2d"] = MagicMock(conv2d=transforms)  # noqa: SLF001
    sys.modules["nengo._vendor.npconv2d.conv2d"] = transforms
    for name in ("nengo_extras", "nengo_extras.matplotlib", "nengo_extras.vision"):
        sys.modules[name] = MagicMock(Gabor=Gabor)
    mpl.use("Agg")
    # As in the suite's own configuration, which is not installed with it:
    nengo_loihi.emulator.EmulatorInterface.strict = True
    nengo_loihi.set_defaults()
    levels = nengo_loihi.builder.builder.ValidationLevel
    nengo_loihi.builder.Model.default_validation_level = levels.FULL
    if config.getoption("--emulator") == "compiled":
        for module in (nengo_loihi.emulator, nengo_loihi.simulator):
            module.EmulatorInterface = CompiledEmulator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what looks into a board."""
    for item in items:
        if item.get_closest_marker("target_loihi") and not _compares(item):
            item.add_marker(pytest.mark.skip(reason="test only runs on hardware"))


def _compares(item: pytest.Item) -> bool:
    return item.name.partition("[")[0] in _COMPARING


class StockForBoard(EmulatorInterface):
    """The stock emulator behind the calls by which these tests run a board."""

    strict = False

    def __init__(self, model: Any, use_snips: bool = False, seed: int | None = None) -> None:
        super().__init__(model, seed=seed)


@pytest.fixture(name="Simulator")
def _simulator(request: pytest.FixtureRequest) -> Any:
    """The suite's simulator; where a test compares with a board, that is the stock emulator."""
    import nengo_loihi.simulator
    from nengo_loihi.tests import make_test_sim

    make = make_test_sim(request)

    def simulator(network: Any, *args: Any, **options: Any) -> Any:
        if options.get("target") != "loihi" or not _compares(request.node):
            return make(network, *args, **options)
        with patch.object(nengo_loihi.simulator, "EmulatorInterface", EmulatorInterface):
            return make(network, *args, **{**options, "target": "sim"})

    return simulator


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests of convolution find their image."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "mnist10.pkl").write_bytes(pickle.dumps(([drawn_zero()], [0])))
    return folder


@pytest.fixture(autouse=True)
def _replaced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, image_folder: Path) -> None:
    """A board and a folder, in the place where a test module looks for them."""
    if _compares(request.node) and hasattr(request.module, "HardwareInterface"):
        monkeypatch.setattr(request.module, "HardwareInterface", StockForBoard)
    if hasattr(request.module, "test_dir"):
        monkeypatch.setattr(request.module, "test_dir", str(image_folder))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed that depends on the test alone."""
    return zlib.crc32(request.node.name.encode()) % 2**31


@pytest.fixture
def rng(seed: int) -> np.random.RandomState:
    """The kind of generator the suite was written for."""
    return np.random.RandomState(seed)


@pytest.fixture
def plt() -> Iterator[Any]:
    """Plots nobody looks at; only axes, which Nengo's own plots want, are real."""
    import matplotlib.pyplot as plt

    yield MagicMock(gca=plt.gca)
    plt.close("all")


@pytest.fixture
def allclose() -> Any:
    """``np.allclose``, each value also with the other's up to ``xtol`` steps before or after."""

    def compare(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, xtol: int = 0, **_: Any) -> bool:
        a, b = np.broadcast_arrays(np.atleast_1d(a), np.atleast_1d(b))
        close = np.isclose(a, b, rtol=rtol, atol=atol)
        for shift in range(1, xtol + 1):
            close[shift:] |= np.isclose(a[shift:], b[:-shift], rtol=rtol, atol=atol)
            close[:-shift] |= np.isclose(a[:-shift], b[shift:], rtol=rtol, atol=atol)
            close[[shift - 1, -shift]] = True  # nothing is known of what came before and after
        return bool(close.all())

    return compare


if __name__ == "__main__":
    sys.exit(main())
