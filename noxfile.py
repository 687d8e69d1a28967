"""Every check of the project, each in an environment of its own: ``nox -s tests lint types docs package``."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests", "docs", "package"]


@nox.session
def tests(session: nox.Session) -> None:
    """The default suite; ``nox -s tests -- -m slow`` runs the slow tests."""
    session.install(".[dev]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting and lint rules."""
    session.install("ruff>=0.9")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types, over the package as installed."""
    session.install(".[dev]")
    config = Path("pyproject.toml").resolve()
    # In the checkout mypy would find the folder spikearm/ and nothing else, not the installed package.
    session.chdir(session.create_tmp())
    session.run("mypy", "--config-file", str(config))


@nox.session
def package(session: nox.Session) -> None:
    """A source archive becomes a wheel, is installed, and runs from another directory."""
    session.install("build")
    session.run("python", "tests/package_check.py")


@nox.session
def docs(session: nox.Session) -> None:
    """The site, into site/; warnings are errors."""
    session.install(".[docs]")
    session.run("mkdocs", "build", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def nengo_suite(session: nox.Session) -> None:
    """Nengo's own tests of simulators, on crossbars with ideal devices; ``-- -k learning`` for a part."""
    # What Nengo's tests are written for; nengo 4.1 has a plugin that pytest 9 cannot load.
    fixtures = ("pytest-allclose", "pytest-plt", "pytest-rng", "setuptools<81")
    session.install(".", "pytest>=8.3,<9", "pytest-xdist>=3.6", *fixtures)
    session.run("python", "tests/nengo_suite.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def bench(session: nox.Session) -> None:
    """The tick by stage; see benchmarks/README.md for the others."""
    session.install(".")
    session.run("python", "benchmarks/tick.py", *session.posargs)
