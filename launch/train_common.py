"""What all commands that train share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from spikearm.errors import ConfigError, RunFolderError


def command_line(name: str, command: Any, default: Any) -> str:
    """What makes the same weights again: the arm, the seed, and every setting that is not the default.

    Args:
        name: What ``spikearm train`` trains.
        command: The command; its ``training`` holds the seed and further settings.
        default: The command without any option.
    """
    words = [f"spikearm train {name}", f"--arm {command.arm}", f"--seed {command.training.seed}"]
    told = ("arm", "seed", "out", "json", "training")
    for settings, usual in ((command, default), (command.training, default.training)):
        for key, value in vars(settings).items():
            if key not in told and value != getattr(usual, key):
                values = value if isinstance(value, tuple) else (value,)
                # A switch is its name alone.
                given = [] if value is True else map(str, values)
                words.append(" ".join([f"--{key.replace('_', '-')}", *given]))
    return " ".join(words)


def require_torch() -> None:
    """Say how to get PyTorch where it is missing.

    Raises:
        ConfigError: It is missing.
    """
    try:
        import torch
    except ImportError as error:
        raise ConfigError(
            'training needs PyTorch, which is not installed; install it with `pip install ".[train]"` '
            "(on Linux, PyTorch's own package index for the CPU spares gigabytes of CUDA)."
        ) from error
    # More threads than this gain nothing on matrices this small, and change rounding.
    torch.set_num_threads(1)


def require_writable(folder: Path) -> None:
    """Know it before minutes of training are lost.

    Raises:
        RunFolderError: Nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(
            f"cannot make {folder}: {error.strerror}; choose another place with --out."
        ) from error
    if not os.access(folder, os.W_OK):
        raise RunFolderError(f"{folder} is not writable; choose another place with --out.")
