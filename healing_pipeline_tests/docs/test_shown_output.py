"""What the documentation shows as output has the form in which our programs print it today."""

from __future__ import annotations

import re

import pytest
from page_blocks import ROOT, blocks_of, text_of

from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.reporting.toon_reading import read_toon
from healing_pipeline.stack.account import HEADER

PACKAGE = ROOT / "healing_pipeline"
STARTS = (PACKAGE, ROOT, PACKAGE / "simulator")


def shown(page: str, begins: str) -> str:
    """The block of output of a page that begins so."""
    (found,) = (
        each.text
        for each in blocks_of(page)
        if each.language == "text" and each.text.lstrip().startswith(begins)
    )
    return found


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def test_the_readme_shows_what_the_stack_tells():
    head, *lines = shown("README.md", "UTC").splitlines()
    assert cells(head) == cells(HEADER)
    assert lines
    assert {len(cells(each)) for each in lines} == {len(cells(head))}


def test_the_tables_that_are_shown_are_read_as_what_they_are():
    (table,) = read_toon(shown("docs/explanation/toon.md", "error_events"))
    assert table.name == "error_events"
    assert len(table.rows) == 2
    assert [each.name for each in table.columns] == [
        each.name for each in STRUCTURES["error_events"].columns
    ]


@pytest.mark.parametrize(
    ("page", "begins"), [("README.md", "healing_pipeline/"), ("CONTRIBUTING.md", "cli ")]
)
def test_every_part_on_a_map_of_the_house_is_there(page, begins):
    named = re.findall(r"(?<![\w/.])[a-z_]+(?:/|\.py\b)", shown(page, begins))
    if page == "CONTRIBUTING.md":
        named = [each for line in shown(page, begins).splitlines() for each in cells(line)[0:-1]]
    assert len(named) > 15
    gone = [each for each in named if not any(is_part(each, start) for start in STARTS)]
    assert not gone


def is_part(name, start) -> bool:
    return (start / name).exists() or (start / f"{name}.py").exists()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_folder_of_the_package_is_on_the_maps_of_the_house(page):
    folders = {each.parent.name for each in PACKAGE.glob("*/__init__.py")}
    assert len(folders) > 15
    assert not {each for each in folders if not re.search(rf"\b{each}\b", text_of(page))}
