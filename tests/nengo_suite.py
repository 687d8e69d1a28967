"""Runs Nengo's own test suite for simulators on crossbars with ideal devices.

    python tests/nengo_suite.py [--reference] [--all] [PYTEST ARGUMENTS]

Not part of the default tests; ``nox -s nengo_suite`` makes an environment for it. It needs the fixtures that
Nengo's suite is written for, which are no dependencies of this package: ``pip install pytest-rng
pytest-allclose pytest-plt "pytest<9" "setuptools<81"`` (one of its modules imports ``pkg_resources``).

Tests that cannot pass are listed in ``nengo_suite_unsupported.txt`` beside this file, each with its
reason; everything else must pass. ``--all`` runs the listed ones too, and says which of them have come to
pass. ``--reference`` runs the suite on ``nengo.Simulator``: what fails there is not the crossbar's doing.
Exit code 0: as listed; 1: something else failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent
from typing import Any

import nengo
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from spikearm.hardware.crossbar import CrossbarConfig, CrossbarSimulator  # noqa: E402 a checkout needs the path

UNSUPPORTED = HERE / "nengo_suite_unsupported.txt"
PLUGINS = {
    "pytest_rng": "pytest-rng",
    "pytest_allclose": "pytest-allclose",
    "pytest_plt": "pytest-plt",
    "pkg_resources": "'setuptools<81'",
}

# Nengo's own settings: the salt decides the seeds its tests were written for.
SETTINGS = """\
[pytest]
rng_salt = v3.0.0
filterwarnings =
    ignore
nengo_simulator = {simulator}
nengo_test_unsupported =
{unsupported}
"""


class IdealCrossbarSimulator(CrossbarSimulator):
    """Devices that reach every target and never change; converters without rounding; no wires."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("config", CrossbarConfig.ideal())
        super().__init__(*args, **kwargs)


def settings(*, reference: bool) -> str:
    """The text of a pytest configuration."""
    if reference:
        return SETTINGS.format(simulator="nengo.Simulator", unsupported="")
    unsupported = indent(UNSUPPORTED.read_text(encoding="utf-8"), "    ")
    return SETTINGS.format(simulator="nengo_suite.IdealCrossbarSimulator", unsupported=unsupported)


class Results:
    """Collects what became of every test; a pytest plugin."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {"passed": [], "failed": [], "unsupported": [], "skipped": []}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Sort one report in; a skip by the list tells itself from others by its reason."""
        name = "tests/" + report.nodeid.split("tests/", 1)[-1]
        if report.failed:
            self.names["failed"].append(name)
        elif report.skipped and (hasattr(report, "wasxfail") or _is_listed(report.longrepr)):
            self.names["unsupported"].append(name)
        elif report.skipped:
            self.names["skipped"].append(name)
        elif report.when == "call":
            kind = "came to pass" if hasattr(report, "wasxfail") else "passed"
            self.names.setdefault(kind, []).append(name)

    def table(self) -> str:
        """Numbers, and names of all that did not simply pass."""
        lines = [f"{len(names):5d} {kind}" for kind, names in self.names.items()]
        told = (names for kind, names in self.names.items() if kind not in ("passed", "skipped"))
        return "\n".join([*lines, *(f"      {name}" for names in told for name in names)])


def _is_listed(reason: Any) -> bool:
    """Whether a test was skipped for a reason from the list."""
    text = reason[-1].removeprefix("Skipped: ") if isinstance(reason, tuple) else ""
    return bool(text) and text in UNSUPPORTED.read_text(encoding="utf-8")


def missing_plugins() -> list[str]:
    """Packages whose fixtures the suite needs and that are not installed."""
    return [PLUGINS[name] for name in PLUGINS if find_spec(name) is None]


def main() -> int:
    """Run the suite; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reference", action="store_true", help="test nengo.Simulator instead")
    parser.add_argument("--all", action="store_true", help="run the unsupported tests as well")
    arguments, rest = parser.parse_known_args()
    missing = missing_plugins()
    if missing:
        parser.error(f"Nengo's suite needs {', '.join(missing)}; pip install {' '.join(missing)}")
    nengo.rc["decoder_cache"]["enabled"] = "False"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pytest.ini"
        config.write_text(settings(reference=arguments.reference), encoding="utf-8")
        options = ["-c", str(config), "--rootdir", folder, "-p", "no:cacheprovider", "--pyargs", "nengo"]
        options += ["--unsupported"] if arguments.all else []
        results = Results()
        code = int(pytest.main([*options, "-q", "--noexamples", *rest], plugins=[results]))
    sys.stdout.write(f"\nNengo {nengo.__version__}, tests that run a simulator:\n{results.table()}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
