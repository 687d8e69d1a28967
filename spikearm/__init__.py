"""Closed-loop robot control on neuromorphic hardware."""

from pathlib import Path as _Path

from spikearm.version import __version__

# In a checkout the five folders lie beside this package, not inside it (pyproject.toml maps them when
# installing). Appending the root lets `import spikearm.controller` find them there as well.
_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "controller" / "__init__.py").is_file():
    __path__.append(str(_root))

__all__ = ["__version__"]
