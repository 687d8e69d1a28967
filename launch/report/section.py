"""What the page is made of: sections of words, figures and tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One Plotly figure.

    Attributes:
        name: Identifies it on the page.
        about: What it shows, for those who cannot see it.
        height_px: Height on the page.
        data: Plotly's traces, plain values; colours may be names of the style sheet's, like ``"--run-0"``.
        layout: Plotly's layout, likewise.
    """

    name: str
    about: str
    height_px: int
    data: list[dict[str, Any]]
    layout: dict[str, Any]

    @property
    def anchor(self) -> str:
        """Its element on the page; sections have anchors of their own."""
        return f"figure-{self.name}"


@dataclass(frozen=True)
class Table:
    """A table; all but the first column is aligned to the right unless ``words`` says otherwise.

    Attributes:
        head: Headings.
        rows: Cells, as text.
        words: Whether the cells are words rather than numbers.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False

    def to_html(self) -> str:
        """The table as HTML."""
        kind = ' class="words"' if self.words else ""
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.head)
        rows = "".join(
            f'<tr><th scope="row">{html.escape(first)}</th>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        return (
            f'<div class="scroll" tabindex="0"><table{kind}><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: Anchor of the part.
        title: Heading.
        lead: What there is to see, in words; a paragraph each.
        figures: Figures, below each other.
        tables: Tables, below the figures.
        folded: Tables that are shown on demand, by their titles.
    """

    name: str
    title: str
    lead: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    folded: Sequence[tuple[str, Table]] = ()

    def to_html(self) -> str:
        """The section as HTML; figures are drawn into it later."""
        parts = [f'<section id="{self.name}"><h2>{html.escape(self.title)}</h2>']
        parts += [f"<p>{html.escape(paragraph)}</p>" for paragraph in self.lead]
        for figure in self.figures:
            parts.append(
                f'<figure id="{figure.anchor}" role="img" aria-label="{html.escape(figure.about)}" '
                f'style="height:{figure.height_px}px"></figure>'
            )
        parts += [table.to_html() for table in self.tables]
        for title, table in self.folded:
            parts.append(f"<details><summary>{html.escape(title)}</summary>{table.to_html()}</details>")
        return "".join([*parts, "</section>"])
