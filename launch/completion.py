"""The command ``spikearm completion``: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import tyro

from spikearm.envs.arms import ARMS
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.cli import guarded, parse
from spikearm.launch.config import CONFIGS, CONTROLLERS
from spikearm.launch.exit_codes import DONE
from spikearm.launch.help import ALL

_OPTION = re.compile(r"^  (--[\w-]+)(?: \{([^}]*)\})?", re.MULTILINE)

Options = Mapping[str, tuple[str, ...]]
"""Values that an option is known to take, by the option."""


@dataclass(frozen=True)
class CompletionCommand:
    """Print the completion script of a shell.

    Attributes:
        shell: bash, zsh or fish.
    """

    shell: tyro.conf.Positional[Literal["bash", "zsh", "fish"]]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_completion, argv)


def _completion(argv: Sequence[str]) -> int:
    command = parse(
        CompletionCommand,
        argv,
        prog="spikearm completion",
        examples=(
            "spikearm completion bash > ~/.local/share/bash-completion/completions/spikearm",
            "spikearm completion zsh >> ~/.zshrc",
            "spikearm completion fish > ~/.config/fish/completions/spikearm.fish",
        ),
    )
    print(_SHELLS[command.shell](known_options()), end="")
    return DONE


def known_options() -> dict[str, Options]:
    """The options of every command, as its help has them."""
    from spikearm.launch.main import COMMANDS

    return {name: _options(module) for name, (module, _) in COMMANDS.items()}


def _options(module: str) -> Options:
    if module == "completion":
        return {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        importlib.import_module(f"spikearm.launch.{module}").main([ALL])
    known = {
        "--backend": tuple(BACKENDS),
        "--arm": tuple(ARMS),
        "--controller": CONTROLLERS,
        "--config": tuple(sorted(path.stem for path in CONFIGS.glob("*.toml"))),
    }
    options = {}
    for option, values in _OPTION.findall(said.getvalue()):
        options[option] = tuple(values.split(",")) if values else known.get(option, ())
    return options


def _bash(commands: Mapping[str, Options]) -> str:
    groups = sorted({name.split()[0] for name in commands if " " in name})
    cases = []
    for name, options in commands.items():
        cases += [
            f'        "{name}:{option}") words="{" ".join(values)}" ;;'
            for option, values in options.items()
            if values
        ]
        cases.append(f'        "{name}:"*) words="{" ".join(options)}" ;;')
    for group in groups:
        below = " ".join(name.split()[1] for name in commands if name.startswith(group + " "))
        cases.append(f'        "{group}:"*) words="{below}" ;;')
    first = " ".join(dict.fromkeys(name.split()[0] for name in commands))
    return "\n".join(
        [
            "_spikearm() {",
            '    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=""',
            "    local command=${COMP_WORDS[1]}",
            '    case "$command" in',
            f"        {'|'.join(groups)})",
            '            [ "$COMP_CWORD" -gt 2 ] && command="$command ${COMP_WORDS[2]}" ;;',
            "    esac",
            '    [ "$COMP_CWORD" -eq 1 ] && command=""',
            '    case "$command:$previous" in',
            f'        ":"*) words="{first}" ;;',
            *cases,
            "    esac",
            '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
            "}",
            "complete -o default -F _spikearm spikearm",
            "",
        ]
    )


def _zsh(commands: Mapping[str, Options]) -> str:
    """Bash's script; what it needs is loaded where a ``.zshrc`` has not done so."""
    return (
        "(( $+functions[compdef] )) || { autoload -U +X compinit && compinit -i -D }\n"
        "autoload -U +X bashcompinit && bashcompinit\n" + _bash(commands)
    )


def _fish(commands: Mapping[str, Options]) -> str:
    first = dict.fromkeys(name.split()[0] for name in commands)
    lines = [f"complete -c spikearm -f -n __fish_use_subcommand -a {name}" for name in first]
    for name, options in commands.items():
        group, _, below = name.partition(" ")
        seen = f"__fish_seen_subcommand_from {group}"
        if below:
            lines.append(f"complete -c spikearm -f -n '{seen}' -a {below}")
            seen += f"; and __fish_seen_subcommand_from {below}"
        for option, values in options.items():
            choice = f" -x -a '{' '.join(values)}'" if values else ""
            lines.append(f"complete -c spikearm -n '{seen}' -l {option.removeprefix('--')}{choice}")
    return "\n".join([*lines, ""])


_SHELLS: dict[str, Callable[[Mapping[str, Options]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


if __name__ == "__main__":
    sys.exit(main())
