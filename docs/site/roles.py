"""Lets the reference understand cross-references in docstrings, such as ``:class:`~.records.OpCounts```."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`([^`]+)`")


class Roles(griffe.Extension):
    """Turns Sphinx' roles into links of MkDocs, or into plain code where the reference has no such entry."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of every object as it is read."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(_link, obj.docstring.value)


def _link(match: re.Match[str]) -> str:
    target = match[1]
    shown = target.rpartition(".")[2] if target.startswith(("~", ".")) else target
    path = target.lstrip("~")
    if not path.startswith("spikearm."):
        return f"`{shown}`"
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
