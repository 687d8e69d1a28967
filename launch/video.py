"""The command ``spikearm video``: a run as a film, drawn from its log without a display.

The arm is drawn after the run, so that drawing costs no tick any time; a killed run has its film, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from spikearm.errors import ConfigError, DrawingError, RunFolderError
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import console
from spikearm.launch.exit_codes import DONE
from spikearm.launch.newest import chosen
from spikearm.launch.progress import StepProgress
from spikearm.launch.recovery import require_log
from spikearm.launch.run_folder import require_folder

_FORMATS = (".mp4", ".mkv", ".mov")


@dataclass(frozen=True)
class VideoCommand:
    """Draw a run as a film: the arm, the desired path (dark) and the one it took (teal), in real time.

    Attributes:
        run: The run folder; by default the newest in runs/.
        out: The file; by default video.mp4 in the run folder.
        json: Print what was written as one JSON document on stdout.
    """

    run: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN")] = None
    out: Path | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_video, argv)


def _video(argv: Sequence[str]) -> int:
    command = parse(
        VideoCommand,
        argv,
        prog="spikearm video",
        examples=(
            "spikearm video",
            "spikearm video runs/20261121T120000Z-adaptive-loihi-iiwa14 --out arm.mp4",
        ),
    )
    run = chosen(command.run)
    path = command.out or run / "video.mp4"
    record_video(run, path)
    console.print(f"video: {path}", highlight=False, soft_wrap=True)
    if command.json:
        print_json({"path": str(path), "bytes": path.stat().st_size})
    return DONE


def record_video(run: Path, path: Path) -> None:
    """Write the film of a run.

    MuJoCo chooses how to draw when it is imported; a process of its own can be told to do without a display.

    Raises:
        RunFolderError: There is no such run, it has no ticks of its own, or there is no place for the film.
        ConfigError: The name is that of no film, or the package that encodes films is not installed.
        DrawingError: Nothing on this computer can draw.
    """
    if not run.is_dir():
        raise RunFolderError(f"no run folder {run}; `spikearm run` makes one.")
    require_log(run)
    require_encoder(path)
    said = ""
    for renderer in _renderers():
        environment = {**os.environ, "MUJOCO_GL": renderer} if renderer else dict(os.environ)
        complaint = _draw(run, path, environment)
        if complaint is None:
            return
        said += f" {renderer or 'display'}: {complaint}."
    raise DrawingError(
        f"nothing here can draw:{said} On Debian and Ubuntu: apt-get install libegl1 libosmesa6."
    )


def _draw(run: Path, path: Path, environment: Mapping[str, str]) -> str | None:
    """Draw in a process of its own, which says how far it is; returns why it failed, None if it did not."""
    command = [sys.executable, "-m", "spikearm.launch.video_frames", str(run), str(path)]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603 - ours
            command, env=environment, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as drawing,
    ):
        assert drawing.stdout is not None  # noqa: S101 - it is a pipe
        first = drawing.stdout.readline()
        if first:
            with StepProgress("drawing", int(first)) as progress:
                for line in drawing.stdout:
                    progress.done(int(line))
        if drawing.wait() == 0:
            return None
        complaints.seek(0)
        return (complaints.read().strip().splitlines() or ["it crashed"])[-1]


def _renderers() -> tuple[str, ...]:
    """What to try: what was asked for, or a display, or the two ways to do without."""
    chosen = os.environ.get("MUJOCO_GL")
    if chosen:
        return (chosen,)
    return ("", "egl", "osmesa") if os.environ.get("DISPLAY") else ("egl", "osmesa")


def require_encoder(path: Path, option: str = "--out") -> None:
    """Know before a run that its film can be written.

    Args:
        path: The film.
        option: The option that names it.

    Raises:
        ConfigError: The name is that of no film, or the package that encodes films is not installed.
        RunFolderError: There is no folder for it, or none that can be written.
    """
    if path.suffix.lower() not in _FORMATS:
        raise ConfigError(f"{path} is no name for a film; end it in .mp4, .mkv or .mov.")
    require_folder(path, option)
    try:
        import imageio_ffmpeg  # noqa: F401 - is it there?
    except ImportError as error:
        raise ConfigError("films need the package imageio-ffmpeg: pip install 'spikearm[view]'.") from error


if __name__ == "__main__":
    sys.exit(main())
