"""The pure parts of the dashboard's pages: lines, cursors, and what is struck out."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from healing_pipeline.web.dashboard import paging
from healing_pipeline.web.dashboard.charts import BOTTOM, LEFT, RIGHT, Series, chart, nice_above
from healing_pipeline.web.dashboard.striking import Striking

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POINT = re.compile(r"([ML])(-?[\d.e+]+),(-?[\d.e+]+)")
values = st.none() | st.floats(0, 1e6)


@given(st.lists(st.tuples(values, values), min_size=1, max_size=40))
def test_every_point_of_a_line_is_inside_its_frame_and_what_is_unknown_is_a_gap(pairs):
    moments = [NOON + timedelta(minutes=15 * each) for each in range(len(pairs))]
    lines = [[pair[place] for pair in pairs] for place in (0, 1)]
    drawn = chart(
        moments, [Series(f"line {n}", "first", line) for n, line in enumerate(lines)], label=str
    )
    if drawn is None:
        assert all(value is None for line in lines for value in line)
        return
    for line, known in zip(drawn.lines, lines, strict=True):
        points = POINT.findall(line.path)
        assert len(points) == sum(value is not None for value in known)
        for _, x, y in points:
            assert LEFT <= float(x) <= drawn.width - RIGHT
            assert 0 <= float(y) <= drawn.height - BOTTOM
        begins = sum(
            value is not None and (place == 0 or known[place - 1] is None)
            for place, value in enumerate(known)
        )
        assert sum(letter == "M" for letter, *_ in points) == begins
        alone = sum(
            value is not None
            and (place == 0 or known[place - 1] is None)
            and (place + 1 == len(known) or known[place + 1] is None)
            for place, value in enumerate(known)
        )
        assert len(line.dots) == alone
    assert len(drawn.x_ticks) <= 5


@given(st.floats(1e-9, 1e9))
def test_a_scale_ends_a_little_above_what_it_shows(value):
    assert value <= nice_above(value) * (1 + 1e-12)
    assert nice_above(value) <= value * 2.51


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_it_was_written(at, identity):
    assert paging.key(paging.written(at, identity)) == (at, identity)


@given(st.text() | st.none())
def test_any_text_is_a_cursor_or_none(text):
    found = paging.key(text)
    assert found is None or found[0].tzinfo is UTC
    number = paging.number(text)
    assert number is None or 0 < number < 2**63


@pytest.mark.parametrize("rows", [[], [1], [1, 2], [1, 2, 3]])
def test_a_page_goes_on_exactly_when_there_is_more(rows):
    page, last = paging.shown(rows, 2)
    assert list(page) == rows[:2]
    assert last == (2 if len(rows) > 2 else None)


secrets = st.text(string.ascii_letters + string.digits + "-_/+=%$ &", min_size=4, max_size=40)


@given(secrets, st.lists(st.text(max_size=60), max_size=4), st.data())
def test_a_key_of_the_catalogue_is_in_no_text_whatever_stands_around_it(secret, around, data):
    assume(secret not in "[redacted]" and "redacted" not in secret)
    struck = Striking(
        tuple(sorted({secret, quote(secret, safe="")}, key=len, reverse=True)), frozenset({secret})
    )
    written = data.draw(st.sampled_from([secret, quote(secret, safe="")]))
    said = written.join(["", *around, ""])
    assume(secret not in "".join(around))
    text = struck.text(said)
    assert secret not in text
    document = struck.everything(
        {said: [said, {"x": said}], "token": "abc", "n": 1.5, "none": None}
    )
    assert secret not in str(document)
    assert document["token"] == "[redacted]"
    assert (document["n"], document["none"]) == (1.5, None)


def test_names_of_our_own_that_look_like_keys_are_left_and_others_are_not():
    struck = Striking((), frozenset({"insider-trades-q3-2026"}))
    said = "insider-trades-q3-2026 and insider-trades-q4-2026"
    assert struck.text(said) == "insider-trades-q3-2026 and [redacted]"


@pytest.mark.parametrize("name", ["apikey", "api_key", "APIKEY", "access_token", "crumb", "token"])
def test_a_parameter_with_the_name_of_a_key_shows_no_value(name):
    assert Striking((), frozenset()).param(name, "x") == "[redacted]"
    assert Striking((), frozenset()).param("range", "1y") == "1y"
