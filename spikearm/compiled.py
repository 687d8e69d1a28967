"""One way to compile kernels and to keep them on disk, which notices every edit of what they are made from.

Numba keeps compiled code with a digest of the file a function stands in, and not of those that its callees
and its constants come from: after an edit of one of them it would go on with what it compiled before. Here
the digest is of the file and of every file of the same package that it imports, directly or not.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache

logger = logging.getLogger(__name__)

_IMPORT = re.compile(
    r"^from\s+([\w.]+)\s+import\s+(?:\(([^)]*)\)|([^\n(]*))|^import\s+([\w.]+)", re.MULTILINE
)
"""Imports at the start of a line: what a kernel can see was imported with its module."""


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function when it is first called, and keep the result on disk.

    To be used as ``@kernel`` or ``@kernel(error_model="numpy")``. The result lies where numba puts it: beside
    the source, in the user's cache folder where that is read-only, or in ``NUMBA_CACHE_DIR``; where no folder
    can be written, every process compiles for itself.

    A kernel's module must import the types of its arguments (named tuples) if their fields are defined
    elsewhere, or an edit of those goes unnoticed.

    Args:
        function: The function.
        options: As for ``numba.njit``.

    Returns:
        The compiled function, or a decorator if there is no function.
    """
    if function is None:
        return lambda function: kernel(function, **options)
    compiled = njit(function, **options)
    if compiled is function:  # NUMBA_DISABLE_JIT
        return function
    try:
        compiled._cache = _Cache(function)  # noqa: SLF001 as Dispatcher.enable_caching does
    except RuntimeError:
        logger.warning("%s: no folder can be written; compiled in this process only.", function.__name__)
    return compiled


class _Stamped:
    """A numba locator whose stamp is of all sources, not of the function's own file alone."""

    def __init__(self, locator: Any, digest: str) -> None:
        self._locator, self._digest = locator, digest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._locator, name)

    def get_source_stamp(self) -> tuple[Any, str]:
        return self._locator.get_source_stamp(), self._digest


class _CacheFiles(CompileResultCacheImpl):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._locator: Any = _Stamped(self._locator, sources_digest(function.__module__))


class _Cache(FunctionCache):
    _impl_class = _CacheFiles


@cache
def sources_digest(module: str) -> str:
    """Digest of a module's source and of those it imports from its own package, directly or not.

    Args:
        module: Full name of a module that is being imported or has been.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name], imported = _source(name)
            waiting += imported
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


@cache
def _source(module: str) -> tuple[str, tuple[str, ...]]:
    """Digest of one module's source, and what that imports from its own package."""
    path = _path(module)
    if path is None:
        return "", ()
    source = path.read_bytes()
    imported = tuple(_imported(source.decode("utf-8"), module.partition(".")[0]))
    return hashlib.sha256(source).hexdigest(), imported


def _imported(source: str, package: str) -> Iterator[str]:
    """Modules that a source imports from a package, or takes names from."""
    for module, several, some, plain in _IMPORT.findall(source):
        if (module or plain).partition(".")[0] != package:
            continue
        if plain:
            yield plain
        for part in re.findall(r"\w+", several or some):
            yield module if _path(f"{module}.{part}") is None else f"{module}.{part}"


@cache
def _path(module: str) -> Path | None:
    """The file of a module; found without importing, so that it does not depend on what has been."""
    package, _, rest = module.partition(".")
    parts = rest.split(".") if rest else []
    for folder in getattr(sys.modules.get(package), "__path__", ()):
        stem = Path(folder).joinpath(*parts)
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            if path.is_file():
                return path
    return None
