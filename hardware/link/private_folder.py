"""The folder of this user's own sockets: nobody else can put one there, or reach one."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from spikearm.errors import AddressError


def private_folder() -> Path:
    """Where it is: in ``/run/user``, where there is such a place (pam_systemd(8)), or among temporary files.

    Not by ``XDG_RUNTIME_DIR``: robot and client may be started in different ways.
    """
    user = os.getuid()
    runtime = Path(f"/run/user/{user}")
    if os.access(runtime, os.W_OK):
        return runtime / "spikearm"
    return Path(tempfile.gettempdir()) / f"spikearm-{user}"


def require_private(folder: Path, *, make: bool) -> None:
    """Refuse a folder that somebody else has made, or may look into: what answers there may be anybody.

    Args:
        folder: The folder.
        make: Whether to make it, if it is not there.

    Raises:
        AddressError: It is not this user's alone.
    """
    if make:
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return  # nobody listens there
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or mode & 0o077:
        raise AddressError(
            f"{folder} is not a folder of yours alone (owner {found.st_uid}, mode {mode:04o}): whoever made "
            "it could command the arm. Remove it, or give an address unix:PATH elsewhere."
        )
