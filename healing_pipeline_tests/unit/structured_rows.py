"""Any table of a structure, made of its columns alone: any text, any number, any moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.structures import ABOUT_COLUMNS, Structure
from healing_pipeline.reporting.tables import Table, table_of

# What looks like something else in one format or another.
TRAPS = (
    *("", " ", " a", "a ", "\ta", "null", "true", "False", "NaN", "-", "- a", "#", "# a", "[]"),
    *("0", "-0", "12", "007", "+1", "1.0", "1e5", ".5", "0x1f", "1_000", "٣", "1e400"),
    *("20260302T120000Z", "2026-03-02T12:00:00Z", "2026-03-02", "12:30", "a: b", ":", "a:b,c"),
    *("a,b", "a|b", "a\tb", '"', 'say "x"', "\\", "\\n", "\\u0041", "a\nb", "a\r\nb", "\r", "\n"),
    *(
        "[2]:",
        "{a}",
        "error_events[1]{at}:",
        "```",
        "```toon",
        "=1+1",
        "+a",
        "@a",
        "'",
        "'=1",
        "''",
    ),
    *(
        "\ufeff",
        "\ufeffa",
        "a\ufeff",
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\xa0",
        "\u2028",
        "\u200b",
    ),
    *("é", "日本語", "👩‍👩‍👧", "\U0010ffff", "\u202eabc", "<b>", "&amp;", "a" * 300),
)
_NUMBERS = (0.0, -0.0, 1.0, 0.1 + 0.2, 1e-7, 5e-324, 2.0**53, 2.0**53 + 2, 1e16, 1e21, 1e22, -1e300)
_WHOLE = (0, 1, -1, 2**31, 2**53 - 1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**30, -(10**30))
_MOMENTS = (
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime(999, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    datetime(2026, 3, 2, 12, 0, 0, 100_000, tzinfo=timezone(timedelta(hours=5, minutes=45))),
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(TRAPS)
_OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXTS,
    "int": st.integers(-(10**30), 10**30)
    | st.sampled_from(_WHOLE)
    | st.integers(-1000, 1_000_000)
    | st.integers(0, 600),
    "float": st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(_NUMBERS)
    | st.floats(-1e9, 1e9)
    | st.integers(0, 10**7).map(lambda each: each / 1000)
    | st.integers(0, 10**4).map(lambda each: each / 10**4),
    "timestamp": st.datetimes(timezones=st.just(UTC)) | st.sampled_from(_MOMENTS),
    "bool": st.booleans(),
}


def cells(column: Column) -> st.SearchStrategy[Any]:
    """Whatever `column` can hold."""
    made = _OF_TYPE[column.type]
    return st.none() | made if column.nullable else made


def tables(structure: Structure, most: int = 3) -> st.SearchStrategy[Table]:
    """A table of up to `most` rows, with anything said above it."""
    rows = st.lists(
        st.fixed_dictionaries({each.name: cells(each) for each in structure.columns}),
        max_size=most,
    )
    about = st.fixed_dictionaries({}, optional={each.name: cells(each) for each in ABOUT_COLUMNS})
    return st.builds(table_of, st.just(structure.name), st.just(structure.columns), rows, about)
