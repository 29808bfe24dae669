"""Reports that leave the house: whole in every form, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.tables import as_csv, as_json, table_of
from healing_pipeline.reporting.toon import as_toon
from healing_pipeline.reporting.toon_reading import rows_of

COLUMNS = (
    Column("name", "string", "a text"),
    Column("count", "int", "a number"),
    Column("share", "float", "a fraction"),
    Column("at", "timestamp", "a moment"),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "=1+1",
        "true",
        "null",
        "-",
        "12",
        "1.5",
        "20260302T120000Z",
        "a,b",
        'say "x"',
        "x\r\ny",
        "[2]:",
    ]
)
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)).map(  # noqa: DTZ001
    lambda at: at.replace(tzinfo=UTC)
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | texts,
            "count": st.none() | st.integers(-(10**30), 10**30),
            "share": st.none() | st.floats(allow_nan=True, allow_infinity=True),
            "at": st.none() | moments,
        }
    ),
    max_size=5,
)


@given(rows)
def test_rows_come_back_from_toon_as_they_went(rows):
    table = table_of("things", COLUMNS, rows, {"made_at": datetime(2026, 3, 2, tzinfo=UTC)})
    back = rows_of(as_toon(table), "things", COLUMNS)
    assert back == list(table.rows)
    assert [{name: type(cell) for name, cell in row.items()} for row in back] == [
        {name: type(cell) for name, cell in row.items()} for row in table.rows
    ]


@given(rows)
def test_csv_is_read_back_by_any_reader_and_holds_no_formula(rows):
    table = table_of("things", COLUMNS, rows)
    text = as_csv(table)
    assert text.endswith("\r\n")
    names, *lines = csv.reader(io.StringIO(text, newline=""))
    assert names == [each.name for each in COLUMNS]
    assert len(lines) == len(rows)
    for line, row in zip(lines, table.rows, strict=True):
        assert not line[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        name = (row["name"] or "").replace("\0", "")
        assert line[0].removeprefix("'") == name.removeprefix("'")
        assert (int(line[1]) if line[1] else None) == row["count"]
        assert (float(line[2]) if line[2] else None) == row["share"]


@given(rows)
def test_json_holds_the_same_rows_and_says_what_its_columns_mean(rows):
    table = table_of("things", COLUMNS, rows)
    document = json.loads(as_json(table))
    assert [each["name"] for each in document["columns"]] == [each.name for each in COLUMNS]
    assert [each["name"] for each in document["things"]] == [each["name"] for each in table.rows]


def test_a_toon_table_says_its_names_once_whatever_its_rows_lack():
    made = [{"name": "a", "count": 1}, {"share": 0.5, "other": [1]}, {}]
    lines = as_toon(table_of("things", COLUMNS, made)).splitlines()
    assert lines[0] == "things[3]{name,count,share,at}:"
    assert lines[1:] == ["  a,1,null,null", "  null,null,0.5,null", "  null,null,null,null"]


def test_times_are_told_in_utc_without_a_colon_in_toon_and_with_it_elsewhere():
    noon = datetime(2026, 3, 2, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    table = table_of("things", COLUMNS, [{"at": noon}])
    assert "20260302T120000Z" in as_toon(table)
    assert as_csv(table).splitlines()[1] == ",,,2026-03-02T12:00:00Z"
    assert b'"2026-03-02T12:00:00Z"' in as_json(table)


def test_what_is_no_number_has_no_value_in_any_form():
    table = table_of("things", COLUMNS, [{"share": float("nan")}, {"share": float("inf")}])
    assert [each["share"] for each in table.rows] == [None, None]
    assert "nan" not in as_csv(table).lower()


def test_half_a_surrogate_pair_breaks_no_form():
    table = table_of("things", COLUMNS, [{"name": "a\ud800b"}])
    assert rows_of(as_toon(table), "things", COLUMNS)[0]["name"] == "a?b"
    assert as_csv(table).encode()
    assert as_json(table)


@pytest.mark.parametrize("text", ["", "Sorry, I cannot help", "things: 1", "things[1]{a}:\n  1"])
def test_what_is_no_such_table_is_refused(text):
    with pytest.raises(ValueError, match="things"):
        rows_of(text, "things", COLUMNS)
