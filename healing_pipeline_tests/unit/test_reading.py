"""A reading is the same whether it was made of points or of columns."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.probing.reading import Point, Reading

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
values = st.floats(allow_nan=False, allow_infinity=False)
ancient = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(  # noqa: DTZ001 (next line)
    lambda at: at.replace(microsecond=0, fold=0, tzinfo=UTC)
)
believed = st.datetimes(datetime(1750, 1, 1), datetime(2230, 1, 1)).map(  # noqa: DTZ001 (next line)
    lambda at: at.replace(fold=0, tzinfo=UTC)
)
moments = ancient | believed


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Reading, Reading]:
    """The same reading, of points and of columns."""
    numbers = draw(
        st.dictionaries(
            st.tuples(moments, st.sampled_from(["close", "open", "price", "EUR"])),
            values,
            min_size=1,
            max_size=12,
        )
    )
    points = tuple(sorted(Point(at, field, value) for (at, field), value in numbers.items()))
    rows = sorted({at for at, _ in numbers})
    fields = draw(st.permutations(sorted({field for _, field in numbers})))
    columns = {field: [numbers.get((at, field)) for at in rows] for field in fields}
    at_s = [(at - EPOCH).total_seconds() for at in rows]
    as_of = points[-1].at
    return (
        Reading("X", "1d", points, as_of),
        Reading.of_columns("X", "1d", at_s, columns, as_of),
    )


@given(pair=pairs())
def test_points_and_columns_are_two_forms_of_one_reading(pair):
    by_points, by_columns = pair
    assert by_points == by_columns
    assert hash(by_points) == hash(by_columns)
    assert repr(by_points) == repr(by_columns)


@given(pair=pairs())
def test_what_is_asked_without_points_is_what_the_points_say(pair):
    for reading in pair:
        points = pair[0].points
        newest = {point.field: point.value for point in points}
        assert reading.fields == tuple(sorted(newest))
        assert reading.newest_at == points[-1].at
        assert reading.rows == len({point.at for point in points}) == len(reading.at_s)
        assert list(reading.at_s) == sorted(reading.at_s)
        for field, value in newest.items():
            assert reading.newest(field) == value
            wanted = [point.value for point in points if point.field == field]
            assert [each for each in reading.column(field) if each is not None] == wanted
            assert len(reading.column(field)) == reading.rows
        assert reading.newest("nothing") is None
        assert reading.newest_values() == newest
        assert reading.column("nothing") == (None,) * reading.rows


@given(pair=pairs())
def test_a_reading_of_columns_is_copied_stored_and_changed_like_one_of_points(pair):
    by_points, by_columns = pair
    assert pickle.loads(pickle.dumps(by_columns)) == by_points
    assert copy.deepcopy(by_columns) == by_points
    assert replace(by_columns, interval="5m") == replace(by_points, interval="5m")
    fewer = replace(by_columns, points=by_points.points[:1])
    assert (fewer.rows, fewer.newest_at) == (1, by_points.points[0].at)


def test_points_are_made_once_and_only_when_asked_for():
    at_s = [86_400 * n for n in range(3)]
    reading = Reading.of_columns("X", "1d", at_s, {"close": [1.0, 2.0, 3.0]}, EPOCH)
    assert reading.newest("close") == 3.0
    assert reading.newest_at == EPOCH + timedelta(days=2)
    with pytest.raises(AttributeError):
        object.__getattribute__(reading, "points")
    assert reading.points is reading.points
    assert len(reading.points) == 3


def test_a_reading_cannot_be_changed_in_place():
    reading = Reading.of_columns("X", "1d", [0], {"close": [1.0]}, EPOCH)
    for name in ("instrument", "points", "_columns", "other"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(reading, name, None)
    with pytest.raises(AttributeError, match="has no 'nothing'"):
        reading.nothing  # noqa: B018
