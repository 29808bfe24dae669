"""Two parsers read configurations, the quick one only what both understand alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.catalog import document
from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.problems import Findings

LINES = default_config_text().splitlines(keepends=True)
EDITS = st.tuples(
    st.integers(0, 400),
    st.integers(0, 2),
    st.sampled_from([*"\n -:{}[],#&*!|>'\"%@`?~a1\\\r\t\xe9"]),
)


def read(text: str) -> tuple[object, object]:
    findings = Findings()
    node = document.parse(text, findings)
    return node, vars(findings)


def slowly(text: str) -> tuple[object, object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "_quick_events", lambda _text: None)
        return read(text)


def test_the_default_configuration_is_read_by_the_quick_parser_and_says_the_same():
    text = default_config_text()
    assert document._quick_events(text) is not None
    assert read(text) == slowly(text)


@settings(max_examples=400)
@given(
    first=st.integers(0, len(LINES) - 1),
    length=st.integers(1, 6),
    edits=st.lists(EDITS, max_size=3),
)
def test_a_configuration_with_slips_of_the_pen_is_read_alike_by_both(first, length, edits):
    text = "".join(LINES[first : first + length])
    for at, cut, put in edits:
        at = min(at, len(text))
        text = text[:at] + put + text[at + cut :]
    assert read(text) == slowly(text)


@pytest.mark.parametrize(
    "text", ["a?b: 1", "{a?b: 1}", "a:\t1", "a: |#", "a\rb: 1", "a: \xe9", "!~! a"]
)
def test_what_the_two_understand_differently_is_left_to_the_thorough_one(text):
    assert document._quick_events(text) is None
