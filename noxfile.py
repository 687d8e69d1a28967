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
def bench(session: nox.Session) -> None:
    """The tick by stage; see benchmarks/README.md for the others."""
    session.install(".")
    session.run("python", "benchmarks/tick.py", *session.posargs)
