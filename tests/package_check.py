"""Builds sdist -> wheel -> fresh environment -> ``spikearm run`` from another directory.

Not part of the test suite: it installs everything with pip, which takes minutes. Run it with
``python tests/package_check.py`` (needs ``build``), or as ``nox -s package``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("controller", "envs", "hardware", "launch", "models", "spikearm")

DATA = (
    "spikearm/py.typed",
    "spikearm/envs/assets/iiwa14.xml",
    "spikearm/envs/assets/planar2.xml",
    "spikearm/envs/assets/planar3.xml",
    "spikearm/launch/configs/payload-loihi.toml",
    "spikearm/launch/report/assets/page.html",
    "spikearm/models/weights/encoder-iiwa14.npz",
)
"""What a wheel must carry besides code; the rest is compared with the checkout."""

RESULTS = ("n_ticks", "rmse_m", "latency_measured_s", "energy_model_j_per_tick", "run_dir")

BACKENDS = {"spikearm-crossbar": "CrossbarSimulator", "spikearm-loihi": "Simulator"}
"""Entry points that Nengo's tools find, and the classes behind them."""


class CheckError(Exception):
    """Something that the package should do and does not."""


def main() -> int:
    """Run all checks; 0 if the package is good."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            sdist = build("--sdist", copy_checkout(folder / "checkout"), folder / "sdist")
            source = unpack(sdist, folder / "source")
            wheel = build("--wheel", source, folder / "wheel")
            check_wheel(wheel)
            python = install(wheel, folder / "venv")
            check_site_packages(python, folder)
            check_backends(python, folder)
            check_run(python, folder / "elsewhere")
        except CheckError as error:
            print(f"package check failed: {error}", file=sys.stderr)  # noqa: T201 - a script
            return 1
    print(f"package check passed: {wheel.name}")  # noqa: T201 - a script
    return 0


def copy_checkout(folder: Path) -> Path:
    """Everything that git knows of, and nothing that merely lies about."""
    for name in run(["git", "-C", str(ROOT), "ls-files"]).splitlines():
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy)
    return folder


def build(kind: str, source: Path, out: Path) -> Path:
    """An sdist or a wheel; returns the one file that came of it."""
    run([sys.executable, "-m", "build", kind, "--outdir", str(out), str(source)], cwd=out.parent)
    (built,) = out.iterdir()
    return built


def unpack(sdist: Path, folder: Path) -> Path:
    """The source archive's only folder."""
    shutil.unpack_archive(sdist, folder)
    (source,) = folder.iterdir()
    return source


def check_wheel(wheel: Path) -> None:
    """Everything is in it that the checkout has, and nothing beside ``spikearm``."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    require(tops == {"spikearm"}, f"the wheel has {sorted(tops)} on top, should have 'spikearm' only")
    for name in sorted({*DATA, *expected_files()}):
        require(name in names, f"the wheel lacks {name}")


def expected_files() -> set[str]:
    """Every file of the six folders that git knows of, under its installed name."""
    listed = run(["git", "-C", str(ROOT), "ls-files", *FOLDERS]).split()
    return {name if name.startswith("spikearm/") else f"spikearm/{name}" for name in listed}


def install(wheel: Path, folder: Path) -> Path:
    """The wheel with its ordinary dependencies in a new environment; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run([str(python), "-m", "pip", "install", "--quiet", str(wheel)])
    return python


def check_site_packages(python: Path, elsewhere: Path) -> None:
    """Of all that the wheel installed, only ``spikearm`` lies at the top level."""
    code = (
        "from importlib.metadata import files; import json;"
        "print(json.dumps(sorted({f.parts[0] for f in files('spikearm')})))"
    )
    tops = json.loads(run([str(python), "-c", code], cwd=elsewhere))
    strangers = [top for top in tops if top not in ("spikearm", "..") and not top.endswith(".dist-info")]
    require(not strangers, f"the wheel put {strangers} at the top level of site-packages")


def check_backends(python: Path, elsewhere: Path) -> None:
    """Nengo's tools find the simulators among the backends, and can load them."""
    code = (
        "from importlib.metadata import entry_points; import json;"
        "found = entry_points(group='nengo.backends');"
        "print(json.dumps({f.name: f.load().__name__ for f in found if f.name.startswith('spikearm')}))"
    )
    found = json.loads(run([str(python), "-W", "ignore", "-c", code], cwd=elsewhere))
    require(found == BACKENDS, f"the backends found are {found}, should be {BACKENDS}")


def check_run(python: Path, folder: Path) -> None:
    """The console script does the main job from a directory that has nothing to do with the project."""
    folder.mkdir()
    script = python.parent / "spikearm"
    arguments = ["run", "--trials", "1", "--duration-s", "0.2", "--json"]
    printed = run([str(script), *arguments], cwd=folder)
    try:
        document = json.loads(printed)
    except ValueError as error:
        raise CheckError(f"stdout of `spikearm run --json` is not one JSON document: {error}") from error
    for key in RESULTS:
        require(key in document, f"`spikearm run --json` has no {key!r}")
    require(document["n_ticks"] == 200, f"the run has {document['n_ticks']} ticks, should have 200")
    require((folder / document["run_dir"] / "summary.json").is_file(), "the run wrote no summary")


def run(command: list[str], cwd: Path | None = None) -> str:
    """Stdout of a command that must succeed, without this checkout on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CheckError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def require(condition: bool, complaint: str) -> None:
    """Fail with the complaint unless the condition holds."""
    if not condition:
        raise CheckError(complaint)


if __name__ == "__main__":
    sys.exit(main())
