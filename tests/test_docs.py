"""Every block of code of the README and of the pages beside it runs as it stands, commands shortened."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spikearm.launch.config import RunConfig, load_config
from spikearm.launch.main import COMMANDS, main
from spikearm.launch.run import execute

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language):
    """Every block in a language, with the name of its page."""
    return [
        pytest.param(code, id=f"{page.stem}-{i}")
        for page in PAGES
        for i, code in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL))
    ]


BLOCKS = blocks("python")
COMMAND_LINES = sorted(
    {
        " ".join(shlex.split(line, comments=True))
        for block in blocks("sh")
        for line in re.split(r"\n|&&", block.values[0])
        if re.match(r"\s*(\.venv/bin/)?spikearm ", line)
    }
)
LANGUAGES = {"python", "sh", "toml", "text"}
"""Of blocks; `text` is no code."""
NO_COMMANDS = {
    "python3 -m venv": "installs; tests/package_check.py does",
    ". .venv/bin/activate": "of the shell; tests/package_check.py calls what it puts on the path",
    ".venv/bin/pip install": "installs; tests/package_check.py does",
    ".venv/bin/pytest": "these tests",
}
"""Beginnings of lines in blocks for a shell that are no command of ours, and why they do not run here."""
SHORT = {
    "run": ("--trials", "2", "--duration-s", "0.04", "--n-neurons", "40", "--learning-rate", "1e-3"),
    "compare": ("--trials", "1", "--duration-s", "0.02", "--n-neurons", "40", "--learning-rate", "1e-3"),
}
NOT_CARRIED_OUT = {
    "benchmark": "takes minutes; tests/launch/benchmark carries it out",
    "robot serve": "needs its other end; tests/launch/test_hardware_run.py has both",
    "hardware run": "needs its other end; tests/launch/test_hardware_run.py has both",
    "backend serve": "needs its other end; tests/launch/test_backend_serve.py has both",
    "--substrate-at": "needs its other end; tests/launch/test_backend_serve.py has both",
    "--view": "waits for a browser; tests/launch/test_view.py",
    "video": "needs a renderer; tests/launch/test_video.py",
    "--devices": "ten kinds of crossbar; tests/launch/test_compare.py",
}


class UnderstoodError(Exception):
    """The arguments were parsed; nothing more was wanted."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place that has a run folder by the name the pages use."""
    out = tmp_path_factory.mktemp("docs")
    run = execute(RunConfig(trials=1, duration_s=0.1, out=out / "runs"), baseline=False).folder
    (out / "RUN").symlink_to(run)
    return out


@pytest.mark.parametrize("code", BLOCKS)
def test_block_runs(code, folder):
    if "stable_baselines3" in code:
        pytest.importorskip("stable_baselines3")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_block_is_left_out_without_a_reason():
    for page in PAGES:
        opened = re.findall(r"^ *```(\S*)", page.read_text(), re.MULTILINE)[::2]
        assert set(opened) <= LANGUAGES, page.name
        assert not re.search(r"^ +```", page.read_text(), re.MULTILINE), f"{page.name}: an indented block"
    for block in blocks("sh"):
        for line in re.split(r"\n|&&", block.values[0].strip()):
            known = ("spikearm ", ".venv/bin/spikearm ", *NO_COMMANDS)
            assert line.strip().startswith(known), f"{block.id}: {line}"


def words_of(line):
    return line.removeprefix(".venv/bin/").split()[1:]


def test_pages_have_command_lines():
    assert len(COMMAND_LINES) > 20


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_line_is_understood(line, monkeypatch):
    words = words_of(line)
    (name,) = [name for name in COMMANDS if words[: len(name.split())] == name.split()]
    module = importlib.import_module(f"spikearm.launch.{COMMANDS[name][0]}")
    parse = module.parse

    def parse_only(*arguments, **options):
        parse(*arguments, **options)
        raise UnderstoodError

    monkeypatch.setattr(module, "parse", parse_only)
    with pytest.raises(UnderstoodError):
        main(words)


@pytest.mark.parametrize("part", NOT_CARRIED_OUT)
def test_what_is_carried_out_elsewhere_is_on_a_page_and_in_that_test(part):
    assert any(part in line for line in COMMAND_LINES)
    where = NOT_CARRIED_OUT[part].split("; ")[1].split()[0]
    assert (ROOT / where).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", [at for at in COMMAND_LINES if not any(part in at for part in NOT_CARRIED_OUT)]
)
def test_command_line_is_carried_out(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    words = words_of(line)
    places = [sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words]
    # What a page made before: the runs of two substrates.
    words = [word for place in places for word in (place or ["RUN"])]
    assert main([*words, *SHORT.get(words[0], ())]) == 0


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_are_understood(text, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    assert load_config(str(path), RunConfig()) != RunConfig()


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
