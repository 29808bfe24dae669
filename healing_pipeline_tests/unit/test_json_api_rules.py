"""Each mistake in the rules of a JSON API is found on its own line, with a cure."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from healing_pipeline.catalog.json_rules import (
    Comparison,
    Condition,
    Expect,
    KeyIn,
    KeyPlace,
    MomentForm,
    Read,
    steps_of,
    written,
)
from healing_pipeline.catalog.load import check, load
from healing_pipeline.catalog.problems import Problem
from healing_pipeline.healing.fidelity import DEFAULT_ACCEPTS, Fidelity
from healing_pipeline.providers.registry import provider_names

PATH = Path("healing_config.yaml")
SHOP = """\
upstreams: real
sources:
  shop:
    provider: json_api
    hosts: {primary: https://api.shop.example, standby: https://standby.shop.example}
    keys: {main: {env: SHOP_KEY}}
    key_in: {header: X-Api-Key}
  yahoo:
    hosts: {query1: https://query1.finance.yahoo.com}
endpoints:
  yahoo/chart-aapl-1d:
    path: /v8/finance/chart/AAPL
    owner: me
  shop/prices:
    path: /prices
    params: {limit: 30, days: all}
    read: {rows: data.prices, at: date, at_form: date, fields: {close: close}, limit_param: limit}
    max_age_s: 86400
  shop/price-widget:
    path: /price/widget
    read: {at: updated, fields: {price: price.amount, old: "v\\\\.1.0"}, instrument: widget}
  shop/health:
    path: /health
    expect:
      status: [200, 404]
      within_s: 0.5
      text: "UP"
      content_type: Application/JSON
      body:
        status: UP
        queue.0: {">": 5, "!=": 7}
        items: {length: 3}
        more: {length: {"<=": 3}}
        state: {any_of: [UP, 1, null, "1"]}
        name: {like: "shop-*"}
        error: {present: false}
"""
PRICES = next(each for each in SHOP.splitlines() if "data.prices" in each)
KEY_IN = "    key_in: {header: X-Api-Key}"
WIDGET = (
    '    read: {at: updated, fields: {price: price.amount, old: "v\\\\.1.0"}, instrument: widget}'
)
SECRET = "0123456789abcdef01234567"


def problems(text: str) -> list[Problem]:
    return check(text, path=PATH, environ={"SHOP_KEY": "made-up"}, providers=provider_names())


def test_what_is_written_is_what_is_meant(tmp_path):
    assert problems(SHOP) == []
    path = tmp_path / "healing_config.yaml"
    path.write_text(SHOP)
    catalog = load(path, environ={"SHOP_KEY": "made-up"}, providers=provider_names())
    assert catalog.sources["shop"].key_in == KeyIn(KeyPlace.HEADER, "X-Api-Key")
    prices = catalog.endpoints["shop/prices"]
    assert prices.read == Read(
        fields=MappingProxyType({"close": ("close",)}),
        instrument="PRICES",
        rows=("data", "prices"),
        at=("date",),
        at_form=MomentForm.DATE,
        interval="rows",
        limit_param="limit",
    )
    assert (prices.accepts, prices.is_market) == (DEFAULT_ACCEPTS, False)
    widget = catalog.endpoints["shop/price-widget"].read
    assert (widget.instrument, widget.interval) == ("WIDGET", "now")
    assert widget.fields["old"] == ("v.1", "0")
    health = catalog.endpoints["shop/health"]
    assert health.expect == Expect(
        status=frozenset({200, 404}),
        within_s=0.5,
        text="UP",
        content_type="application/json",
        body=(
            Condition(("status",), Comparison.EQUAL, "UP"),
            Condition(("queue", "0"), Comparison.ABOVE, 5.0),
            Condition(("queue", "0"), Comparison.UNEQUAL, 7.0),
            Condition(("items",), Comparison.EQUAL, 3.0, of_length=True),
            Condition(("more",), Comparison.AT_MOST, 3.0, of_length=True),
            Condition(("state",), Comparison.ANY_OF, ("UP", 1.0, None, "1")),
            Condition(("name",), Comparison.LIKE, "shop-*"),
            Condition(("error",), Comparison.PRESENT, False),
        ),
    )
    # That it answered a while ago is no answer to whether it does.
    assert health.accepts == {Fidelity.EXACT}
    assert catalog.endpoints["yahoo/chart-aapl-1d"].is_market


@pytest.mark.parametrize(
    ("text", "steps"),
    [(".", ()), ("", ()), ("a", ("a",)), ("a.0.b", ("a", "0", "b")), (r"a\.b.c", ("a.b", "c"))],
)
def test_a_path_reads_as_it_is_written(text, steps):
    assert steps_of(text) == steps
    assert steps_of(written(steps)) == steps


MISTAKES = [
    # key_in
    (KEY_IN, "    key_in: cookie", "`cookie`, which is no place for a key", "key_in: bearer"),
    (KEY_IN, "    key_in: {heade: X-Key}", "Unknown key `heade`", "Did you mean `header`?"),
    (KEY_IN, "    key_in: {header: X-Key, param: k}", "must name one place", "{param: apikey}"),
    (KEY_IN, "    key_in: {bearer: yes}", "Unknown key `bearer`", "`key_in: bearer`"),
    (KEY_IN, "    key_in: {header: 'X Key'}", "`X Key`", "as the API documents it"),
    (KEY_IN, "    key_in: {header: Host}", "`Host`", "as the API documents it"),
    (KEY_IN, "    key_in: {param: 'a&b'}", "`a&b`", "as the API documents it"),
    (KEY_IN, f"    key_in: {{header: {SECRET}}}", "looks like an API key", "environment variable"),
    (KEY_IN, "    quota: {per_minute: 5}", "Nothing says where source `shop`", "header: X-Api"),
    ("    keys: {main: {env: SHOP_KEY}}", "", "there are no `keys`", "Add `keys:"),
    (
        "{query1: https://query1.finance.yahoo.com}",
        "{query1: https://query1.finance.yahoo.com}\n    key_in: bearer",
        "`key_in` of source `yahoo` is for sources of the provider `json_api` only",
        "provider: json_api",
    ),
    # read
    (
        "    owner: me",
        "    read: {fields: {a: b}}",
        "`read` of endpoint `yahoo/chart-aapl-1d` is for sources of the provider `json_api` only",
        "provider: json_api",
    ),
    (PRICES, "    read: {rows: a, fields: {b: c}}", "nothing says of when", "Add `at: date`"),
    (PRICES, "    read: {row: a, at: t, fields: {b: c}}", "Unknown key `row`", "mean `rows`?"),
    (PRICES, "    read: {rows: a, at: t}", "`fields` is missing", "Add `fields:`"),
    (PRICES, "    read: {rows: a, at: t, fields: {}}", "names 0 numbers", "price: price.amount"),
    (PRICES, "    read: {rows: a, at: t, fields: {'a b': c}}", "`a b`", "letters, digits"),
    (PRICES, "    read: {rows: a..b, at: t, fields: {b: c}}", "`a..b`, which is no path", "dots"),
    (PRICES, "    read: {rows: 'a[0]', at: t, fields: {b: c}}", "is no path", "data.prices.0"),
    (PRICES, "    read: {rows: a, at: t, at_form: iso, fields: {b: c}}", "`iso`", "`seconds`"),
    (PRICES, "    read: {rows: a, at: t, interval: day, fields: {b: c}}", "`day`", "`1d`"),
    (PRICES, "    read: {at: t, interval: 1d, fields: {b: c}}", "there are no `rows`", "Remove it"),
    (
        PRICES,
        "    read: {rows: a, at: t, fields: {b: c}, limit_param: limt}",
        "`limt`, which is no parameter of the endpoint",
        "Did you mean `limit`?",
    ),
    (
        PRICES,
        "    read: {rows: a, at: t, fields: {b: c}, limit_param: days}",
        "whose value `all` is no number of rows",
        "`days: 100`",
    ),
    (WIDGET, "    read: {fields: {b: c}, limit_param: limit}", "no `rows` to limit", "Remove it"),
    (WIDGET, "    read: {fields: {b: c}, market: true}", "of when the numbers are", "Add `at`"),
    (WIDGET, "    read: {fields: {b: c}, at_form: date}", "there is no `at`", "Add `at`"),
    (WIDGET, "    read: {fields: {b: c}, instrument: 'a b'}", "`a b`", "`WIDGET`"),
    # expect
    ("[200, 404]", "[200, 20x]", "`20x` in `status`", "`2xx`"),
    ("[200, 404]", "301", "`301` in `status`", "Redirects are followed"),
    ("within_s: 0.5", "within_s: 0", "out of range", "0.001 to 30"),
    ("within_s", "within", "Unknown key `within`", "Did you mean `within_s`?"),
    ("Application/JSON", "json", "`content_type`", "application/json"),
    ("status: UP", "status: [UP]", "held against a list", "any_of"),
    ("status: UP", "status: {}", "held against nothing", "Write a value"),
    ("status: UP", "a..b: UP", "is no path", "dots"),
    ('{">": 5, "!=": 7}', '{"=>": 5}', "`=>`, which is not known", "`>=`"),
    ('{">": 5, "!=": 7}', '{">": "5"}', "not with a number", "without quotes"),
    ('{">": 5, "!=": 7}', '{">": [5]}', "must be a single value", "one value"),
    ("{length: 3}", "{length: three}", "not with a number", "without quotes"),
    ("{length: 3}", "{length: {length: 3}}", "`length`, which is not known", "`==`"),
    ('{any_of: [UP, 1, null, "1"]}', "{any_of: UP}", "must be a list", "[one, two]"),
    ("{present: false}", "{present: no}", "must be true or false", "present: true"),
]


# Where what is wrong is that something is not there.
STANDS_ON = {"Nothing says where source `shop`": "  shop:", "there are no `keys`": KEY_IN}


@pytest.mark.parametrize(("old", "new", "problem", "cure"), MISTAKES, ids=lambda it: it[:40])
def test_a_mistake_is_found_on_its_line_with_a_cure(old, new, problem, cure):
    assert SHOP.count(old) == 1
    text = SHOP.replace(old, new)
    mine = [each for each in problems(text) if problem in each.problem]
    assert len(mine) == 1
    assert cure in mine[0].cure
    assert SECRET not in f"{mine[0].problem} {mine[0].cure}"
    line = text.splitlines()[mine[0].line - 1]
    assert line == STANDS_ON.get(problem, line)
    assert problem in STANDS_ON or line not in SHOP.splitlines()


ODD = ["[]", "{}", "null", "[{}]", "{a: {b: [1]}}", "'x y'", "1e9", "{length: {}}", "''"]


def test_nothing_in_place_of_a_value_makes_the_check_raise():
    lines = SHOP.splitlines()
    begin = lines.index("    provider: json_api")
    for number in range(begin, len(lines)):
        key, colon, _ = lines[number].partition(": ")
        if colon:
            odd = ODD[number % len(ODD)]
            text = "\n".join([*lines[:number], f"{key}: {odd}", *lines[number + 1 :]])
            assert all(each.line > 0 and each.problem and each.cure for each in problems(text))


def test_an_age_that_nothing_tells_cannot_be_limited():
    text = SHOP.replace("    expect:\n", "    max_age_s: 60\n    expect:\n")
    (found,) = problems(text)
    assert "nothing says how old its data is" in found.problem
    assert text.splitlines()[found.line - 1] == "    max_age_s: 60"


@pytest.mark.parametrize(
    ("theirs", "because"),
    [
        ("{at: t, fields: {price: p}}", "its instrument is `OTHER`, not `WIDGET`"),
        ("{at: t, fields: {cost: p}, instrument: WIDGET}", "no field `old`"),
        ("{rows: r, at: t, fields: {price: p}, instrument: WIDGET}", "its interval is `rows`"),
        ("{at: t, fields: {price: p, old: o}, instrument: WIDGET}", None),
    ],
)
def test_an_alternate_that_can_never_stand_in_is_warned_of(theirs, because):
    other = f"  shop/other:\n    path: /other\n    read: {theirs}\n"
    alternates = f"{WIDGET}\n    alternates: {{endpoints: [shop/other]}}"
    found = problems(SHOP.replace(WIDGET, alternates) + other)
    if because is None:
        assert found == []
    else:
        assert because in found[0].problem
        assert found[0].severity == "warning"
        assert "same" in found[0].cure or "one name" in found[0].cure


def test_a_check_without_numbers_has_no_stand_in():
    alternates = SHOP.replace(
        "    path: /health", "    path: /health\n    alternates: {endpoints: [shop/prices]}"
    )
    (found,) = problems(alternates)
    assert "no number is read of it" in found.problem


def test_a_simulated_installation_says_that_no_simulator_speaks_for_it():
    found = check(
        SHOP.replace("upstreams: real", "upstreams: simulated"),
        path=PATH,
        environ={},
        providers=provider_names(),
        simulated_hosts={("yahoo", "query1"): "http://127.0.0.1:1"},
        simulated_keys={},
    )
    about_hosts = [each for each in found if "no host `primary`" in each.problem]
    assert "`upstreams: real`" in about_hosts[0].cure
