"""Shards: every endpoint is in one, whoever asks, and what `HEALING_SHARDS` says of them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.shards import PLACES, Shard, place_of, shards_of, whole
from healing_pipeline.catalog.values import Catalog, Endpoint, Host, Source, Upstreams
from healing_pipeline.errors import ConfigurationError

sizes = st.dictionaries(st.sampled_from(["yahoo", "fred", "fx"]), st.integers(0, 40), min_size=1)


def catalog_of(**sizes: int) -> Catalog:
    names = [f"{source}/{number:04}" for source, size in sizes.items() for number in range(size)]
    return Catalog(
        MappingProxyType(
            {each: Source(each, each, (Host("a", "https://a.test"),)) for each in sizes}
        ),
        MappingProxyType({each: Endpoint(each, each.partition("/")[0], "/v1") for each in names}),
        Upstreams.REAL,
    )


def names_of(shards) -> list[str]:
    return [each.name for each in shards]


@given(sizes, st.integers(1, 50), st.integers(1, 4))
def test_each_endpoint_is_looked_at_under_one_name_by_one_of_all_parts(sizes, per_sensor, parts):
    catalog = catalog_of(**sizes)
    carried = [""] if parts == 1 else [f"{number + 1}/{parts}" for number in range(parts)]
    locations = [shards_of(catalog, per_sensor, each) for each in carried]
    for endpoint in catalog.endpoints.values():
        names = [each.name_of(endpoint.id, endpoint.source) for each in locations]
        (name,) = (each for each in names if each is not None)
        shard = locations[names.index(name)].named(name)
        assert shard.covers(endpoint.id)
        assert shard.of == 1 or shard.first <= place_of(endpoint.id) <= shard.last
    every = [each.name for location in locations for each in location]
    assert len(every) == len(set(every))
    for source, size in sizes.items():
        assert sum(each.source == source for one in locations for each in one) >= size / per_sensor


@given(st.integers(1, 700))
def test_ranges_follow_each_other_without_gap_or_overlap(of):
    shards = [Shard("yahoo", number + 1, of) for number in range(of)]
    assert (shards[0].first, shards[-1].last) == (0, PLACES - 1)
    assert all(one.last + 1 == other.first for one, other in pairwise(shards))


@given(st.text(max_size=30), st.integers(1, 60))
def test_where_the_number_is_doubled_each_shard_is_halved(name, of):
    (before,) = (n for n in range(1, of + 1) if Shard("s", n, of).covers(name))
    (after,) = (n for n in range(1, 2 * of + 1) if Shard("s", n, 2 * of).covers(name))
    assert (after + 1) // 2 == before


def test_endpoints_are_spread_evenly_and_a_place_is_the_same_for_ever():
    spread = Counter(
        next(n for n in range(1, 5) if Shard("yahoo", n, 4).covers(f"yahoo/{each}"))
        for each in range(4_000)
    )
    assert max(spread.values()) < 1.1 * min(spread.values())
    # In every database there is: another hash would move each endpoint to another sensor.
    assert place_of("yahoo/chart-aapl-1d") == 1_363_292_677


def test_a_source_with_one_shard_keeps_its_name_and_a_large_one_is_split():
    catalog = catalog_of(yahoo=1_100, fred=500)
    assert names_of(whole(catalog)) == ["yahoo", "fred"]
    assert names_of(shards_of(catalog, 500)) == [
        *("yahoo_1_of_3", "yahoo_2_of_3", "yahoo_3_of_3"),
        "fred",
    ]


@pytest.mark.parametrize(
    ("carried", "names", "has_rest"),
    [
        ("rest", [], True),
        ("1/2,rest", ["yahoo_1_of_4", "yahoo_2_of_4", "fred_1_of_2"], True),
        (" 2/2 ", ["yahoo_3_of_4", "yahoo_4_of_4", "fred_2_of_2"], False),
        ("fred", ["fred"], False),
        ("yahoo:2/2, fred", ["yahoo_3_of_4", "yahoo_4_of_4", "fred"], False),
        ("yahoo:1/3,yahoo:3/3", ["yahoo_1_of_3", "yahoo_3_of_3"], False),
        ("", ["yahoo_1_of_3", "yahoo_2_of_3", "yahoo_3_of_3", "fred"], True),
    ],
)
def test_a_process_carries_what_the_variable_says(carried, names, has_rest):
    shards = shards_of(catalog_of(yahoo=1_100, fred=500), 500 if "1/3" not in carried else 1_000,
                       carried)  # fmt: skip
    assert (names_of(shards), shards.has_rest) == (names, has_rest)


@pytest.mark.parametrize(
    ("carried", "said"),
    [
        ("0/2", "no such part"),
        ("3/2", "no such part"),
        ("1/9999", "no such part"),
        ("yaho:1/2", "no source `yaho`"),
        ("1/2,", "is no part"),
        ("1:2", "no source|is no part"),
        ("half", "no source `half`"),
        ("yahoo:1/2,1/3", "overlap"),
        ("fred,fred", "overlap"),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_with_the_cure(carried, said):
    with pytest.raises(ConfigurationError, match=said) as refused:
        shards_of(catalog_of(yahoo=10, fred=5), 500, carried)
    assert "export HEALING_SHARDS=" in refused.value.cure


@given(st.text(max_size=20))
def test_whatever_the_variable_holds_it_is_understood_or_refused(carried):
    try:
        shards = shards_of(catalog_of(yahoo=10), 5, carried)
    except ConfigurationError:
        return
    assert {each.source for each in shards} <= {"yahoo"}
