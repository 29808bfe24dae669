"""Quotas and keys of the simulated upstreams."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.simulator.keys import default_keys, strip_key
from healing_pipeline.simulator.quotas import OFF, REAL, Quotas, QuotaScale, parse_quota_scale

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def spend(quotas, source, times, key="primary"):
    return [quotas.refuses(source, key, NOON + timedelta(seconds=at_s)) for at_s in times]


@given(st.lists(st.floats(0, 600), max_size=60).map(sorted))
def test_no_sliding_minute_lets_more_through_than_the_limit(times):
    said = spend(Quotas(REAL), "polygon", times)
    passed = [at_s for at_s, refusal in zip(times, said, strict=True) if refusal is None]
    for at_s in passed:
        # Moments are kept in whole microseconds, hence the margin.
        assert sum(1 for each in passed if at_s <= each < at_s + 60 - 1e-5) <= 5


def test_a_minute_s_limit_is_over_when_the_minute_is():
    said = spend(Quotas(REAL), "polygon", [0, 1, 2, 3, 4, 5, 59, 60.5])
    assert said == [None] * 5 + ["rate_limit"] * 2 + [None]


def test_alpha_vantage_counts_seconds_and_days():
    quotas = Quotas(REAL)
    said = spend(quotas, "alpha_vantage", [0, 0.5, *range(2, 26), 100])
    assert said[:2] == [None, "burst"]
    assert said[2:] == [None] * 24 + ["quota_exhausted"]
    assert quotas.refuses("alpha_vantage", "spare", NOON) is None
    assert quotas.refuses("alpha_vantage", "primary", NOON + timedelta(days=1)) is None


def test_a_month_s_quota_comes_back_with_the_next_month():
    quotas = Quotas(QuotaScale(2 / 1500))
    assert spend(quotas, "exchange_rate", [0, 1, 2]) == [None, None, "quota_exhausted"]
    assert quotas.refuses("exchange_rate", "primary", NOON + timedelta(days=1)) is None


def test_quotas_can_be_off_and_do_not_bind_sources_without_them():
    assert set(spend(Quotas(OFF), "polygon", range(50))) == {None}
    assert set(spend(Quotas(REAL), "yahoo", [0] * 50, key=None)) == {None}


@pytest.mark.parametrize(
    ("word", "scale"),
    [("real", REAL), ("off", OFF), ("2", QuotaScale(2.0)), ("0", None), ("x", None), ("nan", None)],
)
def test_a_scale_is_real_off_or_a_factor(word, scale):
    assert parse_quota_scale(word) == scale


def test_default_keys_have_their_providers_forms_and_differ():
    keys = default_keys()
    assert len(set(keys.values())) == len(keys) == 8
    assert all(len(keys["fred", name]) == 32 for name in ("primary", "spare"))
    assert set(keys["fred", "primary"]) <= set("0123456789abcdef")
    assert len(keys["alpha_vantage", "primary"]) == 16
    assert keys["alpha_vantage", "primary"].isupper()


@pytest.mark.parametrize(
    ("source", "path", "params", "headers"),
    [
        ("fred", "/fred/series", {"api_key": "k"}, {}),
        ("polygon", "/v2/x", {"apiKey": "k"}, {}),
        ("polygon", "/v2/x", {}, {"authorization": "Bearer k"}),
        ("alpha_vantage", "/query", {"apikey": "k"}, {}),
        ("exchange_rate", "/v6/k/latest/USD", {}, {}),
    ],
)
def test_a_key_is_found_where_its_provider_wants_it_and_nowhere_after(
    source, path, params, headers
):
    stripped = strip_key(source, path, {"a": "1", **params}, headers)
    assert stripped.secret == "k"
    assert stripped.params == {"a": "1"}
    assert "k" not in stripped.path.split("/")


def test_a_path_without_a_key_stays_as_it_is():
    stripped = strip_key("exchange_rate", "/v6/latest/USD", {}, {})
    assert (stripped.secret, stripped.path) == (None, "/v6/latest/USD")
    assert strip_key("fred", "/fred/series", {}, {}).secret is None
