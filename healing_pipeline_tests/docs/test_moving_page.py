"""`move_from_gatus_or_uptime_kuma.md`: its example is what an import makes, its tables are true."""

from __future__ import annotations

import re

import pytest
from page_blocks import blocks_of, text_of

from healing_pipeline.importing.checks import Expectation
from healing_pipeline.importing.gatus_conditions import read_conditions
from healing_pipeline.importing.placing import place
from healing_pipeline.importing.reading import read
from healing_pipeline.importing.writing import text_of as written

PAGE = "docs/how_to/move_from_gatus_or_uptime_kuma.md"


def section(title: str) -> str:
    return text_of(PAGE).split(f"\n## {title}\n")[1].split("\n## ")[0]


def conditions_in(title: str) -> list[str]:
    """The conditions that the first column of a section's table shows."""
    rows = [each.split("|")[1] for each in section(title).splitlines() if each.startswith("|")]
    shown = [code for row in rows for code in re.findall(r"`([^`]+)`", row)]
    return [each for each in shown if "[" in each]


def test_the_example_becomes_what_the_page_shows():
    gatus, ours = (each.text for each in blocks_of(PAGE) if each.language == "yaml")
    made = written(place(read(gatus)))
    assert ours.strip() in made


@pytest.mark.parametrize("condition", conditions_in("What is carried over"))
def test_a_condition_that_is_said_to_be_carried_over_is(condition):
    read_ = read_conditions([condition, "[STATUS] == 200"])
    assert not any(condition in each for each in read_.notes)
    alone = read_conditions(["[STATUS] == 200"]).expect
    implied = condition in {"[CONNECTED] == true", "[STATUS] == 200"}
    assert read_.why_not is None
    assert implied or condition.startswith("[STATUS]") or read_.expect != alone


@pytest.mark.parametrize("condition", conditions_in("What is not"))
def test_a_condition_that_is_said_not_to_be_carried_over_is_noted(condition):
    read_ = read_conditions([condition, "[STATUS] == 200"])
    assert read_.expect == Expectation(frozenset({200}))
    assert any(f"`{condition}` is not carried over" in each for each in read_.notes)
