"""What the site has beyond the pages in this folder; MkDocs calls these functions while it builds.

- In ``commands.md``: the help of every command, as the commands print it.
- Files of the repository that pages link to (``../examples/01_reach.py``) become pages of their own, so that
  the same links work in the repository and on the site.
- The modules that the reference is made from: the folders of the checkout, as the package has them.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import os
import posixpath
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
SUBPACKAGES = ("controller", "envs", "hardware", "launch", "models")
HELP_COLUMNS = 88
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".cff": "yaml"}

COMMANDS_PAGE, COMMANDS_MARK = "commands.md", "<!-- Filled in when the site is built"

_OUTSIDE = re.compile(r"\]\(((?:\.\./)+[^)#\s]+|[\w/]+\.py)(#[^)\s]*)?\)")


@event_priority(100)
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let mkdocstrings, which reads its settings right after this, find the modules of this checkout."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    handlers = config.plugins["mkdocstrings"].config.handlers
    handlers.setdefault("python", {})["paths"] = [str(_as_package())]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every file that is linked to."""
    pages = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    outside = {_from_root(page, target) for page, text in pages for target, _ in _OUTSIDE.findall(text)}
    for path in sorted(outside - {None}):
        files.append(File.generated(config, f"source/{path}.md", content=_source_page(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Send links to files of the repository to their pages, describe the commands, clear the first page."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation", "toc"]
    if page.file.src_uri == COMMANDS_PAGE:
        before, mark, _ = markdown.partition(COMMANDS_MARK)
        return f"{before}{_commands()}" if mark else markdown

    here = posixpath.dirname(page.file.src_uri) or "."

    def rewritten(match: re.Match[str]) -> str:
        path = _from_root(page.file.src_uri, match[1])
        if path is None:
            return match[0]
        return f"]({posixpath.relpath(f'source/{path}.md', here)}{match[2] or ''})"

    return _OUTSIDE.sub(rewritten, markdown)


def _from_root(page: str, target: str) -> str | None:
    """A link's target as seen from the repository's root; None if it is none of the files meant here."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    if path.startswith(("docs/", "../")) and not path.endswith(".py"):
        return None
    return path if (ROOT / path).is_file() else None


def _source_page(path: str) -> str:
    """A file of the repository as a page."""
    text = (ROOT / path).read_text(encoding="utf-8")
    language = LANGUAGES.get(Path(path).suffix, "text")
    about = f"title: {path}\nsearch: {{ exclude: true }}\nhide: [navigation, toc]"  # lines are long
    return f"---\n{about}\n---\n\n# {path}\n\n````{language}\n{text}````\n"


def _commands() -> str:
    """The long help of every command."""
    main = importlib.import_module("spikearm.launch.main")
    lines = []
    for name, (_, about) in main.COMMANDS.items():
        said = io.StringIO()
        with (
            mock.patch.dict(os.environ, COLUMNS=str(HELP_COLUMNS)),
            contextlib.redirect_stdout(said),
            contextlib.suppress(SystemExit),
        ):
            main.main([*name.split(), "--help-all"])
        lines += [f"## spikearm {name}", "", f"{about[0].upper()}{about[1:]}.", ""]
        lines += ["```text", said.getvalue().rstrip(), "```", ""]
    return "\n".join(lines)


def _as_package() -> Path:
    """A folder in which ``spikearm`` lies as it is installed, made of links."""
    folder = Path(tempfile.mkdtemp(prefix="spikearm-docs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    package = folder / "spikearm"
    package.mkdir()
    for file in (ROOT / "spikearm").glob("*.py"):
        (package / file.name).symlink_to(file)
    for name in SUBPACKAGES:
        (package / name).symlink_to(ROOT / name)
    return folder
