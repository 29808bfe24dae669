"""What is stored with an event stays small, however many endpoints there are."""

from __future__ import annotations

import json

from healing_pipeline.orchestration.assets import MOST_RECORDS, records_table, worst_of
from healing_pipeline.reporting.columns import MARKET_DATA_COLUMNS


def rows(count: int, ill: int):
    blank = dict.fromkeys(each.name for each in MARKET_DATA_COLUMNS)
    found = [{**blank, "endpoint": f"yahoo/{n}", "fidelity": "exact"} for n in range(count)]
    found[ill]["fidelity"] = "stale"
    return found


def is_exact(row) -> bool:
    return row["fidelity"] == "exact"


def test_of_ten_thousand_rows_an_event_has_those_that_are_not_well():
    shown = worst_of(rows(10_000, ill=9_876), is_exact)
    assert shown[0]["endpoint"] == "yahoo/9876"
    assert len(shown) == MOST_RECORDS
    table = records_table(shown, MARKET_DATA_COLUMNS)
    assert len(json.dumps([each.data for each in table.records])) < 200_000


def test_as_many_rows_as_an_event_bears_are_all_there_in_their_order():
    few = rows(MOST_RECORDS, ill=7)
    assert worst_of(few, is_exact) == few
