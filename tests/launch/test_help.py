"""What a person sees who does not know the commands yet."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import tyro

from spikearm.envs.perturbation import Perturbation
from spikearm.errors import ConfigError
from spikearm.launch.cli import parse
from spikearm.launch.config import RunConfig
from spikearm.launch.help import help_text, option_groups, plain, statement
from spikearm.launch.main import COMMANDS
from spikearm.launch.run_command import RunCommand

SCREEN_LINES, SCREEN_COLUMNS = 24, 100
"""The smallest terminal has 24 lines, one of them for the prompt."""


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_spikearm_alone_explains_itself_on_one_screen(spikearm, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    ended = spikearm()
    assert ended.code == 0
    assert "To begin with:" in ended.out
    lines = ended.out.splitlines()
    for command in COMMANDS:
        assert any(line.startswith(f"  {command} ") for line in lines)
    assert max(map(len, lines)) <= columns
    assert len(lines) < SCREEN_LINES
    assert ended.err == ""


@pytest.mark.parametrize(("columns", "height"), [(80, SCREEN_LINES), (SCREEN_COLUMNS, 40), (200, 100)])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen_and_has_an_example(spikearm, command, columns, height, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(height))
    shown = spikearm(*command.split(), "--help").out
    lines = shown.splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= columns
    examples = shown.split("examples:\n")[1].split("options:\n")[0].split("\n\n")[0].splitlines()
    assert examples
    assert all(line.startswith(f"  spikearm {command}") for line in examples)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_line_of_the_short_help_is_a_whole_statement(spikearm, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", str(SCREEN_LINES))
    options = spikearm(*command.split(), "--help").out.split("options:\n")[1]
    assert "..." not in options.replace("NAME ...", "").replace("N ...", "").replace("[RUN ...]", "")
    lines = [line for line in options.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        flag, _, about = line.strip().partition("  ")
        about = about.strip() or options.split(line)[1].split(after or None)[0].strip()
        assert re.match(r"[\w\"].*\w", about), f"{flag} says nothing"
        assert not re.search(r"\b(e\.g|i\.e|of)\.( \[|$)", about), f"{flag} is cut short"


@pytest.mark.parametrize(
    ("about", "room", "said"),
    [
        ("Short enough.", 20, "Short enough."),
        ("One sentence. Another one.", 20, "One sentence."),
        ("What it is; by default 10, or more.", 20, "What it is."),
        ("Three of them: a, b or c, of which two are better.", 25, "Three of them."),
        ("A name (or a path; see there) that counts.", 30, "A name."),
        ("First. Second one. Third one, which is long.", 20, "First. Second one."),
        ("Neurons, e.g. 1000 of them. More take longer.", 30, "Neurons, e.g. 1000 of them."),
        ("Neurons, i.e. 1000 of them, which take long.", 30, ""),
        ("A share of 0.5. What is above is cut off.", 20, "A share of 0.5."),
        ("One of: a or b, of which one is better.", 20, ""),
        ("Where to listen at: a name or a path.", 25, "Where to listen at."),
        ("Nothing of this fits there at all", 10, ""),
    ],
)
def test_texts_are_cut_where_a_statement_ends(about, room, said):
    assert statement(about, room) == said


def test_help_that_is_cut_says_where_the_rest_is(spikearm, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", str(SCREEN_LINES))
    *_, option, last = spikearm("run", "--help").out.splitlines()
    assert option.startswith("  --")
    assert last == "`spikearm run --help-all` has every option, in full."


def test_kinds_of_crossbar_are_in_the_short_help(spikearm, monkeypatch):
    monkeypatch.setenv("LINES", str(SCREEN_LINES))
    shown = spikearm("compare", "--help").out
    assert "  spikearm compare --trials 4 --devices\n" in shown
    assert "  --devices " in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_free_of_markup(spikearm, command):
    shown = spikearm(*command.split(), "--help-all").out
    assert "``" not in shown
    assert not re.search(r":\w+:`", shown)


def test_every_setting_of_a_run_is_in_the_long_help(spikearm):
    shown = spikearm("run", "--help-all").out
    options = {line.split()[0] for line in shown.splitlines() if line.startswith("  --")}
    assert {"--pulse-threshold", "--pes-wgt-exp", "--force-field", "--learning-rate", "--kp"} <= options


def test_defaults_of_a_configuration_are_shown(spikearm):
    command = RunCommand(run=RunConfig(perturbation=Perturbation(payload_kg=3.25)))
    assert "[3.25]" in help_text(command, prog="spikearm run")


def test_options_say_what_they_take():
    flags = {option.flag for group in option_groups(RunCommand()) for option in group.options}
    assert {
        "--trials N",
        "--payload-kg X",
        "--actuation-delay {none,modelled}",
        "--json",
        "--out PATH",
    } <= flags
    assert "--force-n X X X" in flags


@dataclass(frozen=True)
class Switches:
    """Two switches.

    Attributes:
        on: Is on.
        off: Is off.
    """

    on: bool = True
    off: bool = False


def test_switch_that_is_on_is_shown_by_what_turns_it_off():
    (group,) = option_groups(Switches())
    assert [option.flag for option in group.options] == ["--no-on", "--off"]


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("report", "usage: spikearm report [RUN ...] [OPTIONS]"),
        ("logs recover", "usage: spikearm logs recover [RUN] [OPTIONS]"),
        ("logs export", "usage: spikearm logs export [RUN] --to {parquet,csv,mcap,neurobench} [OPTIONS]"),
        ("completion", "usage: spikearm completion SHELL [OPTIONS]"),
        ("run", "usage: spikearm run [OPTIONS]"),
    ],
)
def test_usage_says_what_has_to_be_given_and_what_may_be_left_out_or_repeated(spikearm, command, usage):
    assert spikearm(*command.split(), "--help").out.splitlines()[0] == usage


def test_markup_becomes_plain_text():
    assert plain("by :func:`~.pcm.drift` or\n    ``a * b``") == "by drift or a * b"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ("run", "--bakend", "x"),
            "ConfigError: Unrecognized options: --bakend, x. Did you mean '--backend'?",
        ),
        (("run", "--trials", "x"), "ConfigError: --trials takes a whole number, not 'x'."),
        (("run", "--payload-kg", "heavy"), "ConfigError: --payload-kg takes a number, not 'heavy'."),
        (
            ("run", "--backend", "x"),
            "ConfigError: no backend named 'x'. Known: 'crossbar', 'loihi', 'reference'.",
        ),
        (
            ("run", "--force-n", "1", "2"),
            "ConfigError: Missing value for argument '--force-n'. Expected 3 values.",
        ),
        (("run", "--force-n", "1", "x", "3"), "ConfigError: --force-n takes three numbers, not '1 x 3'."),
        (
            ("run", "--joint-friction", "a"),
            "ConfigError: --joint-friction takes a number, or one per joint, not 'a'.",
        ),
        (("run", "--backend"), "ConfigError: --backend takes a value. `spikearm run --help` explains"),
        (("run", "--trials", "1", "--seed"), "ConfigError: --seed takes a value."),
        (("robot", "key"), "ConfigError: missing: FILE."),
        (("logs", "export"), "ConfigError: missing: --to."),
        (("completion",), "ConfigError: missing: {bash,zsh,fish}."),
        (("nothing",), "UnknownNameError: no command named 'nothing'."),
    ],
)
def test_bad_arguments_are_one_line_in_one_style(spikearm, words, complaint):
    ended = spikearm(*words)
    assert (ended.code, ended.out) == (2, "")
    first = ended.err.splitlines()[0]
    assert first.startswith(complaint)
    assert not set("╭│╰─") & set(ended.err)


@dataclass(frozen=True)
class Both:
    """What has no name, and what has one, and both have to be given.

    Attributes:
        to: Where to.
        run: Of what.
    """

    to: str
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]


@pytest.mark.parametrize(
    ("words", "missing"), [((), "RUN, --to"), (("--to", "x"), "RUN"), (("run",), "--to")]
)
def test_all_that_is_missing_is_said_at_once(words, missing):
    with pytest.raises(ConfigError, match=rf"^missing: {missing}\. `spikearm both --help` explains"):
        parse(Both, words, prog="spikearm both")


def completed(script, *words):
    """What bash offers for a command line whose last word is still being typed."""
    line = " ".join(f"'{word}'" for word in words)
    lines = (
        script,
        f"COMP_WORDS=({line})",
        f"COMP_CWORD={len(words) - 1}",
        "_spikearm",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    )
    bash = shutil.which("bash")
    done = subprocess.run(  # noqa: S603 - ours
        [bash, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_bash_completes_commands_options_and_values(spikearm):
    script = spikearm("completion", "bash").out
    assert completed(script, "spikearm", "r") == ["run", "report", "robot"]
    assert completed(script, "spikearm", "logs", "") == ["recover", "export"]
    assert completed(script, "spikearm", "run", "--backend", "l") == ["loihi"]
    assert completed(script, "spikearm", "run", "--payload-k") == ["--payload-kg"]
    assert completed(script, "spikearm", "logs", "export", "R", "--to", "p") == ["parquet"]


@pytest.mark.parametrize(("shell", "mark"), [("zsh", "bashcompinit"), ("fish", "complete -c spikearm")])
def test_other_shells_get_the_same_options(spikearm, shell, mark):
    script = spikearm("completion", shell).out
    assert mark in script
    assert "payload-kg" in script
    assert "reram-gong2018" in script


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_sound_in_the_shell_itself(spikearm, shell, tmp_path):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    script = tmp_path / "completion"
    script.write_text(spikearm("completion", shell).out)
    subprocess.run([program, "-n", str(script)], check=True)  # noqa: S603 - ours: syntax
    # And it can be loaded: nothing is said, least of all of an unknown word.
    loaded = subprocess.run(  # noqa: S603 - ours
        [program, "-c", f"source {script}"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout + loaded.stderr == ""


def test_fish_completes_commands_options_and_values(spikearm, tmp_path):
    program = shutil.which("fish")
    if program is None:
        pytest.skip("no fish here")
    script = tmp_path / "completion"
    script.write_text(spikearm("completion", "fish").out)

    def completed_by_fish(line):
        done = subprocess.run(  # noqa: S603 - ours
            [program, "-c", f"source {script}; complete -C '{line}'"],
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert {"run", "report", "robot"} <= set(completed_by_fish("spikearm r"))
    assert completed_by_fish("spikearm run --backend l") == ["loihi"]
    assert completed_by_fish("spikearm run --payload-k") == ["--payload-kg"]


def test_run_json_has_only_what_was_set_or_has_a_default(spikearm, tmp_path):
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.01)
    assert spikearm("run", *words, "--out", tmp_path).code == 0
    (folder,) = tmp_path.iterdir()
    config = json.loads((folder / "run.json").read_text())["config"]
    assert None not in [*config.values(), *config["gains"].values(), *config["loihi"].values()]
    assert config["trials"] == 1
    assert "distance_m" not in config
