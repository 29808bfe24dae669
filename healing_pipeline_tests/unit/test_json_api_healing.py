"""How a JSON API's failures are healed, by the engine itself."""

from __future__ import annotations

import dataclasses

import pytest

from healing_pipeline.control.heal_run import verified
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Response
from healing_pipeline_tests.unit.json_api_worlds import KEY, NOW, Shop, catalog_of

WIDGET = """\
  shop/widget:
    path: /widget
    read: {at: updated, fields: {price: price.amount}}
"""
OTHER = """\
    alternates: {endpoints: [other/widget]}
  other/widget:
    path: /v2/widget
    read: {at: when, fields: {price: p}, instrument: WIDGET}
"""


def price(amount: float, ago_s: float = 0.0) -> dict[str, object]:
    return {"updated": NOW.timestamp() - ago_s, "price": {"amount": amount}}


def test_another_host_of_the_source_heals_as_exact(tmp_path):
    shop = Shop(
        catalog_of(tmp_path, WIDGET),
        lambda request: None if request.host_name == "primary" else price(4.5),
    )
    end = shop.fetch("shop/widget")
    assert (end.fidelity, end.strategy, end.reading.newest("price")) == (
        "exact",
        "alternate_host",
        4.5,
    )


def test_wrong_data_everywhere_is_answered_from_the_store_with_its_age(tmp_path):
    shop = Shop(catalog_of(tmp_path, WIDGET), lambda _: price(4.5))
    assert shop.fetch("shop/widget").fidelity == "exact"
    shop.elapsed += 100
    shop.says = lambda _: {"updated": "2026-03-04", "price": {"amount": "free"}}
    end = shop.fetch("shop/widget")
    assert (end.fidelity, end.strategy) == ("stale", "use_cached_data")
    assert end.met.failure_class is FailureClass.INVALID_DATA
    assert "price.amount is text, expected a number" in end.met.evidence
    assert (shop.now() - end.fetched_at).total_seconds() > 100
    assert end.as_of == NOW


def test_a_key_that_an_answer_repeats_gets_into_no_evidence(tmp_path):
    shop = Shop(catalog_of(tmp_path, WIDGET), lambda _: {"error": f"what is {KEY}?", KEY: {KEY: 1}})
    end = shop.fetch("shop/widget")
    assert isinstance(end, HealingFailed)
    assert KEY not in repr(end)
    assert KEY not in repr(shop.facts)


@pytest.mark.parametrize(("market", "believed"), [("", True), (", market: true", False)])
def test_numbers_that_are_no_markets_may_jump_and_stand_still(tmp_path, market, believed):
    rules = WIDGET.replace("price.amount}", f"price.amount}}{market}")
    shop = Shop(catalog_of(tmp_path, rules), lambda _: price(4.5, -shop.elapsed))
    seen = set()
    # A queue of 100, then of 3, then of 3 for an hour, then of none.
    for amount in (100, 104, 97, 3, *[3] * 20, 0):
        shop.says = lambda _, amount=amount: price(amount, -shop.elapsed)
        shop.elapsed += 60
        end = shop.fetch("shop/widget")
        seen.add(end.fidelity if isinstance(end, Answer) else "failed")
    assert (seen == {"exact"}) is believed


def test_an_older_answer_than_the_last_one_is_never_called_exact(tmp_path):
    shop = Shop(catalog_of(tmp_path, WIDGET), lambda _: price(4.5))
    shop.fetch("shop/widget")
    shop.elapsed += 10
    shop.says = lambda _: price(4.4, ago_s=600)
    end = shop.fetch("shop/widget")
    assert (end.fidelity, end.reading.newest("price")) == ("stale", 4.5)
    assert end.met.failure_class is FailureClass.STALE_DATA


def test_a_cache_that_went_back_to_an_older_copy_is_not_called_exact(tmp_path):
    body = b'{"price": {"amount": 4.5}}'
    rules = WIDGET.replace("at: updated, ", "")
    shop = Shop(catalog_of(tmp_path, rules), lambda _: Response(200, {"age": "5"}, body, 0.01))
    assert shop.fetch("shop/widget").fidelity == "exact"
    shop.elapsed += 10
    shop.says = lambda _: Response(200, {"age": "900"}, body, 0.01)
    assert shop.fetch("shop/widget").fidelity == "stale"


@pytest.mark.parametrize("by_s", [150, 3600])
def test_a_clock_that_was_set_back_makes_no_undated_answer_old(tmp_path, by_s):
    catalog = catalog_of(tmp_path, WIDGET.replace("at: updated, ", ""))
    shop = Shop(catalog, lambda _: {"price": {"amount": 4.5}})
    assert shop.fetch("shop/widget").as_of == NOW
    shop.elapsed += 10
    shop.set_back_s = by_s
    for _ in range(2):
        shop.elapsed += 1
        end = shop.fetch("shop/widget")
        assert (end.fidelity, end.met) == ("exact", None)


# -- other endpoints -------------------------------------------------------------------------------


def down_but_for(source: str, body: object):
    return lambda request: body if request.source == source else None


def other_heals(tmp_path, rules: str, theirs: object, endpoints: str = WIDGET + OTHER):
    """What `shop/widget` is answered with once it is down; it was 4.5 before."""
    shop = Shop(catalog_of(tmp_path, endpoints.replace("read: {at: updated", rules)), None)
    shop.says = down_but_for("shop", price(4.5))
    assert shop.fetch("shop/widget", accepts=frozenset({"exact"})).strategy == "plain"
    shop.says = down_but_for("other", theirs)
    shop.elapsed += 30
    return shop.fetch("shop/widget", accepts=frozenset({"exact"}))


def test_another_source_answers_in_the_form_that_was_asked_for(tmp_path):
    theirs = {"when": "2026-03-04T12:00:20+00:00", "p": 4.6, "more": True}
    end = other_heals(tmp_path, "read: {at: updated, at_form: seconds", theirs)
    assert isinstance(end, Answer), end
    assert (end.fidelity, end.strategy, end.provider) == ("exact", "fallback_provider", "other")
    assert end.body == b'{"updated":1772625620,"price":{"amount":4.6}}'


def test_where_the_form_of_moments_is_not_known_no_body_is_made_up(tmp_path):
    theirs = {"when": "2026-03-04T12:00:20+00:00", "p": 4.6}
    end = other_heals(tmp_path, "read: {at: updated", theirs)
    assert isinstance(end, HealingFailed)
    (tried,) = [each for each in end.tried if each.strategy == "fallback_provider"]
    assert (
        "cannot be said in the form of json_api" in tried.evidence or "unreadable" in tried.evidence
    )


def test_another_source_of_the_same_form_answers_with_its_own_body(tmp_path):
    alike = OTHER.replace("at: when", "at: updated").replace("price: p}", "price: price.amount}")
    theirs = {**price(4.6, -20), "more": True}
    end = other_heals(tmp_path, "read: {at: updated", theirs, WIDGET + alike)
    assert (end.fidelity, end.provider) == ("exact", "other")
    assert b'"more": true' in end.body


@pytest.mark.parametrize(
    ("other", "theirs"),
    [
        (OTHER, {"when": NOW.timestamp() + 20, "p": 9.0}),  # another price than a moment ago
        (OTHER.replace("WIDGET", "GADGET"), {"when": NOW.timestamp() + 20, "p": 4.6}),
    ],
)
def test_numbers_of_something_else_are_never_the_answer(tmp_path, other, theirs):
    rules = "read: {at: updated, at_form: seconds"
    end = other_heals(tmp_path, rules, theirs, WIDGET + other)
    assert isinstance(end, HealingFailed)


def test_that_another_service_answers_is_no_answer_of_this_one(tmp_path):
    checks = """\
  shop/health: {path: /health, alternates: {endpoints: [other/health]}}
  other/health: {path: /health}
"""
    shop = Shop(catalog_of(tmp_path, checks), lambda _: {"status": "UP"})
    assert shop.fetch("shop/health").fidelity == "exact"
    shop.says = down_but_for("other", {"status": "UP"})
    assert isinstance(shop.fetch("shop/health"), HealingFailed)


def test_a_check_that_failed_is_not_answered_from_the_store_unless_the_file_says_so(tmp_path):
    checks = """\
  shop/now: {path: /health}
  shop/lately: {path: /health, accepts: [exact, stale]}
"""
    shop = Shop(catalog_of(tmp_path, checks), lambda _: {"status": "UP"})
    for name in ("shop/now", "shop/lately"):
        assert shop.fetch(name).fidelity == "exact"
    shop.says = lambda _: Response(503, {}, b"down", 0.01)
    assert isinstance(shop.fetch("shop/now"), HealingFailed)
    assert shop.fetch("shop/lately").fidelity == "stale"


# -- a heal run ------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", ["0", "45"])
def test_a_healed_answer_without_a_moment_passes_the_checks_of_a_heal_run(tmp_path, age):
    rules = WIDGET.replace("at: updated, ", "")
    catalog = catalog_of(tmp_path, rules)
    body = b'{"price": {"amount": 4.5}}'
    shop = Shop(catalog, lambda _: Response(200, {"age": age}, body, 0.01))
    end = shop.fetch("shop/widget")
    provider = shop.engine.provider_of("shop/widget")
    shop.elapsed += 1
    checks = verified(catalog, provider, end, None, shop.now())
    assert all(each.passed for each in checks), checks
    lie = dataclasses.replace(end, body=body.replace(b"4.5", b"4.4"))
    assert not all(each.passed for each in verified(catalog, provider, lie, None, shop.now()))
