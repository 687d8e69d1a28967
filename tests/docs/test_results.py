"""The tables of published results are those of the results that are kept."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("results", DOCS / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "docs/benchmarks.md"])
def test_tables_of_a_page_are_those_of_the_kept_results(results, page):
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    assert "<!-- end of " in text
    assert results.with_tables(text) == text


def test_every_table_is_on_a_page(results):
    pages = "".join(page.read_text(encoding="utf-8") for page in results.PAGES)
    assert all(f"<!-- {mark} -->" in pages for mark in results.TABLES)


@pytest.mark.parametrize("flaw", [{"quick": True}, {"interrupted": True}, {"failures": {"a": "b"}}])
def test_results_that_are_not_whole_are_not_kept(results, tmp_path, flaw):
    whole = {
        "benchmark": "none",
        "quick": False,
        "interrupted": False,
        "failures": {},
        "blocks": [],
        "folder": "",
    }
    (tmp_path / "results.json").write_text(json.dumps(whole | flaw))
    with pytest.raises(SystemExit, match="some runs are missing, or it is a quick version"):
        results.keep(tmp_path / "results.json")
    assert not (results.KEPT / "none.json").exists()
