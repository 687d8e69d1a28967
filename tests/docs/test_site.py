"""The site builds without a warning, is complete, loads nothing from elsewhere, and has no dead link."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import gymnasium

import spikearm.launch.rl  # noqa: F401 - registers all environments
from spikearm.launch.main import COMMANDS

ROOT = Path(__file__).parents[2]
NOT_FOUND = "404.html"  # its links are meant for the root of a server


def test_site_builds_without_a_warning(site):
    assert "WARNING" not in site.said
    assert {"index.html", "tutorial.html", "commands.html", "api/backends.html"} <= set(site.pages)


def test_site_loads_nothing_from_elsewhere(site):
    for name, page in site.pages.items():
        assert not {url for url in page.loaded if urlsplit(url).netloc}, name


def test_links_within_the_site_lead_somewhere(site):
    dead = []
    for name, page in site.pages.items():
        for link in page.links if name != NOT_FOUND else ():
            url = urlsplit(link)
            if url.scheme:
                continue
            target = (
                posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(url.path)))
                if url.path
                else name
            )
            there = site.pages.get(target)
            exists = there is not None or (site.folder / target).is_file()
            if not exists or (
                url.fragment and there is not None and unquote(url.fragment) not in there.anchors
            ):
                dead.append(f"{name}: {link}")
    assert dead == []


def test_links_to_elsewhere_are_whole_addresses():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    links = {link for page in pages for link in re.findall(r"https?://[^\s)>`\"]+", page.read_text())}
    assert links
    for link in links:
        url = urlsplit(link)
        assert url.scheme == "https", link
        assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", url.netloc), link


def test_every_command_and_its_options_are_described(site):
    page = site.pages["commands.html"]
    for name in COMMANDS:
        assert f"spikearm-{name.replace(' ', '-')}" in page.anchors
    assert "--payload-kg" in page.text
    assert "--half-select-disturb" in page.text


def test_every_environment_has_a_data_sheet(site):
    page = site.pages["datasheets.html"]
    ids = [name for name in gymnasium.registry if name.startswith("spikearm/")]
    assert len(ids) >= 10
    for name in ids:
        assert name in page.text, name


def test_cross_references_of_docstrings_are_links_or_code(site):
    for name, page in site.pages.items():
        assert not re.search(r":(class|func|meth|mod|data):", page.text), name
    assert 'href="backends.html#spikearm.records.OpCounts"' in site.pages["api/backends.html"].text.replace(
        'href="#spikearm.records.OpCounts"', 'href="backends.html#spikearm.records.OpCounts"'
    )


def test_files_of_the_repository_that_pages_link_to_can_be_read(site):
    for lesson in (ROOT / "examples").glob("0*.py"):
        page = site.pages[f"source/examples/{lesson.name}.html"]
        assert f"python examples/{lesson.name}" in re.sub(r"<[^>]+>", "", page.text)


def test_no_path_of_the_machine_is_in_the_site(site):
    for name, page in site.pages.items():
        assert str(ROOT) not in page.text, name
        assert "spikearm-docs-" not in page.text, name
