"""How full each part of the substrate is, as a table at the end of a run."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from spikearm.launch.display import console

MAX_ROWS = 12
_LABEL_WIDTH = 31
"""So that the table of a chip fits into 80 columns."""


def show_utilisation(document: dict[str, Any], *, terminal: Console = console) -> None:
    """One row for each part, with the share of each of its resources; the first ``MAX_ROWS`` parts.

    Args:
        document: As :meth:`Utilisation.document` gives it.
        terminal: Where to show it.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(document["kind"].removesuffix("s"), justify="right", min_width=4)
    table.add_column("holds", no_wrap=True, overflow="ellipsis", max_width=_LABEL_WIDTH)
    for resource in document["fullest"]:
        table.add_column(resource, justify="right", width=max(6, *map(len, resource.split())))
    for part in document["parts"][:MAX_ROWS]:
        shares = (part[resource]["share"] for resource in document["fullest"])
        table.add_row(str(part["number"]), part["label"], *(f"{share:.1%}" for share in shares))
    terminal.print(table)
    n_more = len(document["parts"]) - MAX_ROWS
    if n_more > 0:
        terminal.print(f"...and {n_more} more, in utilisation.json", highlight=False)
