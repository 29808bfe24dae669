"""The eight structures: each comes back from every form as it went, whatever it holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import structured_rows as rows_of
import toon_format
import toons
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.reporting.cells import brief_moment
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.structures import STRUCTURES, joined
from healing_pipeline.reporting.table_reading import read_csv, read_json
from healing_pipeline.reporting.tables import Table, as_csv, as_json, table_of
from healing_pipeline.reporting.toon import as_toon, header_of
from healing_pipeline.reporting.toon_reading import detect, read_toon

NAMES = tuple(STRUCTURES)
BY_NAME = pytest.mark.parametrize("name", NAMES)
# `toons` speaks TOON 4.1 and says floats outside of these in another way: it rounds whole ones from
# 2**53 on, and writes what is below a millionth, or 1e21, in plain digits where 4.4 has exponents.
LEAST_OF_TOONS, MOST_OF_TOONS = 1e-6, 2**53
# benchmarks/toon_round_trips.py runs 10,000 of each.
FEW = settings(max_examples=settings.default.max_examples // 4)


def exactly(table: Table) -> list[Any]:
    """All that is in it, with types: 1 and 1.0 and True differ, 0.0 and -0.0 do."""
    said = [repr(sorted(table.about.items())), [each.name for each in table.columns], table.name]
    return [*said, *([(key, repr(cell)) for key, cell in row.items()] for row in table.rows)]


def came_back_from_toon(table: Table) -> int:
    """Require it to; how many cells `toons` wrote as well."""
    text = as_toon(table)
    (back,) = read_toon(text)
    assert exactly(back) == exactly(table)
    assert detect(text) == (table.name,)
    assert header_of(table.name, table.columns, len(table.rows)) in text.split("\n")
    document = toon_format.loads(text, strict=True)
    rows = document[table.name]
    if not rows:  # of which both libraries say [], and leave the columns out
        return 0
    assert toon_format.dumps(document) == text
    # The values as they are, whole floats as floats: the same bytes, wherever `toons` can say them.
    own = [[(key, plain(cell)) for key, cell in row.items()] for row in table.rows]
    alike = [{key: 1 if differs(cell) else cell for key, cell in row} for row in own]
    document = {**document, table.name: alike}
    assert toons.dumps(document) == toon_format.dumps(document)
    return sum(not differs(cell) for row in own for _, cell in row)


def plain(cell: Any) -> Any:
    return brief_moment(cell) if isinstance(cell, datetime) else cell


def differs(cell: Any) -> bool:
    """Whether `toons` says a number in another way than TOON 4.4 does."""
    is_far = isinstance(cell, float) and not LEAST_OF_TOONS <= abs(cell) < MOST_OF_TOONS
    return is_far and cell != 0


@BY_NAME
@FEW
@given(data=st.data())
def test_a_structure_comes_back_from_each_form_as_it_went(name, data):
    table = data.draw(rows_of.tables(STRUCTURES[name], 2))
    came_back_from_toon(table)
    (back,) = read_json(as_json(table))
    assert exactly(back) == exactly(table)
    # CSV has no place for what is said of all rows, and no NUL.
    held = [
        {
            key: cell.replace("\0", "") if isinstance(cell, str) else cell
            for key, cell in each.items()
        }
        for each in table.rows
    ]
    assert exactly(read_csv(as_csv(table))) == exactly(Table(name, table.columns, held))


@settings(max_examples=settings.default.max_examples // 15)
@given(data=st.data())
def test_all_eight_come_back_from_one_document(data):
    tables = [
        table_of(
            name, STRUCTURES[name].columns, data.draw(rows_of.tables(STRUCTURES[name], 1)).rows
        )
        for name in data.draw(st.permutations(NAMES))
    ]
    text = as_toon(*tables)
    assert [exactly(each) for each in read_toon(text)] == [exactly(each) for each in tables]
    assert detect(text) == tuple(each.name for each in tables)
    back = read_json(as_json(*tables))
    assert [exactly(each) for each in back] == [exactly(each) for each in tables]


@BY_NAME
def test_no_two_structures_have_the_same_columns(name):
    columns = {each.name for each in STRUCTURES[name].columns}
    others = [each for each in STRUCTURES.values() if each.name != name]
    assert all(columns != {each.name for each in other.columns} for other in others)
    assert len(columns) == len(STRUCTURES[name].columns)


def test_parts_of_a_joined_cell_stay_apart():
    assert joined(["a", "b|c"]) == "a|b/c"
    assert joined([]) == ""


@pytest.mark.parametrize(("name", "kind"), [("a b", "int"), ("1a", "int"), ("a", "list")])
def test_a_column_that_no_format_takes_cannot_be_declared(name, kind):
    with pytest.raises(ValueError, match="column"):
        Column(name, kind, "")
